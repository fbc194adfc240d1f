package optimize

import (
	"math"

	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// projectSets evaluates the set-returning functions of the targets, innermost first.
func (l *level) projectSets(b built, exprs []query.Expr) built {
	for range 10 {
		var sets []query.Expr
		for _, e := range exprs {
			l.nextSets(b, e, &sets)
		}
		if len(sets) == 0 {
			return b
		}
		cols := append(append([]query.Expr(nil), b.cols...), sets...)
		n := &plan.ProjectSet{Child: b.node}
		for _, e := range cols {
			if i := l.find(b.cols, e); i >= 0 {
				n.Exprs = append(n.Exprs, colOf(e, query.Outer, i))
			} else {
				n.Exprs = append(n.Exprs, l.translateCall(e, b.cols))
			}
		}
		c := b.node.Common()
		rows := 1.0
		for _, e := range sets {
			if f, ok := e.(*query.FuncExpr); ok {
				rows = math.Max(rows, l.proc(f.Func).Rows)
			}
		}
		b = l.finish(built{n, cols}, c.Startup, c.Total+c.Rows*rows*l.set.CPUTupleCost, c.Rows*rows)
	}
	l.unsupported("set-returning functions nested more than ten deep")
	return b
}

// nextSets collects the calls of an expression whose arguments hold no set that is still to be evaluated.
func (l *level) nextSets(b built, e query.Expr, out *[]query.Expr) bool {
	if l.find(b.cols, e) >= 0 {
		return false
	}
	inside := false
	query.EachChild(e, func(p *query.Expr) { inside = l.nextSets(b, *p, out) || inside })
	if inside {
		return true
	}
	if isSRF(e) {
		if l.find(*out, e) < 0 {
			*out = append(*out, e)
		}
		return true
	}
	return false
}

// translateCall translates the arguments of a call that is itself no column yet.
func (l *level) translateCall(e query.Expr, cols []query.Expr) query.Expr {
	c := query.Copy(e)
	query.EachChild(c, func(p *query.Expr) { *p = l.translate(*p, cols, nil) })
	return c
}
