package optimize

import (
	"slices"

	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

var int8T = query.T{Typ: types.OIDInt8, Mod: -1, Offset: -1}

var oneDatum = types.Int(1)

// modify plans INSERT, UPDATE and DELETE.
func (l *level) modify() built {
	q := l.q
	r := q.Range[q.Result-1]
	m := &plan.Modify{Command: q.Command, Rel: r.Rel, RTE: l.nextRTE(), Ctid: -1, Given: slices.Concat(r.InsertedCols, r.UpdatedCols)}
	var b built
	if q.Command == query.Insert {
		b = l.insertSource(m)
	} else {
		b = l.changeSource(m)
	}
	if l.err != nil {
		return l.empty()
	}
	m.Child = b.node
	cols := l.returning(m, b)
	l.rowExprs(m, r.Rel)
	l.conflict(m)
	c := b.node.Common()
	rows := c.Rows
	if len(cols) == 0 {
		rows = 0
	}
	out := l.finish(built{m, cols}, c.Startup, c.Total, c.Rows)
	m.Rows = rows
	return out
}

// insertSource plans what an INSERT inserts.
func (l *level) insertSource(m *plan.Modify) built {
	q := l.q
	var exprs []query.Expr
	for _, t := range q.Targets {
		m.Attrs = append(m.Attrs, t.Attr)
		exprs = append(exprs, t.Expr)
	}
	paths := l.joinTree(exprs)
	if l.err != nil {
		return l.empty()
	}
	need := &vars{}
	need.addAll(exprs)
	b := l.build(l.cheapest(paths, 0), need)
	if q.HasTargetSRFs {
		b = l.projectSets(b, exprs)
	}
	b = l.project(b, exprs)
	for i := range exprs {
		m.Values = append(m.Values, i)
	}
	return b
}

// changeSource plans which rows an UPDATE or DELETE changes, and the new values.
func (l *level) changeSource(m *plan.Modify) built {
	q := l.q
	var exprs []query.Expr
	for i, t := range q.Targets {
		if q.Command == query.Update {
			m.Attrs = append(m.Attrs, t.Attr)
			m.Values = append(m.Values, i)
			exprs = append(exprs, t.Expr)
		}
	}
	target := ctidVar(q.Result)
	exprs = append(exprs, target)
	m.Ctid = len(exprs) - 1
	if len(q.From) == 0 {
		q.From = []query.FromItem{&query.FromRef{RTE: q.Result}}
	}
	extra := append([]query.Expr(nil), exprs...)
	for _, v := range l.otherColumns() {
		if l.find(exprs, v) < 0 {
			exprs = append(exprs, v)
		}
	}
	all := append(extra, exprs...)
	for i, r := range q.Range {
		if r.Kind == query.RangeRelation && i+1 != q.Result {
			all = append(all, ctidVar(i+1))
		}
	}
	paths := l.joinTree(all)
	if l.err != nil {
		return l.empty()
	}
	need := &vars{}
	need.addAll(exprs)
	others := l.addresses(need, q.Result)
	exprs = append(exprs, others...)
	b := l.project(l.build(l.cheapest(paths, 0), need), exprs)
	m.RTE = l.scanRTE(l.rels[q.Result])
	for i, r := range l.rels {
		if r == nil || i == q.Result || r.entry.Kind != query.RangeRelation {
			continue
		}
		if at := l.find(b.cols, ctidVar(i)); at >= 0 {
			m.Old = append(m.Old, plan.OldRow{RTE: l.scanRTE(r), Ctid: at})
		}
	}
	return b
}

// otherColumns gives the columns of joined relations that RETURNING reads.
func (l *level) otherColumns() []query.Expr {
	v := &vars{}
	for _, t := range l.q.Returning {
		v.add(t.Expr)
	}
	var out []query.Expr
	for _, x := range v.list {
		if x.RTE != l.q.Result {
			out = append(out, x)
		}
	}
	return out
}

// attribute gives a column of a row that Modify's expressions read: column N is attribute N+1.
func (l *level) attribute(v *query.Var, d *relation.Desc, side query.Side) query.Expr {
	switch {
	case v.Attr > 0:
		return colOf(v, side, v.Attr-1)
	case v.Attr == query.AttrTableOID:
		return &query.Const{T: v.T, Value: types.Int(int64(d.OID)), Slot: -1}
	case v.Attr == 0:
		r := &query.RowExpr{T: v.T}
		for i := range d.Columns {
			c := &d.Columns[i]
			if c.Dropped {
				continue
			}
			r.Args = append(r.Args, colOf(&query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}}, side, i))
			r.Names, r.Attrs = append(r.Names, c.Name), append(r.Attrs, i+1)
		}
		return r
	}
	l.unsupported("system column of a row that is being changed")
	return v
}

// returning plans RETURNING over the changed row (Inner) and the child's row (Outer).
func (l *level) returning(m *plan.Modify, b built) []query.Expr {
	var cols []query.Expr
	for _, t := range l.q.Returning {
		if t.Junk {
			continue
		}
		cols = append(cols, t.Expr)
		m.Returning = append(m.Returning, query.Mutate(t.Expr, func(x query.Expr) (query.Expr, bool) {
			switch x := x.(type) {
			case *query.Const:
				return x, true
			case *query.Var:
				if x.RTE == l.q.Result {
					return l.attribute(x, m.Rel, query.Inner), true
				}
				return l.translate(x, b.cols, nil), true
			}
			return nil, false
		}))
	}
	return cols
}

// overRow makes an expression of a descriptor one over a row on the outer side.
func (l *level) overRow(d *relation.Desc, text string) query.Expr {
	return query.Mutate(l.simplify(l.stored(text, 1)), func(x query.Expr) (query.Expr, bool) {
		switch x := x.(type) {
		case *query.Const:
			return x, true
		case *query.Var:
			return l.attribute(x, d, query.Outer), true
		}
		return nil, false
	})
}

// rowExprs plans what is computed and checked for each new row.
func (l *level) rowExprs(m *plan.Modify, d *relation.Desc) {
	if m.Command == query.Delete {
		return
	}
	for _, c := range d.Checks {
		m.Checks = append(m.Checks, plan.Check{Name: c.Name, Expr: l.overRow(d, c.Expr)})
	}
	for i := range d.Columns {
		if d.Columns[i].Generated == 0 || d.Columns[i].Dropped {
			continue
		}
		text, err := l.opt.View.DefaultExpr(d.OID, i+1)
		l.fail(err)
		if text != "" {
			m.Generated = append(m.Generated, plan.Generated{Attr: i + 1, Expr: l.overRow(d, text)})
		}
	}
	for _, x := range d.Indexes {
		var exprs, pred []query.Expr
		for _, e := range x.Exprs {
			if e != "" {
				exprs = append(exprs, l.overRow(d, e))
			}
		}
		if x.Predicate != "" {
			pred = conjuncts(l.overRow(d, x.Predicate))
		}
		m.IndexExprs = append(m.IndexExprs, exprs)
		m.Predicates = append(m.Predicates, pred)
	}
}

// conflict plans ON CONFLICT over the existing row (Outer) and the proposed one (Inner).
func (l *level) conflict(m *plan.Modify) {
	o := l.q.Conflict
	if o == nil {
		return
	}
	c := &plan.Conflict{Update: o.Update, Indexes: o.Indexes}
	rows := func(e query.Expr) query.Expr {
		return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
			switch x := x.(type) {
			case *query.Const:
				return x, true
			case *query.Var:
				if x.RTE == o.Excluded {
					return l.attribute(x, m.Rel, query.Inner), true
				}
				return l.attribute(x, m.Rel, query.Outer), true
			}
			return nil, false
		})
	}
	for _, t := range o.Set {
		c.Attrs = append(c.Attrs, t.Attr)
		c.Set = append(c.Set, rows(t.Expr))
	}
	for _, w := range conjuncts(dropTrue(o.Where)) {
		c.Where = append(c.Where, rows(w))
	}
	m.Conflict = c
}
