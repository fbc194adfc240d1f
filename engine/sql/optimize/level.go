package optimize

import (
	"math"

	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// maxDepth bounds the nesting of query levels.
const maxDepth = 200

// level is the planning of one query level.
type level struct {
	*planner
	parent *level
	q      *query.Query // private
	rels   []*rel       // by range table index; entry zero is unused
	needs  []need
	nests  []*nest
	ctes   map[*query.CTE]*cteInfo
	multi  map[int]query.Expr // SubMulti links done, by ID
	eager  bool               // only the first rows may be read: start-up costs matter
	memo   map[query.Expr]*facts
	plain  bool         // aggregates are computed from all rows
	known  []query.Expr // expressions that are equal to a constant in every row
	scans  map[int]int  // statement-wide numbers of scanned relations, by range table index
	wanted [][]orderKey // orders of rows that would save a sort
	runs   []runCondition
}

// facts are what a join search asks again and again about a condition or an operand.
type facts struct {
	rels relset
	sel  float64
	cost float64
}

// factsOf keeps facts by the node's address while joins are searched.
func (l *level) factsOf(e query.Expr) *facts {
	f := l.memo[e]
	if f == nil {
		f = &facts{rels: exprRels(e), sel: -1, cost: -1}
		if l.memo == nil {
			l.memo = map[query.Expr]*facts{}
		}
		l.memo[e] = f
	}
	return f
}

func (l *level) relsOf(e query.Expr) relset { return l.factsOf(e).rels }

// need is an executor parameter that the plan of a level reads: its value is expr, at level owner.
type need struct {
	param *query.Param
	owner *level
	expr  query.Expr
}

// nest is a nested loop being built: the parameters that its inner side reads from its outer side.
type nest struct {
	rels relset
	sets []plan.ParamSet
}

type cteInfo struct {
	index int // in plan.Statement.CTEs
	table int // work table of a recursive query
	needs []need
	rows  float64
	width int
	cost  float64
}

// built is a finished node with what its output columns are in terms of the level's expressions.
type built struct {
	node plan.Node
	cols []query.Expr
}

func (p *planner) newLevel(parent *level, q *query.Query) *level {
	return &level{planner: p, parent: parent, q: q, ctes: map[*query.CTE]*cteInfo{}, multi: map[int]query.Expr{}}
}

// plan plans the level. Its columns are those the query shows. Fraction is what is expected to be read: below one a share of
// the rows, from one on a number of rows, zero for all.
func (l *level) plan(fraction float64) built {
	if l.depth++; l.depth > maxDepth {
		l.fail(pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded"))
	}
	defer func() { l.depth-- }()
	if l.err != nil {
		return l.empty()
	}
	if len(l.q.GroupingSets) > 0 {
		l.unsupported("GROUPING SETS")
	}
	l.prepare()
	if l.err != nil {
		return l.empty()
	}
	var b built
	switch {
	case l.q.Command != query.Select:
		b = l.modify()
	case l.q.SetOp != nil:
		b = l.setOperation(fraction)
	default:
		b = l.selectPlan(fraction)
	}
	if l.err != nil {
		return l.empty()
	}
	return b
}

// empty is what a failed planning answers, so that callers need no checks.
func (l *level) empty() built { return built{node: &plan.Result{}} }

// prepare flattens the query and brings its expressions into their final form.
func (l *level) prepare() {
	l.inlineCTEs()
	l.planCTEs()
	l.pullUpSubLinks()
	l.pullUpSubqueries()
	l.q.From = l.flattenRight(l.q.From)
	l.q.EachExpr(func(p *query.Expr) { *p = l.simplify(*p) })
	l.q.Where = dropTrue(l.q.Where)
	dropTrueOn(l.q.From)
	if l.q.HasAggs || len(l.q.GroupBy) > 0 {
		l.q.Having = dropTrue(l.q.Having) // else it is what makes the query grouped
	}
	l.havingToWhere()
	l.reduceOuterJoins()
	l.q.EachExpr(func(p *query.Expr) { *p = l.outerRefs(*p) })
	if l.err != nil {
		return
	}
	if len(l.q.Range) >= maxRels {
		l.fail(pgerror.Newf(pgerror.StatementTooComplex, "too many range table entries"))
		return
	}
	l.q.EachExpr(func(p *query.Expr) { *p = l.subLinks(*p) })
	l.rels = make([]*rel, len(l.q.Range)+1)
}

// outerRefs replaces references to outer levels by executor parameters.
func (l *level) outerRefs(e query.Expr) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		switch x := x.(type) {
		case *query.Const:
			return x, true
		case *query.Var:
			if x.Up > 0 {
				return l.outerParam(x, x.Up), true
			}
		case *query.Aggref:
			if x.Up > 0 {
				return l.outerParam(x, x.Up), true
			}
		case *query.Grouping:
			l.unsupported("GROUPING")
		}
		return nil, false
	})
}

// outerParam gives the parameter that carries an expression of an outer level.
func (l *level) outerParam(e query.Expr, up int) query.Expr {
	owner, child := l, l
	for range up {
		if owner.parent == nil {
			l.fail(pgerror.Newf(pgerror.InternalError, "reference to a missing query level"))
			return e
		}
		child, owner = owner, owner.parent
	}
	low := shiftExpr(e, up, -up)
	var param *query.Param
	for i := range child.needs {
		if n := &child.needs[i]; n.owner == owner && same(n.expr, low) {
			param = n.param
		}
	}
	if param == nil {
		param = l.param(e)
	}
	for at := l; ; at = at.parent {
		at.addNeed(need{param: param, owner: owner, expr: low})
		if at == child {
			return param
		}
	}
}

func (l *level) addNeed(n need) {
	for _, o := range l.needs {
		if o.param.N == n.param.N {
			return
		}
	}
	l.needs = append(l.needs, n)
}

// own gives the parameters that an inner level takes from this one.
func (l *level) own(needs []need) []plan.ParamSet {
	var out []plan.ParamSet
	for _, n := range needs {
		if n.owner == l {
			out = append(out, plan.ParamSet{N: n.param.N, Value: l.subLinks(l.outerRefs(n.expr))})
		}
	}
	return out
}

// finishBase fills the parts that all nodes have.
func (l *level) finish(b built, startup, total, rows float64) built {
	c := b.node.Common()
	c.Startup, c.Total, c.Rows = startup, total, clampRows(rows)
	l.describeOut(b)
	return b
}

// describeOut fills the output columns of a node.
func (l *level) describeOut(b built) {
	c := b.node.Common()
	c.Out = make([]plan.Column, len(b.cols))
	c.Width = 0
	for i, e := range b.cols {
		c.Out[i] = plan.Column{Type: e.Type(), Typmod: e.Typmod(), Fixed: l.fixed(e.Type())}
		if v, ok := e.(*query.Var); ok && v.Up == 0 && v.RTE > 0 && v.RTE <= len(l.q.Range) {
			c.Out[i].Name = columnName(l.q.Range[v.RTE-1], v.Attr)
		}
		c.Width += l.width(e)
	}
}

func columnName(r *query.RangeEntry, attr int) string {
	if attr > 0 && attr <= len(r.Columns) {
		return r.Columns[attr-1].Name
	}
	return ""
}

// over makes a node above another one that keeps its columns, at an extra cost.
func (l *level) over(n plan.Node, below built, extraStartup, extra, rows float64) built {
	c := below.node.Common()
	return l.finish(built{n, below.cols}, c.Startup+extraStartup, c.Total+extra, rows)
}

func clampRows(r float64) float64 {
	if math.IsNaN(r) || r < 1 {
		return 1
	}
	return math.RoundToEven(min(r, 1e100))
}
