package copy

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
)

type options struct{ format int }

const formatBinary = 2

type tableColumns struct{ d *relation.Desc }

func (o *options) read(*pg_query.CopyStmt, *analyze.Options) error { return nil }
func (p *Copy) resolve() error                                     { return nil }

// From reads rows from in and writes them to the table; it gives their number.
func (p *Copy) From(in Reader) (int64, error) { return 0, nil }

// To writes the rows of the table or query to out; it gives their number.
func (p *Copy) To(out Writer) (int64, error) { return 0, nil }
