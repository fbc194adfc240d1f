package command

import (
	"strconv"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/plan"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func createTableAs(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetCreateTableAsStmt()
	if s.Objtype == pg_query.ObjectType_OBJECT_MATVIEW {
		return "", pgerror.Unsupported("MATERIALIZED VIEW")
	}
	return c.tableAs(s.Query, s.Into, s.IfNotExists)
}

func selectInto(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetSelectStmt()
	into := s.IntoClause
	s.IntoClause = nil
	defer func() { s.IntoClause = into }()
	return c.tableAs(node, into, false)
}

// tableAs makes a table of a query's columns and fills it with its rows.
func (c *Context) tableAs(q *pg_query.Node, into *pg_query.IntoClause, ifNotExists bool) (string, error) {
	if !analyze.Optimizable(q) {
		return "", pgerror.Unsupported("CREATE TABLE AS EXECUTE")
	}
	schema, persistence, err := c.creationSchema(into.Rel)
	if err != nil {
		return "", err
	}
	if err := onCommitFits(into.OnCommit, persistence); err != nil {
		return "", err
	}
	if exists, err := c.exists(schema, into.Rel.Relname, ifNotExists); exists || err != nil {
		return "CREATE TABLE AS", err
	}
	opt := c.options()
	opt.Params = c.Params
	r, err := analyze.Statement(opt, q)
	if err != nil {
		return "", err
	}
	attrs, err := queryColumns(r.Query, strs(into.ColNames), "too many column names were specified")
	if err != nil {
		return "", err
	}
	options, err := relOptions(into.Options, heapOptions())
	if err != nil {
		return "", err
	}
	p, err := c.Plan(r.Query)
	if err != nil {
		return "", err
	}
	if err := c.admit(p); err != nil {
		return "", err
	}
	space, err := c.spaceFor(into.TableSpaceName, persistence)
	if err != nil {
		return "", err
	}
	d := &definition{space: space, name: into.Rel.Relname, schema: schema, kind: relation.KindTable, persistence: persistence,
		owner: c.Session.Role, attributes: attrs, options: options, method: bootstrap.MethodHeap, hasType: true}
	oid, err := c.define(d)
	if err == nil {
		c.onCommit(oid, into.OnCommit)
	}
	if err != nil || into.SkipData {
		return "CREATE TABLE AS", err
	}
	desc, err := c.relation(oid)
	if err != nil {
		return "", err
	}
	n, err := c.insertRows(desc, p)
	return "SELECT " + strconv.FormatInt(n, 10), err
}

// admit takes the locks of a plan and checks privileges.
func (c *Context) admit(p *plan.Statement) error {
	for _, k := range p.Locks {
		if err := c.lockRelation(k.Relation, lock.Mode(k.Mode), "relation", false); err != nil {
			return err
		}
	}
	return sysfuncs.CheckPlan(c.View, c.Session.Role, p.Checks)
}

// insertRows writes the rows of a plan to a table and gives their number.
func (c *Context) insertRows(d *relation.Desc, p *plan.Statement) (int64, error) {
	in, err := c.Builder.NewInstance(p, false)
	if err != nil {
		return 0, err
	}
	target, err := c.Builder.NewTarget(d, nil)
	if err != nil {
		return 0, err
	}
	x := c.NewExec()
	env := in.Env()
	env.Ctx, env.External, env.Values = x.Eval.Ctx, c.Values, x.Eval.Values
	if err := in.Start(x); err != nil {
		in.Stop()
		return 0, err
	}
	defer in.Stop()
	target.Reset(x)
	n := int64(0)
	var rows [][]types.Datum
	for {
		b, err := in.Next(x, vector.BatchSize)
		if err != nil || b == nil {
			return n, err
		}
		rows = rows[:0]
		for k := range b.Live() {
			row := make([]types.Datum, len(d.Columns))
			for i := range row {
				row[i] = b.Cols[i].Get(b.Lane(k))
			}
			rows = append(rows, row)
		}
		if err := target.InsertMany(x, rows); err != nil {
			return n, err
		}
		n += int64(len(rows))
	}
}
