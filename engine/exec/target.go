package exec

import (
	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/stats"
	"manifold/engine/tuple"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Target is a table that rows are written to: it keeps constraints, computes generated columns and keeps the indexes. The
// executor's Modify and COPY share it.
type Target struct {
	Table *heap.Table
	// Given are the columns that the statement names or gives values to: an error shows them even to a role that may not read
	// them.
	Given []int
	// Failed is the row (from zero) at which InsertMany failed last.
	Failed int
	Stats  *stats.Table

	rel     *relation.Desc
	indexes []*targetIndex
	checks  []targetCheck
	gens    []targetGen
	writer  heap.Writer
	prober  heap.Prober
	snap    mvcc.Snapshot
	view    mvcc.View
	frame   eval.Frame
	row     vector.Batch
	varying []bool
	needs   []bool // columns that an update reads though it does not set them; nil: all
	tids    []base.TID
	old     []types.Datum
	keys    []bool // columns of foreign keys
	buf     []byte
}

type targetIndex struct {
	desc   *relation.Index
	keys   *rowKeys
	tree   *btree.Index
	writer btree.Writer
	batch  entryBatch
}

type targetCheck struct {
	name string
	node eval.Node
}

type targetGen struct {
	attr int
	node eval.Node
}

// NewTarget prepares a table for writing. generated gives the expressions of stored generated columns over the row.
func (b *Builder) NewTarget(rel *relation.Desc, generated []plan.Generated) (*Target, error) {
	c := &eval.Compiler{Lookup: b.Lookup, Name: b.Name, Fixed: b.Fixed}
	t := &Target{Table: b.Table(rel), Stats: b.Stats.Table(rel.File.Database, rel.OID), rel: rel, row: vector.Batch{Cols: make([]vector.Vector, len(rel.Columns))},
		old: make([]types.Datum, len(rel.Columns))}
	for i := range rel.Columns {
		t.varying = append(t.varying, !rel.Columns[i].Fixed())
	}
	for _, ix := range rel.Indexes {
		if !ix.Ready {
			continue
		}
		k, err := b.rowKeys(c, rel, ix)
		if err != nil {
			return nil, err
		}
		t.indexes = append(t.indexes, &targetIndex{desc: ix, keys: k, tree: b.Index(ix, rel.Logged())})
	}
	for _, ck := range rel.Checks {
		e, err := rowExpr(ck.Expr)
		if err != nil {
			return nil, err
		}
		n, err := c.Compile(e)
		if err != nil {
			return nil, err
		}
		t.checks = append(t.checks, targetCheck{ck.Name, n})
	}
	for _, g := range generated {
		n, err := c.Compile(g.Expr)
		if err != nil {
			return nil, err
		}
		t.gens = append(t.gens, targetGen{g.Attr, n})
	}
	t.keys = t.keyColumns()
	t.needs = t.neededColumns()
	return t, nil
}

// neededColumns tells which columns constraints and index keys of a new row version read; nil stands for all.
func (t *Target) neededColumns() []bool {
	if len(t.gens) > 0 || len(t.checks) > 0 {
		return nil
	}
	need := make([]bool, len(t.rel.Columns))
	for _, ix := range t.rel.Indexes {
		if len(ix.Exprs) > 0 || ix.Predicate != "" {
			return nil
		}
		for _, k := range ix.Keys {
			need[k.Attr-1] = true
		}
		for _, a := range ix.Included {
			need[a-1] = true
		}
	}
	for a, k := range t.keys {
		need[a] = need[a] || k
	}
	return need
}

// Reset turns the target to an execution.
func (t *Target) Reset(x *Context) {
	t.writer.Reset(t.Table, x.Task, x.Tx, x.Wait)
	t.snap = *x.Snapshot
	t.view = mvcc.NewView(&t.snap, x.Tx.Manager(), x.Task)
	t.prober = heap.Prober{Table: t.Table, View: &t.view}
	for _, ix := range t.indexes {
		ix.writer.Reset(ix.tree, x.Task)
		ix.writer.SetSerial(x.Tx.Serial())
		ix.writer.SetProber(&t.prober)
	}
}

// fillRow puts values into the one-row batch that expressions over the row read.
func (t *Target) fillRow(values []types.Datum) {
	t.row.N = 1
	for i := range values {
		t.row.Cols[i].Reset(t.varying[i], 1)
		t.row.Cols[i].Set(0, values[i])
	}
}

// Check computes generated columns and tests NOT NULL and CHECK constraints.
func (t *Target) Check(x *Context, values []types.Datum) error {
	if len(t.gens) > 0 || len(t.checks) > 0 {
		t.fillRow(values)
		t.frame.Env, t.frame.Outer = x.Eval, &t.row
		for _, g := range t.gens {
			v, err := g.node.Eval(&t.frame, nil, 1)
			if err != nil {
				return err
			}
			values[g.attr-1] = v.Get(0).Clone()
		}
		if len(t.gens) > 0 {
			t.fillRow(values)
		}
	}
	for i := range values {
		c := &t.rel.Columns[i]
		if values[i].Null && c.NotNull && !c.Dropped {
			return t.failing(x, values, pgerror.Newf(pgerror.NotNullViolation,
				"null value in column \"%s\" of relation \"%s\" violates not-null constraint", c.Name, t.rel.Name)).WithColumn(c.Name)
		}
	}
	for _, ck := range t.checks {
		v, err := ck.node.Eval(&t.frame, nil, 1)
		if err != nil {
			return err
		}
		if d := v.Get(0); !d.Null && d.I == 0 {
			return t.failing(x, values, pgerror.Newf(pgerror.CheckViolation,
				"new row for relation \"%s\" violates check constraint \"%s\"", t.rel.Name, ck.name)).WithConstraint(ck.name)
		}
	}
	return nil
}

// Insert writes one checked row and its index entries.
func (t *Target) Insert(x *Context, values []types.Datum) (base.TID, error) {
	tid, err := t.writer.Insert(values)
	if err != nil {
		return tid, err
	}
	t.Stats.Insert(1)
	return tid, t.insertEntries(x, values, tid)
}

// insertEntries adds the index entries of a new row and notes what its foreign keys want.
func (t *Target) insertEntries(x *Context, values []types.Datum, tid base.TID) error {
	if err := t.addEntries(x, values, tid); err != nil {
		return err
	}
	return t.inserted(x, values, tid)
}

func (t *Target) addEntries(x *Context, values []types.Datum, tid base.TID) error {
	for _, ix := range t.indexes {
		conflict, err := t.insertEntry(x, ix, values, tid)
		if err != nil {
			return err
		}
		if conflict.Found {
			return t.refuse(x, ix, values, conflict)
		}
	}
	return nil
}

// update checks and writes a new version of the row at tid, whose bytes are old, and the index entries it needs.
func (t *Target) update(x *Context, tid base.TID, old tuple.Tuple, values []types.Datum) (heap.Result, error) {
	if err := t.Check(x, values); err != nil {
		return heap.Result{}, err
	}
	res, err := t.writer.Update(tid, values)
	if err != nil || res.Outcome != heap.OK {
		return res, err
	}
	t.Stats.Update(res.HOT)
	if !res.HOT {
		if err := t.addEntries(x, values, res.TID); err != nil {
			return res, err
		}
	}
	if t.follows() {
		return res, t.updated(x, old, tid, values, res.TID)
	}
	return res, nil
}

// remove deletes the row at tid.
func (t *Target) remove(x *Context, tid base.TID) (heap.Result, error) {
	res, err := t.writer.Delete(tid)
	if err == nil && res.Outcome == heap.OK {
		t.Stats.Delete()
		err = t.removed(x, tid)
	}
	return res, err
}

// insertEntry adds a row's entry to one index. It waits for transactions that decide over an equal key; a conflict with a
// live row is told.
func (t *Target) insertEntry(x *Context, ix *targetIndex, values []types.Datum, tid base.TID) (btree.Conflict, error) {
	var w waiter
	for {
		c, err := t.tryEntry(x, ix, values, tid)
		if err != nil || c.Wait == 0 {
			return c, err
		}
		if err := w.await(x, c); err != nil {
			return c, err
		}
	}
}

// tryEntry is insertEntry that tells of a transaction that decides instead of waiting for it.
func (t *Target) tryEntry(x *Context, ix *targetIndex, values []types.Datum, tid base.TID) (btree.Conflict, error) {
	key, ok, err := ix.keys.of(x.Eval, values)
	if err != nil || !ok {
		return btree.Conflict{}, err
	}
	var unique btree.Prober
	if ix.desc.Exclusive() && (ix.desc.NullsEqual || !ix.keys.null) {
		unique = &t.prober
	}
	payload := ix.keys.included(values)
	if unique == nil || ix.desc.Immediate {
		return ix.writer.Insert(key, tid, payload, unique)
	}
	w := &witness{Prober: unique}
	if _, err := ix.writer.Insert(key, tid, payload, w); err != nil || !w.met {
		return btree.Conflict{}, err
	}
	return btree.Conflict{}, x.After.Note(&RowChange{Kind: Recheck, Rel: t.rel, Index: ix.desc, New: tid})
}

// waiter waits for those who decide over one key.
type waiter struct {
	tid base.TID // of the row whose token was waited for
	xid base.XID
}

// await waits for who decides over an entry that is in the way. A row whose token is free cannot be taken back any more, though its
// page may say so still (heap.Writer.Confirm).
func (w *waiter) await(x *Context, c btree.Conflict) error {
	if c.Speculative && (w.tid != c.TID || w.xid != c.Wait) {
		w.tid, w.xid = c.TID, c.Wait
		return x.Tx.Manager().WaitForToken(x.Task, x.Tx.Proc(), c.Wait, x.Wait)
	}
	return x.Tx.Manager().WaitFor(x.Task, x.Tx.Proc(), c.Wait, x.Wait)
}

// rowLockMode gives the heap's name of a row lock strength.
func rowLockMode(s query.LockStrength) heap.LockMode { return heap.LockMode(s - query.ForKeyShare) }
