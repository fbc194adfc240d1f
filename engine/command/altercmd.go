package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
)

// command runs one sub-command.
func (a *alteration) command(cmd *pg_query.AlterTableCmd) error {
	c := a.c
	d, err := c.relation(a.oid)
	if err != nil {
		return err
	}
	switch cmd.Subtype {
	case pg_query.AlterTableType_AT_AddConstraint:
		return a.addConstraint(d, cmd.Def.GetConstraint())
	}
	return pgerror.Unsupported("ALTER TABLE sub-command %s", cmd.Subtype)
}
