package command

import (
	"reflect"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sysfuncs"
)

func typeName(v any) string { return reflect.TypeOf(v).Elem().Name() }

func lockStmt(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetLockStmt()
	if c.Top {
		return "", pgerror.New(pgerror.NoActiveSQLTransaction, "LOCK TABLE can only be used in transaction blocks")
	}
	for _, n := range s.Relations {
		rv := n.GetRangeVar()
		oid, err := c.findRelation(rv)
		if err != nil {
			return "", err
		}
		if oid == 0 {
			return "", pgerror.Newf(pgerror.UndefinedTable, "relation \"%s\" does not exist", shown(rv))
		}
		d, err := c.relation(oid)
		if err != nil {
			return "", err
		}
		if d.Kind != relation.KindTable && d.Kind != relation.KindView {
			return "", pgerror.Newf(pgerror.WrongObjectType, "cannot lock relation \"%s\"", d.Name).WithDetail(
				"This operation is not supported for %s.", plural(d.Kind))
		}
		mode := lock.Mode(s.Mode)
		if err := c.mayLock(d, mode); err != nil {
			return "", err
		}
		if err := c.lockRelation(oid, mode, d.Name, s.Nowait); err != nil {
			return "", err
		}
	}
	return "LOCK TABLE", nil
}

// mayLock fails unless a role has a privilege that LOCK in a mode asks for.
func (c *Context) mayLock(d *relation.Desc, mode lock.Mode) error {
	allowed := []sysfuncs.Priv{sysfuncs.PrivUpdate, sysfuncs.PrivDelete, sysfuncs.PrivTruncate}
	switch {
	case mode == lock.AccessShare:
		allowed = append(allowed, sysfuncs.PrivSelect)
	case mode <= lock.RowExclusive:
		allowed = append(allowed, sysfuncs.PrivInsert)
	}
	var err error
	for _, p := range allowed {
		if err = sysfuncs.CheckRelation(c.View, c.Session.Role, d.OID, uint32(p)); err == nil {
			return nil
		}
	}
	return err
}

func checkpoint(c *Context, _ *pg_query.Node) (string, error) {
	super, err := c.superuser()
	if err == nil && !super {
		super, err = c.memberOf("pg_checkpoint")
	}
	if err != nil {
		return "", err
	}
	if !super {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT")
	}
	return "CHECKPOINT", c.Host.Checkpoint(c.Task)
}

// memberOf tells whether the current role has the privileges of a role by name.
func (c *Context) memberOf(name string) (bool, error) {
	r, err := c.View.RoleByName(name)
	if err != nil || r == nil {
		return false, err
	}
	return c.View.MemberOf(c.Session.Role, r.OID)
}
