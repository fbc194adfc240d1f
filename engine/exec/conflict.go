package exec

import (
	"slices"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// conflictOp is ON CONFLICT: the arbiters are asked before a row goes in; should one refuse it all the same, because
// somebody was faster, the row is taken back and everything begins again. It never waits while such a row is there, since it
// may be in others' way: who meets it in a unique index waits for it to be kept or taken back, not for the transaction.
type conflictOp struct {
	m        *modifyOp
	several  bool // unique indexes: a row may be met in one before the next refuses it
	waiter   waiter
	arbiters []*targetIndex
	scans    []*btree.Scan
	set      []eval.Node
	where    []eval.Node
	frame    eval.Frame
	existing vector.Batch
	proposed vector.Batch
	row      []types.Datum
	buf      []byte
	sel      [1]int32
}

func (in *Instance) conflictOp(m *modifyOp) (*conflictOp, error) {
	p := m.plan.Conflict
	c := &conflictOp{m: m, row: make([]types.Datum, len(m.plan.Rel.Columns))}
	exclusive := 0
	for _, ix := range m.target.indexes {
		if ix.desc.Exclusive() {
			exclusive++
		}
		chosen := len(p.Indexes) == 0 && ix.desc.Exclusive()
		for _, oid := range p.Indexes {
			chosen = chosen || oid == ix.desc.OID
		}
		if chosen {
			c.arbiters = append(c.arbiters, ix)
			c.scans = append(c.scans, nil)
		}
	}
	c.several = exclusive > 1
	var err error
	if c.set, err = in.c.All(p.Set); err != nil {
		return nil, err
	}
	if c.where, err = in.c.All(p.Where); err != nil {
		return nil, err
	}
	n := len(m.plan.Rel.Columns)
	c.existing.Cols, c.proposed.Cols = make([]vector.Vector, n), make([]vector.Vector, n)
	return c, nil
}

// insert inserts m.values, or updates the row in its way, or does nothing. It gives the row for RETURNING, or nil.
func (c *conflictOp) insert(x *Context) ([]types.Datum, error) {
	defer c.m.target.writer.LeaveQueue()
	c.waiter = waiter{}
	for {
		at, found, retry, err := c.look(x)
		if err != nil {
			return nil, err
		}
		if retry {
			continue
		}
		if found && x.Repeat {
			seen, err := c.m.target.Table.Sees(&x.view, at)
			if err != nil {
				return nil, err
			}
			if !seen {
				return nil, errSerialize("update")
			}
		}
		if found {
			if !c.m.plan.Conflict.Update {
				return nil, nil
			}
			row, again, err := c.update(x, at)
			if err != nil || !again {
				return row, err
			}
			continue
		}
		done, err := c.tryInsert(x)
		if err != nil || done {
			return c.m.values, err
		}
	}
}

// look asks the arbiters for a row in the way. retry tells that it waited for somebody and must look again.
func (c *conflictOp) look(x *Context) (at base.TID, found, retry bool, err error) {
	t := c.m.target
	for i, ix := range c.arbiters {
		if !ix.desc.Immediate {
			return at, false, false, pgerror.New(pgerror.ObjectNotInPrerequisiteState,
				"ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters").
				WithTable(t.rel.Schema, t.rel.Name).WithConstraint(ix.desc.Name)
		}
		key, ok, err := ix.keys.of(x.Eval, c.m.values)
		if err != nil {
			return at, false, false, err
		}
		if !ok || !ix.desc.NullsEqual && ix.keys.null {
			continue
		}
		if c.scans[i] == nil {
			c.scans[i] = ix.tree.NewScan(x.Task)
		}
		s := c.scans[i]
		s.SetTask(x.Task)
		s.Reset(btree.Range{Lo: key, Hi: key}, false, false)
		for {
			tids, err := s.Next()
			if err != nil {
				return at, false, false, err
			}
			if len(tids) == 0 {
				break
			}
			for _, tid := range tids {
				st, holder, version, err := t.Table.Probe(&t.view, tid)
				if err != nil {
					return at, false, false, err
				}
				switch st {
				case mvcc.Live, mvcc.SelfInsert:
					return version, true, false, nil
				case mvcc.Inserting, mvcc.Speculating, mvcc.Deleting:
					return at, false, true, c.waiter.await(x, btree.Conflict{TID: tid, Wait: holder, Speculative: st == mvcc.Speculating})
				}
			}
		}
	}
	return at, false, false, nil
}

// tryInsert inserts the row; false when it was taken back, as a unique index has a row of the same key by now.
func (c *conflictOp) tryInsert(x *Context) (bool, error) {
	t := c.m.target
	tid, token, err := c.put(x)
	if err != nil {
		return false, err
	}
	met, err := c.enter(x, tid)
	if err != nil {
		return false, err // the token goes with the transaction, once its rows are dead
	}
	if met.Found {
		if err := t.writer.Undo(tid); err != nil {
			return false, err
		}
		if token != 0 {
			x.Tx.UnlockToken(token)
		}
		if met.Wait != 0 {
			return false, c.waiter.await(x, met)
		}
		return false, nil
	}
	if token != 0 {
		if err := t.writer.Confirm(tid); err != nil {
			return false, err
		}
		x.Tx.UnlockToken(token)
	}
	t.Stats.Insert(1)
	return true, t.inserted(x, c.m.values, tid)
}

// put inserts the row without its entries, under a token where others may meet it before it is sure to stay.
func (c *conflictOp) put(x *Context) (tid base.TID, token base.XID, err error) {
	t := c.m.target
	if !c.several {
		tid, err = t.writer.Insert(c.m.values)
		return tid, 0, err
	}
	if token, err = x.Tx.LockToken(x.Task); err != nil {
		return tid, 0, err
	}
	tid, err = t.writer.InsertSpeculative(c.m.values)
	return tid, token, err
}

// enter adds the row's entries until one is refused: by a row that an arbiter knows, or by who has yet to decide.
func (c *conflictOp) enter(x *Context, tid base.TID) (btree.Conflict, error) {
	t := c.m.target
	for _, ix := range t.indexes {
		met, err := t.tryEntry(x, ix, c.m.values, tid)
		if err != nil {
			return met, err
		}
		if met.Found && met.Wait == 0 && !slices.Contains(c.arbiters, ix) {
			return met, t.refuse(x, ix, c.m.values, met)
		}
		if met.Found {
			return met, nil
		}
	}
	return btree.Conflict{}, nil
}

// update does DO UPDATE to the row at tid. again tells that the row changed under it.
func (c *conflictOp) update(x *Context, tid base.TID) (row []types.Datum, again bool, err error) {
	t := c.m.target
	res, err := t.writer.Lock(tid, heap.ForNoKeyUpdate, heap.Block, &c.buf)
	if err != nil {
		return nil, false, err
	}
	switch res.Outcome {
	case heap.OK:
	case heap.SelfModified, heap.Invisible:
		return nil, false, pgerror.New(pgerror.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	default:
		if x.Repeat {
			return nil, false, errSerialize("update")
		}
		return nil, true, nil
	}
	if c.row, err = t.Table.Deform(x.Task, c.row[:0], c.buf); err != nil {
		return nil, false, err
	}
	c.existing.N, c.proposed.N = 1, 1
	for i := range c.row {
		c.existing.Cols[i].Reset(t.varying[i], 1)
		c.existing.Cols[i].Set(0, c.row[i])
		c.proposed.Cols[i].Reset(t.varying[i], 1)
		c.proposed.Cols[i].Set(0, c.m.values[i])
	}
	c.frame.Env, c.frame.Outer, c.frame.Inner = x.Eval, &c.existing, &c.proposed
	if len(c.where) > 0 {
		sel, err := eval.Filter(&c.frame, c.where, nil, 1, c.sel[:])
		if err != nil || len(sel) == 0 {
			return nil, false, err
		}
	}
	for i, n := range c.set {
		v, err := n.Eval(&c.frame, nil, 1)
		if err != nil {
			return nil, false, err
		}
		c.row[c.m.plan.Conflict.Attrs[i]-1] = v.Get(0).Clone()
	}
	up, err := t.update(x, tid, c.buf, c.row)
	if err != nil {
		return nil, false, err
	}
	return c.row, up.Outcome != heap.OK, nil
}
