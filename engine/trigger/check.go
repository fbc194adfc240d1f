package trigger

import (
	"bytes"
	"fmt"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/exec"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/tuple"
	"manifold/engine/types"
)

// checker is one foreign key as a session checks it. Its table and index handles, scratch and plans live from one
// transaction to the next, as long as neither table changes.
type checker struct {
	q      *Queue
	fk     *relation.ForeignKey
	child  *relation.Desc
	parent *relation.Desc
	table  *heap.Table // the referenced one
	index  *relation.Index
	tree   *btree.Index
	scan   *btree.Scan
	writer heap.Writer
	order  []int // by key column of the index: its place in the constraint
	direct bool  // a value of the referring column makes a key of the index as it is

	firing uint64 // the round that the tables were locked in
	seen   map[string]struct{}
	snap   mvcc.Snapshot
	view   mvcc.View
	key    []byte
	other  []byte
	row    []byte
	values []types.Datum
	params []types.Datum
	stmts  [stmtCount]*Statement
}

// maxSeen bounds the keys that are known to be there and locked.
const maxSeen = 4096

// checker gives the checker of a foreign key with both tables locked; nil when the constraint is gone.
func (q *Queue) checker(f *Firing, k *relation.ForeignKey) (*checker, error) {
	c := q.checkers[k]
	if c != nil && c.firing == q.firing {
		return c, nil
	}
	for _, rel := range []base.OID{k.Target, k.Table} {
		if err := f.Lock(rel, lock.RowShare); err != nil {
			return nil, err
		}
	}
	parent, err := f.View.Relation(k.Target)
	if err != nil || parent == nil {
		return nil, err
	}
	child, err := f.View.Relation(k.Table)
	if err != nil || child == nil {
		return nil, err
	}
	if c == nil || c.parent != parent || c.child != child {
		if c, err = q.newChecker(f, k, parent, child); err != nil {
			return nil, err
		}
		q.checkers[k] = c
	}
	c.firing = q.firing
	clear(c.seen)
	c.writer.Reset(c.table, f.Task, f.Tx, f.Wait)
	return c, nil
}

func (q *Queue) newChecker(f *Firing, k *relation.ForeignKey, parent, child *relation.Desc) (*checker, error) {
	c := &checker{q: q, fk: k, parent: parent, child: child, table: f.Builder.Table(parent), seen: map[string]struct{}{}, direct: true}
	for _, ix := range parent.Indexes {
		if ix.OID == k.Index {
			c.index = ix
		}
	}
	if c.index == nil {
		return nil, pgerror.Newf(pgerror.InternalError, "index %d of foreign key \"%s\" is missing", k.Index, k.Name)
	}
	for _, key := range c.index.Keys {
		at := -1
		for i, a := range k.Keys {
			if a == key.Attr {
				at = i
			}
		}
		if at < 0 {
			return nil, pgerror.Newf(pgerror.InternalError, "index \"%s\" does not fit foreign key \"%s\"", c.index.Name, k.Name)
		}
		c.order = append(c.order, at)
		c.direct = c.direct && likeKeys(key.Type, child.Columns[k.Columns[at]-1].Type)
	}
	c.tree = f.Builder.Index(c.index, parent.Logged())
	c.scan = c.tree.NewScan(f.Task)
	return c, nil
}

// likeKeys tells whether values of two types make the same keys where they are equal.
func likeKeys(key, from base.OID) bool {
	if key == from {
		return true
	}
	_, _, a := types.IntRange(key)
	_, _, b := types.IntRange(from)
	text := func(t base.OID) bool { return t == types.OIDText || t == types.OIDVarChar }
	return a && b || text(key) && text(from)
}

// refers checks that the row at tid of the referring table, if it is still there, finds the row it refers to.
func (c *checker) refers(f *Firing, rel *relation.Desc, tid base.TID) error {
	t := f.Builder.Table(rel)
	row, err := t.FetchVersion(f.Task, tid, &c.row)
	if err != nil || row == nil {
		return err
	}
	c.snap = mvcc.Snapshot{Own: f.Tx.Identity()}
	c.view = mvcc.NewView(&c.snap, f.Tx.Manager(), f.Task)
	if st, _ := c.view.Dirty(row); st != mvcc.SelfInsert && st != mvcc.Live {
		return nil // replaced or deleted since; what replaced it has an event of its own
	}
	if c.values, err = deform(f, t, c.values, row, c.fk.Columns); err != nil {
		return err
	}
	c.params = c.params[:0]
	nulls := 0
	for _, a := range c.fk.Columns {
		c.params = append(c.params, c.values[a-1])
		if c.values[a-1].Null {
			nulls++
		}
	}
	switch {
	case nulls == len(c.params) || nulls > 0 && c.fk.Match != 'f':
		return nil
	case nulls > 0:
		return c.onChild(pgerror.Newf(pgerror.ForeignKeyViolation, "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
			c.child.Name, c.fk.Name)).WithDetail("MATCH FULL does not allow mixing of null and nonnull key values.")
	}
	found, err := c.find(f, c.child, c.fk.Columns, c.params, false)
	if err != nil || found {
		return err
	}
	return c.missing(f, c.params)
}

// deform takes a row apart, over the memory of into when there is enough; only the columns attrs are sure to be values.
func deform(f *Firing, t *heap.Table, into []types.Datum, row tuple.Tuple, attrs []int16) ([]types.Datum, error) {
	if n := len(t.Desc.Columns); cap(into) < n {
		into = make([]types.Datum, n)
	}
	into = t.Layout.Deform(into[:0], row)
	for _, a := range attrs {
		if t.Layout.Variable(int(a) - 1) {
			var err error
			if into[a-1], err = t.Value(f.Task, into[a-1]); err != nil {
				return nil, err
			}
		}
	}
	return into, nil
}

// missing is the error for a row that refers to nothing.
func (c *checker) missing(f *Firing, values []types.Datum) error {
	return c.onChild(pgerror.Newf(pgerror.ForeignKeyViolation, "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
		c.child.Name, c.fk.Name)).WithDetail("Key %sis not present in table \"%s\".", keyText(f, c.child, c.fk.Columns, values), c.parent.Name)
}

// onChild adds the place that errors of the constraint name.
func (c *checker) onChild(e *pgerror.Error) *pgerror.Error {
	return e.WithTable(c.child.Schema, c.child.Name).WithConstraint(c.fk.Name)
}

// keyText shows a key and its values, with a space behind, if the role may see them.
func keyText(f *Firing, d *relation.Desc, attrs []int16, values []types.Datum) string {
	if !exec.MayReadKey(f.MayRead, d.OID, attrs) {
		return ""
	}
	return fmt.Sprintf("(%s)=(%s) ", columnList(d, attrs), valueList(f, d, attrs, values))
}

func columnList(d *relation.Desc, attrs []int16) string {
	out := ""
	for i, a := range attrs {
		if i > 0 {
			out += ", "
		}
		out += d.Columns[a-1].Name
	}
	return out
}

func valueList(f *Firing, d *relation.Desc, attrs []int16, values []types.Datum) string {
	var out []byte
	for i, a := range attrs {
		if i > 0 {
			out = append(out, ", "...)
		}
		if values[i].Null {
			out = append(out, "null"...)
		} else {
			out = types.AppendText(out, d.Columns[a-1].Type, values[i], f.Env)
		}
	}
	return string(out)
}

// find looks for the referenced row of a key, whose values are of the columns attrs of d, and locks it FOR KEY SHARE.
func (c *checker) find(f *Firing, d *relation.Desc, attrs []int16, values []types.Datum, latest bool) (bool, error) {
	if !c.direct && d != c.parent {
		found := false
		err := f.Runner.Run(c.statement(stmtFind), values, func([]types.Datum) bool {
			found = true
			return false
		})
		return found, err
	}
	key, ok, err := c.encode(c.key[:0], d, attrs, values)
	c.key = key
	if err != nil || !ok {
		return false, err
	}
	if _, ok := c.seen[string(key)]; ok && !latest {
		return true, nil
	}
	f.Runner.Snapshot(&c.snap, latest)
	found, err := c.probe(f)
	f.Tx.Release(&c.snap)
	if found && err == nil {
		if len(c.seen) >= maxSeen {
			clear(c.seen)
		}
		c.seen[string(key)] = struct{}{}
	}
	return found, err
}

// encode makes the key of the index; false when no key of its type can equal the values.
func (c *checker) encode(key []byte, d *relation.Desc, attrs []int16, values []types.Datum) ([]byte, bool, error) {
	var err error
	for i := range c.index.Keys {
		k := &c.index.Keys[i]
		at := c.order[i]
		v := values[at]
		if lo, hi, ok := types.IntRange(k.Type); ok && d.Columns[attrs[at]-1].Type != k.Type && (v.I < lo || v.I > hi) {
			return key, false, nil
		}
		if key, err = types.AppendKey(key, k.Type, v, k.Descending, k.NullsFirst); err != nil {
			return key, false, err
		}
	}
	return key, true, nil
}

// probe looks for the row of c.key that c.snap sees, and locks it.
func (c *checker) probe(f *Firing) (bool, error) {
	c.view = mvcc.NewView(&c.snap, f.Tx.Manager(), f.Task)
	c.scan.SetTask(f.Task)
	c.scan.Reset(btree.Range{Lo: c.key, Hi: c.key}, false, false)
	for {
		tids, err := c.scan.Next()
		if err != nil || len(tids) == 0 {
			return false, err
		}
		for _, tid := range tids {
			got, err := c.table.Fetch(&c.view, tid, &c.row)
			if err != nil {
				return false, err
			}
			if got.Row == nil {
				continue
			}
			if ok, err := c.lock(f, got.TID); ok || err != nil {
				return ok, err
			}
		}
	}
}

// lock locks a referenced row, or what became of it if it still has the key.
func (c *checker) lock(f *Firing, tid base.TID) (bool, error) {
	for {
		res, err := c.writer.Lock(tid, heap.ForKeyShare, heap.Block, nil)
		if err != nil {
			return false, err
		}
		switch res.Outcome {
		case heap.OK:
			return true, nil
		case heap.Updated, heap.Deleted:
			if f.Repeat {
				return false, pgerror.New(pgerror.TRSerializationFailure, "could not serialize access due to concurrent update")
			}
		}
		if res.Outcome != heap.Updated {
			return false, nil
		}
		newest, alive, err := c.table.Follow(&c.view, res.CTID)
		if err != nil || !alive {
			return false, err
		}
		row, err := c.table.FetchVersion(f.Task, newest, &c.row)
		if err != nil || row == nil {
			return false, err
		}
		values, err := deform(f, c.table, nil, row, c.fk.Keys)
		if err != nil {
			return false, err
		}
		key := make([]types.Datum, len(c.fk.Keys))
		for i, a := range c.fk.Keys {
			key[i] = values[a-1]
		}
		if c.other, _, err = c.encode(c.other[:0], c.parent, c.fk.Keys, key); err != nil || !bytes.Equal(c.other, c.key) {
			return false, err
		}
		tid = newest
	}
}
