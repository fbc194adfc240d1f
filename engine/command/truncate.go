package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sysfuncs"
)

func truncate(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetTruncateStmt()
	seen := map[base.OID]bool{}
	var list []base.OID
	for _, n := range s.Relations {
		d, err := c.open(n.GetRangeVar(), lock.AccessExclusive, false)
		if err != nil {
			return "", err
		}
		if d.Kind != relation.KindTable {
			return "", pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table", d.Name)
		}
		if d.System && d.OID < base.FirstNormalOID {
			return "", pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system catalog", d.Name)
		}
		if err := sysfuncs.CheckRelation(c.View, c.Session.Role, d.OID, uint32(sysfuncs.PrivTruncate), nil, nil); err != nil {
			return "", err
		}
		if !seen[d.OID] {
			seen[d.OID] = true
			list = append(list, d.OID)
		}
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

// emptyTable gives a table and its indexes new, empty files.
func (c *Context) emptyTable(oid base.OID) error {
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
