package analyze

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// maxViews bounds how deep views may refer to views.
const maxViews = 64

// RelationEntry makes the range entry of a relation.
func RelationEntry(rel *relation.Desc) *query.RangeEntry {
	e := &query.RangeEntry{Kind: query.RangeRelation, Alias: rel.Name, Rel: rel, RelOID: rel.OID}
	for i := range rel.Columns {
		c := &rel.Columns[i]
		e.Columns = append(e.Columns, query.RangeColumn{Name: c.Name, Type: c.Type, Typmod: c.Typmod, Collation: c.Collation, Dropped: c.Dropped})
	}
	return e
}

// expandView turns the range entry of a view into the sub-select it stands for.
func (a *analyzer) expandView(e *query.RangeEntry) error {
	if a.views++; a.views > maxViews {
		return pgerror.Newf(pgerror.InvalidObjectDefinition, "infinite recursion detected in rules for relation \"%s\"", e.Rel.Name)
	}
	defer func() { a.views-- }()
	q, err := ViewQuery(a.view, e.Rel.OID)
	if err != nil {
		return err
	}
	if err := a.bind(q, e.Rel.Owner); err != nil {
		return err
	}
	e.Kind, e.Sub = query.RangeSubquery, q
	return nil
}

// ViewQuery gives the stored query of a view; its range entries have OIDs and no descriptors yet.
func ViewQuery(v *catalog.View, oid base.OID) (*query.Query, error) {
	var text string
	err := v.Scan(bootstrap.RelRewrite, bootstrap.IdxRewriteRelRulenameIndex, []types.Datum{types.Int(int64(oid))}, func(_ base.TID, r catalog.Row) error {
		if r.Text(bootstrap.ColRewriteRulename) == "_RETURN" {
			text = r.Text(bootstrap.ColRewriteEvAction)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, pgerror.Newf(pgerror.InternalError, "view %d has no query", oid)
	}
	return query.UnmarshalQuery(text)
}

// bind gives the range entries of a stored query the descriptors of today, and expands the views among them.
func (a *analyzer) bind(q *query.Query, owner base.OID) error {
	for _, r := range q.Range {
		if r.RelOID == 0 {
			continue
		}
		rel, err := a.view.Relation(r.RelOID)
		if err != nil {
			return err
		}
		if rel == nil {
			return pgerror.Newf(pgerror.UndefinedTable, "relation with OID %d does not exist", r.RelOID)
		}
		r.Rel, r.CheckAs = rel, owner
		if rel.Kind == relation.KindView {
			r.Sub = nil
			if err := a.expandView(r); err != nil {
				return err
			}
		}
	}
	var failure error
	q.EachQuery(func(sub *query.Query) {
		if failure == nil {
			failure = a.bindInner(q, sub, owner)
		}
	})
	return failure
}

// bindInner binds a query inside a stored one, but not the expansion of a view, which is bound already.
func (a *analyzer) bindInner(outer, sub *query.Query, owner base.OID) error {
	for _, r := range outer.Range {
		if r.Sub == sub && r.RelOID != 0 {
			return nil
		}
	}
	return a.bind(sub, owner)
}

// defaultArgs gives the default expressions of a function's trailing parameters.
func (a *analyzer) defaultArgs(p *catalog.Proc) ([]query.Expr, error) {
	stmts, err := parse.Parse("SELECT " + p.Defaults)
	if err != nil {
		return nil, err
	}
	inner := &analyzer{opt: &Options{View: a.view, SearchPath: []base.OID{bootstrap.NamespacePgCatalog}, Env: a.opt.Env}, view: a.view}
	s := inner.newState(nil)
	s.clause = clause{name: "DEFAULT arguments", plain: true}
	var out []query.Expr
	for _, t := range stmts[0].Node.GetSelectStmt().GetTargetList() {
		e, err := s.expr(t.GetResTarget().GetVal())
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
