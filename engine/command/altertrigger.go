package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// firing gives the tgenabled that a sub-command of ALTER TABLE sets; zero for the others.
func firing(t pg_query.AlterTableType) byte {
	switch t {
	case pg_query.AlterTableType_AT_EnableTrig, pg_query.AlterTableType_AT_EnableTrigAll, pg_query.AlterTableType_AT_EnableTrigUser:
		return relation.FiresOnOrigin
	case pg_query.AlterTableType_AT_EnableReplicaTrig:
		return relation.FiresOnReplica
	case pg_query.AlterTableType_AT_EnableAlwaysTrig:
		return relation.FiresAlways
	case pg_query.AlterTableType_AT_DisableTrig, pg_query.AlterTableType_AT_DisableTrigAll, pg_query.AlterTableType_AT_DisableTrigUser:
		return relation.FiresNever
	}
	return 0
}

// enableTriggers is ENABLE and DISABLE TRIGGER of one trigger, of all, or of those that are not a constraint's. Foreign keys act by
// their triggers; deferrable unique and exclusion constraints are checked whatever theirs say.
func (c *Context) enableTriggers(d *relation.Desc, cmd *pg_query.AlterTableCmd) error {
	user := cmd.Subtype == pg_query.AlterTableType_AT_EnableTrigUser || cmd.Subtype == pg_query.AlterTableType_AT_DisableTrigUser
	super, err := c.superuser()
	if err != nil {
		return err
	}
	var chosen []base.OID
	found := false
	err = c.View.Scan(bootstrap.RelTrigger, bootstrap.IdxTriggerTgrelidTgnameIndex, []types.Datum{oidKey(d.OID)}, func(_ base.TID, r catalog.Row) error {
		name, internal := r.Text(bootstrap.ColTriggerTgname), r.Bool(bootstrap.ColTriggerTgisinternal)
		if cmd.Name != "" && cmd.Name != name {
			return nil
		}
		found = true
		if internal && user {
			return nil
		}
		if internal && !super {
			return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system trigger", name)
		}
		if r.Byte(bootstrap.ColTriggerTgenabled) != firing(cmd.Subtype) {
			chosen = append(chosen, r.OID(bootstrap.ColTriggerOid))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if cmd.Name != "" && !found {
		return pgerror.Newf(pgerror.UndefinedObject, "trigger \"%s\" for table \"%s\" does not exist", cmd.Name, d.Name)
	}
	for _, oid := range chosen {
		err := c.editRow(bootstrap.RelTrigger, bootstrap.IdxTriggerOidIndex, func(r catalog.Row) {
			r.SetByte(bootstrap.ColTriggerTgenabled, firing(cmd.Subtype))
		}, oidKey(oid))
		if err != nil {
			return err
		}
	}
	return nil
}
