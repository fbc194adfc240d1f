package optimize

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Statement plans a query. The query is shared and stays as it is.
func Statement(opt *Options, q *query.Query) (*plan.Statement, error) {
	p := &planner{opt: opt, set: opt.Settings, stmt: &plan.Statement{Command: q.Command, External: opt.Params}}
	if p.set.SeqPageCost == 0 && p.set.CPUTupleCost == 0 {
		p.set = DefaultSettings()
	}
	p.describe(q)
	c := copyQuery(q)
	levelRecursion(c)
	l := p.newLevel(nil, c)
	fraction := p.set.CursorFraction
	if fraction >= 1 {
		fraction = 0
	}
	b := l.plan(fraction)
	if p.err != nil {
		return nil, p.err
	}
	p.stmt.Root = b.node
	p.columns(q)
	p.finish()
	return p.stmt, p.err
}

// planner is the planning of one statement. A failure is kept in err, after which answers are empty.
type planner struct {
	opt    *Options
	set    Settings
	stmt   *plan.Statement
	err    error
	rtes   int
	tables int
	depth  int
	writes bool
	pinned map[int]bool
	stats  map[base.OID]*catalog.Statistics
}

func (p *planner) fail(err error) {
	if p.err == nil && err != nil {
		p.err = err
	}
}

func (p *planner) unsupported(format string, args ...any) {
	p.fail(pgerror.Unsupported(format, args...))
}

// describe records the locks and privileges of a query and all queries inside it.
func (p *planner) describe(q *query.Query) {
	for _, r := range q.Range {
		if r.RelOID == 0 || r.Kind == query.RangeResult {
			continue
		}
		mode := r.LockMode
		if mode == 0 {
			mode = 1
		}
		p.lock(r.RelOID, mode)
		if r.Privileges != 0 {
			p.stmt.Checks = append(p.stmt.Checks, plan.Privilege{Relation: r.RelOID, Bits: r.Privileges, CheckAs: r.CheckAs,
				Selected: r.SelectedCols, Inserted: r.InsertedCols, Updated: r.UpdatedCols})
		}
	}
	if q.Command != query.Select || len(q.RowMarks) > 0 {
		p.writes = true
		if len(q.RowMarks) > 0 && p.stmt.RowLock == 0 {
			p.stmt.RowLock = q.RowMarks[0].Strength
		}
	}
	q.EachQuery(p.describe)
}

func (p *planner) lock(oid base.OID, mode uint8) {
	for i := range p.stmt.Locks {
		if l := &p.stmt.Locks[i]; l.Relation == oid {
			l.Mode = max(l.Mode, mode)
			return
		}
	}
	p.stmt.Locks = append(p.stmt.Locks, plan.RelationLock{Relation: oid, Mode: mode})
}

// columns describes the result as the client sees it.
func (p *planner) columns(q *query.Query) {
	list := q.Targets
	if q.Command != query.Select {
		list = q.Returning
	}
	for _, t := range list {
		if !t.Junk {
			p.stmt.Columns = append(p.stmt.Columns, plan.ResultColumn{Name: t.Name, Type: t.Expr.Type(), Typmod: t.Expr.Typmod(), Table: t.Table, Attr: t.Col})
		}
	}
	p.stmt.ReadOnly = !p.writes
}

// finish numbers the nodes and finds the literals that stay replaceable: those that stand in the plan exactly once.
func (p *planner) finish() {
	slots := make([]*query.Const, p.opt.Literals)
	bad := make([]bool, p.opt.Literals)
	id := 0
	see := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if c, ok := x.(*query.Const); ok && c.Slot >= 0 && c.Slot < len(slots) {
				bad[c.Slot] = bad[c.Slot] || slots[c.Slot] != nil && slots[c.Slot] != c
				slots[c.Slot] = c
			}
			return true
		})
	}
	visit := func(n plan.Node) {
		b := n.Common()
		b.ID = id
		id++
		Expressions(n, see)
		if m, ok := n.(*plan.Material); ok {
			m.Params = p.paramsOf(m.Child)
		}
	}
	Walk(p.stmt.Root, visit)
	for _, s := range p.stmt.SubPlans {
		Walk(s.Root, visit)
	}
	for _, c := range p.stmt.CTEs {
		Walk(c.Root, visit)
		c.Params = p.paramsOf(c.Root)
	}
	p.stmt.Slots = make([]bool, p.opt.Literals)
	for i := range slots {
		p.stmt.Slots[i] = slots[i] != nil && !bad[i] && !p.pinned[i]
	}
}

// paramsOf gives the executor parameters that a plan reads, with its sub-plans and WITH queries, and does not set itself.
func (p *planner) paramsOf(n plan.Node) []int {
	reads := make([]bool, len(p.stmt.Params))
	sets := make([]bool, len(p.stmt.Params))
	seen := make([]bool, len(p.stmt.CTEs))
	var tree func(plan.Node)
	see := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			switch x := x.(type) {
			case *query.Param:
				if x.Exec {
					reads[x.N] = true
				}
			case *query.SubExpr:
				for _, s := range x.Params {
					sets[s.N] = true
				}
				tree(p.stmt.SubPlans[x.Plan].Root)
			}
			return true
		})
	}
	tree = func(n plan.Node) {
		Walk(n, func(n plan.Node) {
			switch n := n.(type) {
			case *plan.NestLoop:
				for _, s := range n.Params {
					sets[s.N] = true
				}
			case *plan.CTEScan:
				if !seen[n.Index] {
					seen[n.Index] = true
					tree(p.stmt.CTEs[n.Index].Root)
				}
			}
			Expressions(n, see)
		})
	}
	tree(n)
	var out []int
	for i := range reads {
		if reads[i] && !sets[i] {
			out = append(out, i)
		}
	}
	return out
}

// levelRecursion makes the levels of recursive WITH queries uniform: the analysis counts from the branches of the union
// straight to the query that holds the WITH, past the union itself.
func levelRecursion(q *query.Query) {
	q.EachQuery(levelRecursion)
	for _, c := range q.CTEs {
		if c.Recursive && c.Query.SetOp != nil {
			for _, r := range c.Query.Range {
				if r.Sub != nil {
					shiftQuery(r.Sub, 1, 1)
				}
			}
		}
	}
}

// The catalogs' facts. An object that has to exist and does not is a failure of the statement.

func (p *planner) operator(oid base.OID) *catalog.Operator {
	o, err := p.opt.View.OperatorByOID(oid)
	p.fail(err)
	if o == nil {
		return &catalog.Operator{}
	}
	return o
}

func (p *planner) proc(oid base.OID) *catalog.Proc {
	o, err := p.opt.View.ProcByOID(oid)
	p.fail(err)
	if o == nil {
		return &catalog.Proc{Volatile: 'v', Rows: 1, Cost: 1}
	}
	return o
}

func (p *planner) amops(op base.OID) []catalog.Amop {
	l, err := p.opt.View.AmopsOf(op)
	p.fail(err)
	return l
}

func (p *planner) opclass(oid base.OID) *catalog.Opclass {
	o, err := p.opt.View.OpclassByOID(oid)
	p.fail(err)
	if o == nil {
		return &catalog.Opclass{}
	}
	return o
}

func (p *planner) fixed(typ base.OID) bool { return p.typeLen(typ) > 0 }

func (p *planner) typeLen(typ base.OID) int16 {
	if i, ok := types.Lookup(typ); ok {
		return i.Len
	}
	t, err := p.opt.View.TypeByOID(typ)
	p.fail(err)
	if t == nil {
		return -1
	}
	return t.Len
}

// btreeFamily gives the btree family and strategy of an operator; zero for none. Of several the first is taken.
func (p *planner) btreeFamily(op base.OID) (base.OID, int) {
	for _, a := range p.amops(op) {
		if a.Method == bootstrap.MethodBtree {
			return a.Family, a.Strategy
		}
	}
	return 0, 0
}

// hashable tells whether an equality operator may be computed by hashing both sides.
func (p *planner) hashable(op base.OID) bool {
	if op == 0 {
		return false
	}
	o := p.operator(op)
	return o.CanHash && o.Left == o.Right
}

func (p *planner) statistics(table base.OID) *catalog.Statistics {
	if s, ok := p.stats[table]; ok {
		return s
	}
	s, err := p.opt.View.StatisticsOf(table)
	p.fail(err)
	if s == nil {
		s = &catalog.Statistics{Rows: -1}
	}
	if p.stats == nil {
		p.stats = map[base.OID]*catalog.Statistics{}
	}
	p.stats[table] = s
	return s
}

// param makes a new executor parameter.
func (p *planner) param(e query.Expr) *query.Param {
	n := len(p.stmt.Params)
	p.stmt.Params = append(p.stmt.Params, e.Type())
	return &query.Param{T: query.T{Typ: e.Type(), Mod: e.Typmod(), Coll: e.Collation(), Offset: -1}, N: n, Exec: true}
}

func (p *planner) nextRTE() int {
	p.rtes++
	return p.rtes
}
