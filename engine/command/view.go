package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

func createView(c *Context, node *pg_query.Node) (string, error) {
	const tag = "CREATE VIEW"
	s := node.GetViewStmt()
	if s.WithCheckOption != pg_query.ViewCheckOption_NO_CHECK_OPTION && s.WithCheckOption != 0 {
		return "", pgerror.Unsupported("WITH CHECK OPTION")
	}
	if s.Query.GetSelectStmt() == nil {
		return "", pgerror.New(pgerror.SyntaxError, "views must be made by SELECT or VALUES")
	}
	if s.Query.GetSelectStmt().GetIntoClause() != nil {
		return "", pgerror.New(pgerror.FeatureNotSupported, "views must not contain SELECT INTO")
	}
	r, err := analyze.Statement(c.options(), s.Query)
	if err != nil {
		return "", err
	}
	attrs, err := queryColumns(r.Query, strs(s.Aliases), "CREATE VIEW specifies more column names than columns")
	if err != nil {
		return "", err
	}
	options, err := relOptions(s.Options, viewOptions())
	if err != nil {
		return "", err
	}
	rv := s.View
	if rv.Relpersistence != "t" && c.usesTemporary(r.Query) {
		rv.Relpersistence = "t"
		c.notice(pgerror.SuccessfulCompletion, "view \"%s\" will be a temporary view", rv.Relname)
	}
	if rv.Relpersistence == "u" {
		return "", pgerror.New(pgerror.SyntaxError, "views cannot be unlogged because they do not have storage")
	}
	schema, persistence, err := c.creationSchema(rv)
	if err != nil {
		return "", err
	}
	objects := queryObjects(r.Query)
	old, err := c.View.RelationByName(schema, rv.Relname)
	if err != nil {
		return "", err
	}
	if old != 0 && s.Replace {
		return tag, c.replaceView(old, attrs, options, r.Query, objects)
	}
	d := &definition{name: rv.Relname, schema: schema, kind: relation.KindView, persistence: persistence, owner: c.Session.Role,
		attributes: attrs, options: options, hasType: true}
	oid, err := c.define(d)
	if err != nil {
		return "", err
	}
	return tag, c.insertRule(oid, r.Query, objects)
}

// queryColumns gives the columns that a query's result makes, under other names where they are given.
func queryColumns(q *query.Query, names []string, tooMany string) ([]attribute, error) {
	var out []attribute
	for _, t := range q.Targets {
		if t.Junk {
			continue
		}
		a := attribute{name: t.Name, typ: t.Expr.Type(), typmod: t.Expr.Typmod(), collation: t.Expr.Collation()}
		if len(out) < len(names) {
			a.name = names[len(out)]
		}
		if a.typ == types.OIDUnknown {
			a.typ = types.OIDText
		}
		if i, ok := types.Lookup(a.typ); ok && i.Kind == 'p' {
			return nil, pgerror.Newf(pgerror.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", a.name, types.Name(a.typ))
		}
		for i := range out {
			if out[i].name == a.name {
				return nil, pgerror.Newf(pgerror.DuplicateColumn, "column \"%s\" specified more than once", a.name)
			}
		}
		out = append(out, a)
	}
	if len(names) > len(out) {
		return nil, pgerror.New(pgerror.SyntaxError, tooMany)
	}
	return out, nil
}

// usesTemporary tells whether a query reads a temporary relation.
func (c *Context) usesTemporary(q *query.Query) bool {
	found := false
	var visit func(q *query.Query)
	visit = func(q *query.Query) {
		for _, r := range q.Range {
			found = found || r.Rel != nil && r.Rel.Persistence == relation.Temporary
		}
		q.EachQuery(visit)
	}
	visit(q)
	return found
}

// insertRule stores the query of a view.
func (c *Context) insertRule(view base.OID, q *query.Query, objects []object) error {
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return err
	}
	r := c.Editor.NewRow(bootstrap.RelRewrite)
	r.SetOID(bootstrap.ColRewriteOid, oid)
	r.SetText(bootstrap.ColRewriteRulename, "_RETURN")
	r.SetOID(bootstrap.ColRewriteEvClass, view)
	r.SetByte(bootstrap.ColRewriteEvType, '1')
	r.SetByte(bootstrap.ColRewriteEvEnabled, 'O')
	r.SetBool(bootstrap.ColRewriteIsInstead, true)
	r.SetText(bootstrap.ColRewriteEvQual, "<>")
	r.SetText(bootstrap.ColRewriteEvAction, query.MarshalQuery(q))
	if _, err := c.Editor.Insert(bootstrap.RelRewrite, r); err != nil {
		return err
	}
	own := object{bootstrap.RelRewrite, oid, 0}
	if err := c.depend(own, relObject(view), depInternal); err != nil {
		return err
	}
	return c.dependAll(own, objects, depNormal)
}

// replaceView gives a view another query, with the same columns and perhaps more.
func (c *Context) replaceView(oid base.OID, attrs []attribute, options []string, q *query.Query, objects []object) error {
	if err := c.lockRelation(oid, lock.AccessExclusive, "view", false); err != nil {
		return err
	}
	d, err := c.relation(oid)
	if err != nil {
		return err
	}
	if d.Kind != relation.KindView {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a view", d.Name)
	}
	if err := c.mustOwn(d); err != nil {
		return err
	}
	if len(attrs) < len(d.Columns) {
		return pgerror.New(pgerror.InvalidTableDefinition, "cannot drop columns from view")
	}
	for i := range d.Columns {
		have, want := &d.Columns[i], &attrs[i]
		if have.Name != want.name {
			return pgerror.Newf(pgerror.InvalidTableDefinition, "cannot change name of view column \"%s\" to \"%s\"", have.Name, want.name).
				WithHint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.")
		}
		if have.Type != want.typ || have.Typmod != want.typmod {
			return pgerror.Newf(pgerror.InvalidTableDefinition, "cannot change data type of view column \"%s\" from %s to %s", have.Name,
				types.FormatType(have.Type, have.Typmod), types.FormatType(want.typ, want.typmod))
		}
	}
	for i := len(d.Columns); i < len(attrs); i++ {
		if err := c.insertAttribute(oid, i+1, &attrs[i]); err != nil {
			return err
		}
	}
	if err := c.editClass(oid, func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelnatts, int64(len(attrs)))
		r.Set(bootstrap.ColClassReloptions, types.Null)
		if len(options) > 0 {
			r.Set(bootstrap.ColClassReloptions, textArray(options))
		}
	}); err != nil {
		return err
	}
	rule, err := c.View.Row(bootstrap.RelRewrite, bootstrap.IdxRewriteRelRulenameIndex, oidKey(oid), types.Text("_RETURN"))
	if err != nil {
		return err
	}
	if rule != nil {
		own := object{bootstrap.RelRewrite, rule.OID(bootstrap.ColRewriteOid), 0}
		if err := c.remove(own); err != nil {
			return err
		}
	}
	return c.insertRule(oid, q, objects)
}
