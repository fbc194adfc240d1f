package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/session"
)

// setPersistence is ALTER TABLE SET LOGGED and SET UNLOGGED: the table is rewritten with all that belongs to it.
func (a *alteration) setPersistence(d *relation.Desc, to byte) error {
	c := a.c
	if d.Persistence == relation.Temporary {
		return pgerror.Newf(pgerror.InvalidTableDefinition, "cannot change logged status of table \"%s\" because it is temporary", d.Name).
			WithTable(d.Schema, d.Name)
	}
	if d.Persistence == to {
		return nil
	}
	a.rewriteFrom(d)
	set := func(r catalog.Row) { r.SetByte(bootstrap.ColClassRelpersistence, to) }
	rels := []*relation.Desc{d}
	if d.ToastRel != nil {
		rels = append(rels, d.ToastRel)
	}
	for _, r := range rels {
		if err := c.editClass(r.OID, set); err != nil {
			return err
		}
		for _, ix := range r.Indexes {
			if err := c.editClass(ix.OID, set); err != nil {
				return err
			}
		}
		if _, err := c.reread(r.OID); err != nil {
			return err
		}
	}
	seqs, err := c.ownedSequences(d.OID)
	if err != nil {
		return err
	}
	for _, oid := range seqs {
		if err := c.setSequencePersistence(oid, set); err != nil {
			return err
		}
	}
	_, err = c.reread(d.OID)
	return err
}

// setSequencePersistence gives a sequence a new file of the new kind with its state.
func (c *Context) setSequencePersistence(oid base.OID, set func(catalog.Row)) error {
	if err := c.lockRelation(oid, lock.AccessExclusive, "sequence", false); err != nil {
		return err
	}
	old, err := c.relation(oid)
	if err != nil {
		return err
	}
	st, err := c.Sequences.Read(c.Task, old)
	if err != nil {
		return err
	}
	if err := c.editClass(oid, set); err != nil {
		return err
	}
	delete(c.Session.Sequences, oid)
	return c.resetSequence(oid, st.Last, st.Called)
}

// onCommitFits refuses ON COMMIT for what is not temporary.
func onCommitFits(action pg_query.OnCommitAction, persistence byte) error {
	if persistence != relation.Temporary && action != pg_query.OnCommitAction_ONCOMMIT_NOOP &&
		action != pg_query.OnCommitAction_ON_COMMIT_ACTION_UNDEFINED {
		return pgerror.New(pgerror.InvalidTableDefinition, "ON COMMIT can only be used on temporary tables")
	}
	return nil
}

// onCommit remembers what becomes of a temporary table when a transaction ends.
func (c *Context) onCommit(oid base.OID, action pg_query.OnCommitAction) {
	drop := action == pg_query.OnCommitAction_ONCOMMIT_DROP
	if drop || action == pg_query.OnCommitAction_ONCOMMIT_DELETE_ROWS {
		c.Session.Temp.OnCommit = append(c.Session.Temp.OnCommit, session.OnCommit{Table: oid, Drop: drop})
	}
}

// OnCommit does what ON COMMIT of the session's temporary tables asks for, at the end of the transaction's work.
func OnCommit(c *Context) error {
	keep := c.Session.Temp.OnCommit[:0:0]
	for _, o := range c.Session.Temp.OnCommit {
		d, err := c.View.Relation(o.Table)
		if err != nil {
			return err
		}
		switch {
		case d == nil: // dropped, or its creation rolled back
			continue
		case o.Drop:
			err = c.drop([]object{relObject(o.Table)}, dropOptions{cascade: true, quiet: true})
		default:
			keep = append(keep, o)
			err = c.emptyTemporary(d)
		}
		if err != nil {
			return err
		}
	}
	c.Session.Temp.OnCommit = keep
	return nil
}

// emptyTemporary removes the rows of a temporary table in place: nobody else can see them, and no log needs to know.
func (c *Context) emptyTemporary(d *relation.Desc) error {
	t := c.Opened.Table(d)
	n, err := t.Blocks()
	if err != nil || n == 0 {
		return err
	}
	if err := t.Empty(); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if err := c.Opened.Tree(ix, false).Empty(c.Task); err != nil {
			return err
		}
	}
	if d.ToastRel != nil {
		return c.emptyTemporary(d.ToastRel)
	}
	return nil
}
