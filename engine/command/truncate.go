package command

import (
	"cmp"
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/session"
	"manifold/engine/sysfuncs"
)

func truncate(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetTruncateStmt()
	var list []base.OID
	for _, n := range s.Relations {
		d, err := c.open(n.GetRangeVar(), lock.AccessExclusive, false)
		if err != nil {
			return "", err
		}
		if d.Kind != relation.KindTable {
			return "", pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table", d.Name)
		}
		if slices.Contains(list, d.OID) {
			continue
		}
		if err := c.mayTruncate(d); err != nil {
			return "", err
		}
		list = append(list, d.OID)
	}
	list, err := c.truncateReferrers(list, s.Behavior == pg_query.DropBehavior_DROP_CASCADE)
	if err != nil {
		return "", err
	}
	for _, oid := range list {
		if err := c.emptyTable(oid); err != nil {
			return "", err
		}
		if s.RestartSeqs {
			if err := c.restartOwned(oid); err != nil {
				return "", err
			}
		}
	}
	return "TRUNCATE TABLE", nil
}

func (c *Context) mayTruncate(d *relation.Desc) error {
	if d.System && d.OID < base.FirstNormalOID {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system catalog", d.Name)
	}
	if err := sysfuncs.CheckRelation(c.View, c.Session.Role, d.OID, uint32(sysfuncs.PrivTruncate)); err != nil {
		return err
	}
	return c.notPending(d, "TRUNCATE")
}

// truncateReferrers adds the tables that refer to those of the list with CASCADE, and refuses to leave them behind without.
func (c *Context) truncateReferrers(list []base.OID, cascade bool) ([]base.OID, error) {
	if !cascade {
		return list, c.refuseReferrers(list)
	}
	known := slices.Clone(list)
	for {
		more, err := c.referrers(list, known)
		if err != nil || len(more) == 0 {
			return list, err
		}
		for _, r := range more {
			if err := c.lockRelation(r.Table, lock.AccessExclusive, r.Name, false); err != nil {
				return nil, err
			}
			child, err := c.View.Relation(r.Table)
			if err != nil {
				return nil, err
			}
			known = append(known, r.Table)
			if child == nil {
				continue
			}
			c.notice(pgerror.SuccessfulCompletion, "truncate cascades to table \"%s\"", child.Name)
			if err := c.mayTruncate(child); err != nil {
				return nil, err
			}
			list = append(list, child.OID)
		}
	}
}

// refuseReferrers fails when a table that is not of the list refers to one that is.
func (c *Context) refuseReferrers(list []base.OID) error {
	for i := range list {
		left, err := c.referrers(list[i:i+1], list)
		if err != nil {
			return err
		}
		for _, r := range left {
			child, err := c.View.Relation(r.Table)
			if err != nil {
				return err
			}
			parent, err := c.relation(list[i])
			if err != nil {
				return err
			}
			if child == nil {
				continue
			}
			return pgerror.New(pgerror.FeatureNotSupported, "cannot truncate a table referenced in a foreign key constraint").
				WithDetail("Table \"%s\" references \"%s\".", child.Name, parent.Name).
				WithHint("Truncate table \"%s\" at the same time, or use TRUNCATE ... CASCADE.", child.Name)
		}
	}
	return nil
}

// referrers gives a foreign key for each table that refers to one of parents and is not of known, by the tables' OIDs.
func (c *Context) referrers(parents, known []base.OID) ([]*relation.ForeignKey, error) {
	var out []*relation.ForeignKey
	for _, p := range parents {
		d, err := c.relation(p)
		if err != nil {
			return nil, err
		}
		for _, k := range d.Referrers {
			if !slices.Contains(known, k.Table) {
				out = append(out, k)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *relation.ForeignKey) int { return cmp.Compare(a.Table, b.Table) })
	return slices.CompactFunc(out, func(a, b *relation.ForeignKey) bool { return a.Table == b.Table }), nil
}

// checkSerial looks for SERIALIZABLE transactions that have read anything of a table that is about to be emptied.
func (c *Context) checkSerial(oid base.OID) error {
	if c.Session.Tx.Isolation != session.Serializable {
		return nil
	}
	c.NewExec() // the snapshot, when this is the first statement
	if x := c.Tx.Serial(); x != nil {
		return x.WriteAll(c.Session.Database.OID, oid)
	}
	return nil
}

// emptyTable gives a table and its indexes new, empty files.
func (c *Context) emptyTable(oid base.OID) error {
	if err := c.checkSerial(oid); err != nil {
		return err
	}
	d, err := c.newFile(oid)
	if err != nil {
		return err
	}
	if err := c.makeHeap(d); err != nil {
		return err
	}
	if err := c.newToastFile(d); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if _, err := c.newFile(ix.OID); err != nil {
			return err
		}
	}
	if d, err = c.reread(oid); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if err := c.Opened.Tree(ix, d.Logged()).Create(c.Task, c.Tx); err != nil {
			return err
		}
	}
	reset := func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelpages, 0)
		r.SetFloat(bootstrap.ColClassReltuples, -1)
		r.SetInt(bootstrap.ColClassRelallvisible, 0)
	}
	return c.editClass(oid, reset)
}

// reread reads a table's descriptor after its indexes changed, which the table's own entry in a cache does not notice.
func (c *Context) reread(oid base.OID) (*relation.Desc, error) {
	if c.Editor.Changed != nil {
		inv := &catalog.Invalidation{Relations: []base.OID{oid}}
		inv.Groups[catalog.GroupRelations] = true
		c.Editor.Changed(inv)
	}
	return c.relation(oid)
}

// ownedSequences gives the sequences that belong to a table's columns.
func (c *Context) ownedSequences(table base.OID) ([]base.OID, error) {
	deps, err := c.dependents(relObject(table))
	if err != nil {
		return nil, err
	}
	var out []base.OID
	for _, dep := range deps {
		if dep.object.class != bootstrap.RelClass || dep.on.sub == 0 || dep.kind == depNormal {
			continue
		}
		d, err := c.View.Relation(dep.object.oid)
		if err != nil {
			return nil, err
		}
		if d != nil && d.Kind == relation.KindSequence {
			out = append(out, d.OID)
		}
	}
	return out, nil
}

func (c *Context) restartOwned(table base.OID) error {
	seqs, err := c.ownedSequences(table)
	if err != nil {
		return err
	}
	for _, oid := range seqs {
		if err := c.lockRelation(oid, lock.AccessExclusive, "sequence", false); err != nil {
			return err
		}
		d, err := c.readSequence(oid)
		if err != nil {
			return err
		}
		delete(c.Session.Sequences, oid)
		if err := c.resetSequence(oid, d.Start, false); err != nil {
			return err
		}
	}
	return nil
}
