package catalog

import (
	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Editor changes system tables within a transaction. Each change is visible to the reads that follow it, and is noted for
// the invalidation of caches at commit. It belongs to one statement.
type Editor struct {
	Opened *Opened
	Task   *activity.Task
	Tx     *txn.Tx
	Wait   txn.Wait
	View   *View
	// Changed is told of every change, so that the session reads through a cache of its own from now on.
	Changed func(inv *Invalidation)
	writer  heap.Writer
	tree    btree.Writer
	key     []byte
}

// open locks a catalog for writing until the transaction ends: its rows stay where they are.
func (e *Editor) open(table base.OID) (*relation.Desc, error) {
	owner, tag := e.Tx.Proc().Owner(), lock.Relation(e.View.databaseOf(table), table)
	if !owner.Holds(tag, lock.RowExclusive) {
		_, err := e.Tx.Manager().Locks().Acquire(e.Task, owner, lock.Request{Tag: tag, Mode: lock.RowExclusive,
			Timeout: e.Wait.Timeout, DeadlockTimeout: e.Wait.DeadlockTimeout})
		if err != nil {
			return nil, err
		}
	}
	return e.View.Catalog(table), nil
}

// One is View.One for a row that is to be changed: its address is good until the transaction ends.
func (e *Editor) One(table, index base.OID, keys ...types.Datum) (Row, base.TID, error) {
	if _, err := e.open(table); err != nil {
		return nil, base.TID{}, err
	}
	return e.View.One(table, index, keys...)
}

// Insert adds a row and gives its address.
func (e *Editor) Insert(table base.OID, row Row) (base.TID, error) {
	d, err := e.open(table)
	if err != nil {
		return base.TID{}, err
	}
	t := e.Opened.Table(d)
	e.writer.Reset(t, e.Task, e.Tx, e.Wait)
	if err := notNull(d, row); err != nil {
		return base.TID{}, err
	}
	tid, err := e.writer.Insert(row)
	if err != nil {
		return tid, err
	}
	return tid, e.finish(d, t, row, tid)
}

// Update replaces the row at tid, which the caller has read by One.
func (e *Editor) Update(table base.OID, tid base.TID, row Row) error {
	d, err := e.open(table)
	if err != nil {
		return err
	}
	t := e.Opened.Table(d)
	e.writer.Reset(t, e.Task, e.Tx, e.Wait)
	if err := notNull(d, row); err != nil {
		return err
	}
	res, err := e.writer.Update(tid, row)
	if err != nil {
		return err
	}
	if res.Outcome != heap.OK {
		e.writer.LeaveQueue()
		return concurrent()
	}
	if res.HOT {
		return e.note(d, row)
	}
	return e.finish(d, t, row, res.TID)
}

// Delete removes the row at tid, which the caller has read by One; row is what it holds.
func (e *Editor) Delete(table base.OID, tid base.TID, row Row) error {
	d, err := e.open(table)
	if err != nil {
		return err
	}
	e.writer.Reset(e.Opened.Table(d), e.Task, e.Tx, e.Wait)
	res, err := e.writer.Delete(tid)
	if err != nil {
		return err
	}
	if res.Outcome != heap.OK {
		e.writer.LeaveQueue()
		return concurrent()
	}
	return e.note(d, row)
}

// DeleteAll removes every row that Scan would give.
func (e *Editor) DeleteAll(table, index base.OID, keys []types.Datum, match func(Row) bool) error {
	type found struct {
		tid base.TID
		row Row
	}
	var rows []found
	if _, err := e.open(table); err != nil {
		return err
	}
	err := e.View.Scan(table, index, keys, func(tid base.TID, row Row) error {
		if match == nil || match(row) {
			rows = append(rows, found{tid, row.Clone()})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := e.Delete(table, r.tid, r.row); err != nil {
			return err
		}
	}
	return nil
}

func concurrent() error { return pgerror.New(pgerror.InternalError, "tuple concurrently updated") }

func notNull(d *relation.Desc, row Row) error {
	for i := range d.Columns {
		if d.Columns[i].NotNull && row[i].Null {
			return pgerror.Newf(pgerror.InternalError, "null value in column \"%s\" of system table \"%s\"", d.Columns[i].Name, d.Name)
		}
	}
	return nil
}

func (e *Editor) finish(d *relation.Desc, t *heap.Table, row Row, tid base.TID) error {
	var snap mvcc.Snapshot
	e.Tx.Snapshot(&snap)
	defer e.Tx.Release(&snap)
	view := mvcc.NewView(&snap, e.Tx.Manager(), e.Task)
	prober := &heap.Prober{Table: t, View: &view}
	for _, ix := range d.Indexes {
		if err := e.enter(d, ix, row, tid, prober); err != nil {
			return err
		}
	}
	return e.note(d, row)
}

func (e *Editor) enter(d *relation.Desc, ix *relation.Index, row Row, tid base.TID, prober *heap.Prober) error {
	keys := make([]types.Datum, 0, len(ix.Keys))
	for i := range ix.Keys {
		keys = append(keys, row[ix.Keys[i].Attr-1])
	}
	key, err := prefix(ix, keys)
	if err != nil {
		return err
	}
	e.tree.Reset(e.Opened.Tree(ix, true), e.Task)
	e.tree.SetProber(prober)
	var unique btree.Prober
	if ix.Unique {
		unique = prober
	}
	for {
		c, err := e.tree.Insert(key, tid, nil, unique)
		if err != nil || !c.Found {
			return err
		}
		if c.Wait == 0 {
			return duplicateKey(d, ix, keys)
		}
		if err := e.Tx.Manager().WaitFor(e.Task, e.Tx.Proc(), c.Wait, e.Wait); err != nil {
			return err
		}
	}
}

func duplicateKey(d *relation.Desc, ix *relation.Index, keys []types.Datum) error {
	cols, vals := "", []byte(nil)
	for i := range ix.Keys {
		c := &d.Columns[ix.Keys[i].Attr-1]
		if i > 0 {
			cols += ", "
			vals = append(vals, ", "...)
		}
		cols += c.Name
		vals = types.AppendText(vals, c.Type, keys[i], types.NewEnv())
	}
	return pgerror.Newf(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", ix.Name).
		WithDetail("Key (%s)=(%s) already exists.", cols, vals).WithTable(d.Schema, d.Name).WithConstraint(ix.Name)
}

// note makes the change visible to what follows, and tells of it.
func (e *Editor) note(d *relation.Desc, row Row) error {
	if err := e.Tx.NextCommand(); err != nil {
		return err
	}
	inv := &Invalidation{}
	g, ok := GroupOf(d.OID)
	if !ok {
		return nil
	}
	inv.Groups[g] = true
	if g == GroupRelations {
		if oid := describes(d.OID, row); oid != 0 {
			inv.Relations = append(inv.Relations, oid)
		} else {
			inv.AllRelations = true
		}
	}
	if e.Changed != nil {
		e.Changed(inv)
	}
	return nil
}

// describes gives the relation that a row of a relation catalog belongs to; zero when it may be several.
func describes(table base.OID, row Row) base.OID {
	switch table {
	case bootstrap.RelClass:
		return row.OID(bootstrap.ColClassOid)
	case bootstrap.RelAttribute:
		return row.OID(bootstrap.ColAttributeAttrelid)
	case bootstrap.RelIndex:
		return row.OID(bootstrap.ColIndexIndrelid)
	case bootstrap.RelAttrdef:
		return row.OID(bootstrap.ColAttrdefAdrelid)
	case bootstrap.RelConstraint:
		return row.OID(bootstrap.ColConstraintConrelid)
	case bootstrap.RelStatistic:
		return row.OID(bootstrap.ColStatisticStarelid)
	case bootstrap.RelSequence:
		return row.OID(bootstrap.ColSequenceSeqrelid)
	case bootstrap.RelRewrite:
		return row.OID(bootstrap.ColRewriteEvClass)
	case bootstrap.RelTrigger:
		return row.OID(bootstrap.ColTriggerTgrelid)
	}
	return 0
}

// Merge adds another invalidation's contents.
func (i *Invalidation) Merge(o *Invalidation) {
	for g := range o.Groups {
		i.Groups[g] = i.Groups[g] || o.Groups[g]
	}
	i.AllRelations = i.AllRelations || o.AllRelations
	i.Relations = append(i.Relations, o.Relations...)
}

// NewRow makes a row of nulls for a catalog, to be filled by attribute number with Set.
func (e *Editor) NewRow(table base.OID) Row {
	row := make(Row, len(e.View.Catalog(table).Columns))
	for i := range row {
		row[i] = types.Null
	}
	return row
}

// Set fills a column of a row.
func (r Row) Set(col int, d types.Datum) { r[col-1] = d }

// SetOID, SetBool, SetInt, SetText and SetByte fill a column with a plain value.
func (r Row) SetOID(col int, v base.OID)  { r[col-1] = types.Int(int64(v)) }
func (r Row) SetBool(col int, v bool)     { r[col-1] = types.Bool(v) }
func (r Row) SetInt(col int, v int64)     { r[col-1] = types.Int(v) }
func (r Row) SetText(col int, v string)   { r[col-1] = types.Text(v) }
func (r Row) SetByte(col int, v byte)     { r[col-1] = types.Int(int64(v)) }
func (r Row) SetFloat(col int, v float64) { r[col-1] = types.Float(v) }
