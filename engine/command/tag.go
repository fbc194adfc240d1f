package command

import pg_query "github.com/pganalyze/pg_query_go/v6"

// Tag names a utility statement as errors do.
func Tag(n *pg_query.Node) string { return statementName(n) }
