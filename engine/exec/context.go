package exec

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Context is one execution: what its caller hands in, and what the operators share.
type Context struct {
	Task      *activity.Task
	Tx        *txn.Tx
	Snapshot  *mvcc.Snapshot
	Wait      txn.Wait
	WorkMem   int64 // bytes
	Eval      *eval.Env
	Reporter  Reporter
	Repeat    bool // REPEATABLE READ or SERIALIZABLE: a row changed by others since the snapshot is an error
	Cursors   Cursors
	After     After
	Printer   Printer
	TempDir   TempFiles
	Sequences *sequence.Sequences
	// Crosscheck is what a change that looks beyond the transaction's snapshot must find its rows in all the same; nil for
	// no such demand.
	Crosscheck *mvcc.Snapshot
	Processed  int64 // rows inserted, updated or deleted by the statement's own Modify

	recheck map[int]recheckRow // by RTE: the rows a re-check runs over; nil outside one
	view    mvcc.View
}

// Reporter takes what an execution has to say beside its rows.
type Reporter interface{ Notice(n *pgerror.Error) }

// Printer knows what errors may show.
type Printer interface {
	// KeyText prints the columns and expressions of an index's key.
	KeyText(rel *relation.Desc, ix *relation.Index) string
	// MayRead tells whether the role may select a column of a table; zero asks for the table as a whole.
	MayRead(rel base.OID, attr int16) bool
}

// MayReadKey tells whether errors may show the values of columns; zero stands for an expression over the row.
func MayReadKey(mayRead func(rel base.OID, attr int16) bool, rel base.OID, attrs []int16) bool {
	for _, a := range attrs {
		if !mayRead(rel, a) {
			return false
		}
	}
	return true
}

// Cursors finds the row a cursor stands on, for WHERE CURRENT OF.
type Cursors interface {
	CurrentRow(cursor string, table base.OID) (base.TID, bool, error)
}

// recheckRow is the row of one relation that a re-check sees instead of scanning.
type recheckRow struct {
	tid  base.TID
	null bool // the null-extended side of an outer join
}

// Instrument is what EXPLAIN ANALYZE learns of one plan node.
type Instrument struct {
	Startup                     time.Duration
	Total                       time.Duration
	Rows                        float64
	Loops                       float64
	Filtered                    float64
	Hit, Read, Dirtied, Written int64
	SortMethod                  string
	SortSpace                   int64 // kB
	SortDisk                    bool
	HashBatches                 int
	HashBuckets                 int
	HashMemory                  int64
	HeapFetches                 int64 // of an index-only scan
}

func errSerialize(what string) error {
	return pgerror.Newf(pgerror.TRSerializationFailure, "could not serialize access due to concurrent %s", what)
}

// cloneRow copies datums into memory of their own.
func cloneRow(row []types.Datum) []types.Datum {
	out := make([]types.Datum, len(row))
	for i := range row {
		out[i] = row[i].Clone()
	}
	return out
}

// View joins the execution's snapshot with what look-ups need.
func (x *Context) View() mvcc.View { return mvcc.NewView(x.Snapshot, x.Tx.Manager(), x.Task) }
