package optimize

import (
	"cmp"
	"slices"

	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// windowPlan is a window that calls use, with the order its rows must come in: partition keys, then order keys.
type windowPlan struct {
	*query.Window
	calls []*query.WindowFunc
	items []*query.SortItem
	exprs []query.Expr
	order []orderKey
}

// describeWindows collects the calls of window functions by window, in the order in which the windows are computed: those
// that share leading keys stand together, the longer order first, so that its sort serves the shorter one too.
func (l *level) describeWindows(u *upper) {
	byNumber := map[int]*windowPlan{}
	for _, t := range u.targets {
		query.Walk(t.Expr, func(x query.Expr) bool {
			c, ok := x.(*query.WindowFunc)
			if !ok {
				return true
			}
			w := byNumber[c.Window]
			if w == nil {
				w = l.windowPlan(c.Window)
				byNumber[c.Window] = w
			}
			for _, o := range w.calls {
				if l.matches(o, c) && !volatileExpr(c) {
					return false
				}
			}
			w.calls = append(w.calls, c)
			return false
		})
	}
	for i := range l.q.Windows {
		if w := byNumber[i+1]; w != nil {
			u.windows = append(u.windows, w)
		}
	}
	slices.SortStableFunc(u.windows, compareWindows)
}

func (l *level) windowPlan(number int) *windowPlan {
	w := &windowPlan{Window: l.q.Windows[number-1]}
	for _, list := range [][]*query.SortItem{w.Partition, w.Order} {
		for _, s := range list {
			if slices.ContainsFunc(w.items, func(o *query.SortItem) bool { return o.Ref == s.Ref }) {
				continue
			}
			w.items = append(w.items, s)
			w.exprs = append(w.exprs, targetOf(l.q.Targets, s.Ref))
		}
	}
	for _, s := range w.Partition {
		if s.SortOp == 0 {
			l.fail(pgerror.New(pgerror.FeatureNotSupported, "could not implement window PARTITION BY").
				WithDetail("Window partitioning columns must be of sortable datatypes."))
		}
	}
	w.order = l.orderOf(w.items, l.q.Targets)
	return w
}

func compareWindows(a, b *windowPlan) int {
	for i := range min(len(a.items), len(b.items)) {
		x, y := a.items[i], b.items[i]
		if c := cmp.Or(cmp.Compare(y.Ref, x.Ref), cmp.Compare(y.SortOp, x.SortOp)); c != 0 {
			return c
		}
		if x.NullsFirst != y.NullsFirst {
			if x.NullsFirst {
				return -1
			}
			return 1
		}
	}
	return cmp.Compare(len(b.items), len(a.items))
}

// windowRows computes all windows over rows in a given order.
func (l *level) windowRows(u *upper, b built, order []orderKey) (built, []orderKey) {
	var keys []query.Expr
	sets := false
	for _, w := range u.windows {
		for _, e := range w.exprs {
			keys = append(keys, e)
			sets = sets || hasSRF(e)
		}
	}
	if sets { // the windows are of rows that the functions have multiplied
		b, order = l.projectSets(b, keys), nil
	}
	b = l.withColumns(b, keys)
	for _, w := range u.windows {
		if !l.satisfies(order, w.order) {
			var sort []plan.SortKey
			for i, s := range w.items {
				sort = append(sort, keyOf(s, l.find(b.cols, w.exprs[i])))
			}
			b, order = l.sortNode(b, sort, nil, 0), w.order
		}
		b = l.windowNode(w, b)
	}
	return b, order
}

func (l *level) windowNode(w *windowPlan, b built) built {
	n := &plan.WindowAgg{Child: b.node, Frame: w.Frame, Start: l.translate(w.Start, nil, nil), End: l.translate(w.End, nil, nil),
		StartInRange: w.StartInRange, EndInRange: w.EndInRange}
	keys := func(items []*query.SortItem) []plan.SortKey {
		var out []plan.SortKey
		for _, s := range items {
			out = append(out, keyOf(s, l.find(b.cols, targetOf(l.q.Targets, s.Ref))))
		}
		return out
	}
	n.Partition, n.Order = keys(w.Partition), keys(w.Order)
	c := b.node.Common()
	cols := slices.Clone(b.cols)
	work := l.set.CPUTupleCost + l.set.CPUOperatorCost*float64(len(w.Partition)+len(w.Order))
	for _, f := range w.calls {
		call := plan.WindowCall{Func: f.Func, Type: f.Typ, Args: l.translateAll(f.Args, b.cols, nil),
			Filter: l.translate(f.Filter, b.cols, nil), Agg: f.Agg, Volatile: volatileExpr(f), Expr: f}
		for _, a := range f.Args {
			call.ArgTypes = append(call.ArgTypes, a.Type())
			work += l.exprCost(a)
		}
		if f.Filter != nil {
			work += l.exprCost(f.Filter)
		}
		work += l.proc(f.Func).Cost * l.set.CPUOperatorCost
		n.Calls = append(n.Calls, call)
		cols = append(cols, f)
	}
	var run []query.Expr
	for _, r := range l.runs {
		run = append(run, r.expr(l.q))
	}
	n.Run = l.translateAll(run, cols, nil)
	return l.finish(built{n, cols}, c.Startup, c.Total+work*c.Rows, c.Rows*l.allSelectivity(run))
}

// runCondition is a condition of an outer query that holds up to some row of each partition and then no more: a call that
// only grows is compared with something that stays as it is.
type runCondition struct {
	target int // the call, among the visible targets
	arg    int // its side of the comparison
	op     *query.OpExpr
}

// expr gives the condition in terms of its query.
func (r *runCondition) expr(q *query.Query) query.Expr {
	op := query.Copy(r.op).(*query.OpExpr)
	op.Args[r.arg] = visibleTargets(q)[r.target].Expr
	return op
}

// runCondition finds what a condition on the columns of a sub-select says about the rows that its window has to compute; nil
// for nothing. Exact tells that it says no more than that.
func (l *level) runCondition(q *query.Query, rte int, c query.Expr) (run *runCondition, exact bool) {
	op, ok := c.(*query.OpExpr)
	if !ok || len(op.Args) != 2 || !q.HasWindows || q.Command != query.Select || q.SetOp != nil || q.Limit != nil || q.Offset != nil ||
		q.DistinctOn || q.HasTargetSRFs || len(q.RowMarks) > 0 {
		return nil, false
	}
	arg := 0
	if !ofSub(op.Args[0], rte) {
		arg = 1
	}
	switch op.Args[1-arg].(type) {
	case *query.Const, *query.Param:
	default:
		return nil, false
	}
	targets := visibleTargets(q)
	v, ok := op.Args[arg].(*query.Var)
	if !ok || !ofSub(v, rte) || v.Attr > len(targets) || !growing(q, targets[v.Attr-1].Expr) {
		return nil, false
	}
	family, strategy := l.btreeFamily(op.Op)
	if arg == 1 {
		strategy = 6 - strategy
	}
	switch strategy {
	case catalog.StrategyLess, catalog.StrategyLessEqual:
		return &runCondition{target: v.Attr - 1, arg: arg, op: op}, true
	case catalog.StrategyEqual: // until it is greater
		o := l.operator(op.Op)
		atMost, err := l.opt.View.FamilyOperator(family, o.Left, o.Right, []int{catalog.StrategyLessEqual, catalog.StrategyGreaterEqual}[arg])
		l.fail(err)
		if atMost == 0 {
			return nil, false
		}
		below := *op
		below.Op, below.Func = atMost, l.operator(atMost).Code
		return &runCondition{target: v.Attr - 1, arg: arg, op: &below}, false
	}
	return nil, false
}

func ofSub(e query.Expr, rte int) bool {
	v, ok := e.(*query.Var)
	return ok && v.Up == 0 && v.RTE == rte && v.Attr > 0
}

// growing tells whether an expression is a call whose values never fall within a partition, in a query with one window.
func growing(q *query.Query, e query.Expr) bool {
	const rowNumber, rank, denseRank, countStar, count = 3100, 3101, 3102, 2803, 2147
	f, ok := e.(*query.WindowFunc)
	if !ok {
		return false
	}
	for _, t := range q.Targets {
		if query.Any(t.Expr, func(x query.Expr) bool { o, ok := x.(*query.WindowFunc); return ok && o.Window != f.Window }) {
			return false
		}
	}
	frame := q.Windows[f.Window-1].Frame
	switch f.Func {
	case rowNumber, rank, denseRank:
		return true
	case countStar, count:
		return frame.Has(query.FrameStartUnboundedPreceding) && !frame.Has(query.FrameExclusion) && !volatileExpr(f)
	}
	return false
}

// inAllPartitions tells whether a target is a key of PARTITION BY in every window of its query, so that a condition on it
// keeps or drops whole partitions.
func inAllPartitions(q *query.Query, t *query.Target) bool {
	for _, w := range q.Windows {
		if t.Ref == 0 || !slices.ContainsFunc(w.Partition, func(s *query.SortItem) bool { return s.Ref == t.Ref }) {
			return false
		}
	}
	return true
}
