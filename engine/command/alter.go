package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec/eval"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
)

// alteration is one ALTER TABLE under way: what its sub-commands leave to be done by one pass over the rows.
type alteration struct {
	c       *Context
	oid     base.OID
	name    string
	checks  []addedCheck
	notNull []int
	values  map[int]query.Expr     // new values by attribute: the table is rewritten
	old     *relation.Desc         // the table before the first change that rewrites it; nil: no rewrite
	rekeyed []*relation.ForeignKey // of columns with another type
	foreign []*relation.ForeignKey // to be checked against the rows
	keys    []*indexSpec           // of new columns, to be built when the rows have their values
}

func alterTable(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterTableStmt()
	tag := "ALTER " + objectWords(s.Objtype)
	d, err := c.open(s.Relation, alterMode(s.Cmds), s.MissingOk)
	if err != nil {
		return "", err
	}
	if d == nil {
		c.notice(pgerror.SuccessfulCompletion, "relation \"%s\" does not exist, skipping", s.Relation.Relname)
		return tag, nil
	}
	if err := c.mustOwn(d); err != nil {
		return "", err
	}
	if err := c.notPending(d, "ALTER TABLE"); err != nil {
		return "", err
	}
	a := &alteration{c: c, oid: d.OID, name: d.Name, values: map[int]query.Expr{}}
	for pass := 0; pass < alterPasses; pass++ {
		for _, n := range s.Cmds {
			cmd := n.GetAlterTableCmd()
			if alterPass(cmd.Subtype) != pass {
				continue
			}
			if err := a.command(cmd); err != nil {
				return "", err
			}
		}
	}
	return tag, a.finish()
}

// alterMode gives the lock that all sub-commands together need.
func alterMode(cmds []*pg_query.Node) lock.Mode {
	mode := lock.ShareUpdateExclusive
	for _, n := range cmds {
		mode = max(mode, commandMode(n.GetAlterTableCmd()))
	}
	return mode
}

// commandMode gives the weakest lock under which a sub-command can do its work beside others.
func commandMode(cmd *pg_query.AlterTableCmd) lock.Mode {
	switch cmd.Subtype {
	case pg_query.AlterTableType_AT_ValidateConstraint, pg_query.AlterTableType_AT_SetStatistics, pg_query.AlterTableType_AT_ClusterOn,
		pg_query.AlterTableType_AT_DropCluster:
		return lock.ShareUpdateExclusive
	case pg_query.AlterTableType_AT_SetRelOptions, pg_query.AlterTableType_AT_ResetRelOptions:
		for _, n := range cmd.Def.GetList().GetItems() {
			switch n.GetDefElem().Defname {
			case "user_catalog_table", "security_barrier", "security_invoker", "check_option":
				return lock.AccessExclusive
			}
		}
		return lock.ShareUpdateExclusive
	case pg_query.AlterTableType_AT_AddConstraint:
		if cmd.Def.GetConstraint().GetContype() == pg_query.ConstrType_CONSTR_FOREIGN {
			return lock.ShareRowExclusive
		}
	}
	if firing(cmd.Subtype) != 0 {
		return lock.ShareRowExclusive
	}
	return lock.AccessExclusive
}

const alterPasses = 5

// alterPass orders sub-commands: what drops goes first, then types, then new columns, then what refers to columns, then
// constraints over their final values.
func alterPass(t pg_query.AlterTableType) int {
	switch t {
	case pg_query.AlterTableType_AT_DropColumn, pg_query.AlterTableType_AT_DropConstraint, pg_query.AlterTableType_AT_DropNotNull,
		pg_query.AlterTableType_AT_DropIdentity, pg_query.AlterTableType_AT_DropExpression:
		return 0
	case pg_query.AlterTableType_AT_AlterColumnType:
		return 1
	case pg_query.AlterTableType_AT_AddColumn:
		return 2
	case pg_query.AlterTableType_AT_AddConstraint, pg_query.AlterTableType_AT_SetNotNull, pg_query.AlterTableType_AT_ValidateConstraint:
		return 4
	}
	return 3
}

// setNotNull marks columns NOT NULL once a scan has found no null in them.
func (c *Context) setNotNull(d *relation.Desc, cols []int) error {
	if len(cols) == 0 {
		return nil
	}
	if err := c.validate(d, nil, cols); err != nil {
		return err
	}
	for _, a := range cols {
		if err := c.editAttribute(d.OID, a, func(r catalog.Row) { r.SetBool(bootstrap.ColAttributeAttnotnull, true) }); err != nil {
			return err
		}
	}
	return nil
}

// validate reads a table and fails when a row violates a check or has a null in one of the columns.
func (c *Context) validate(d *relation.Desc, checks []addedCheck, notNull []int) error {
	var exprs []query.Expr
	var names []string
	for _, k := range checks {
		if !k.skip {
			exprs, names = append(exprs, k.expr), append(names, k.name)
		}
	}
	if len(exprs)+len(notNull) == 0 {
		return nil
	}
	programs, err := c.rowPrograms(exprs)
	if err != nil {
		return err
	}
	s, err := c.scanTable(d, false)
	if err != nil {
		return err
	}
	for {
		more, err := s.next()
		if err != nil || !more {
			return err
		}
		for _, a := range notNull {
			v := &s.batch.Cols[a-1]
			for i := range s.n {
				if v.IsNull(i) {
					return nullsIn(d, a)
				}
			}
		}
		if err := checkBatch(d, s, programs, names); err != nil {
			return err
		}
	}
}

func nullsIn(d *relation.Desc, attr int) error {
	name := d.Columns[attr-1].Name
	return pgerror.Newf(pgerror.NotNullViolation, "column \"%s\" of relation \"%s\" contains null values", name, d.Name).
		WithTable(d.Schema, d.Name).WithColumn(name)
}

func checkBatch(d *relation.Desc, s *tableScan, programs []eval.Node, names []string) error {
	for k, p := range programs {
		v, err := p.Eval(&s.frame, nil, s.n)
		if err != nil {
			return err
		}
		for i := range s.n {
			if !v.IsNull(i) && v.Fixed[i] == 0 {
				return pgerror.Newf(pgerror.CheckViolation, "check constraint \"%s\" of relation \"%s\" is violated by some row", names[k], d.Name).
					WithTable(d.Schema, d.Name).WithConstraint(names[k])
			}
		}
	}
	return nil
}
