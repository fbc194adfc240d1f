package optimize

import (
	"math"

	"manifold/engine/catalog/bootstrap"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// dependent adds the columns that depend on a grouped primary key to the keys, where they change nothing.
func (l *level) dependent(u *upper) {
	if len(u.group) == 0 {
		return
	}
	add := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if a, ok := x.(*query.Aggref); ok && a.Up == 0 {
				return false
			}
			if l.find(u.group, x) >= 0 {
				return false
			}
			if v, ok := x.(*query.Var); ok && v.Up == 0 {
				eq := l.equality(v.Typ)
				if eq == 0 {
					l.unsupported("grouping by a key with a dependent column of type %s", types.FormatType(v.Typ, -1))
				}
				u.group = append(u.group, v)
				u.groupBy = append(u.groupBy, plan.SortKey{Equal: eq})
				u.hashable = u.hashable && l.hashable(eq)
				family, _ := l.btreeFamily(eq)
				u.groupOrd = append(u.groupOrd, orderKey{expr: v, family: family})
			}
			return true
		})
	}
	for _, t := range u.targets {
		add(t.Expr)
	}
	add(l.q.Having)
}

// equality gives the default equality operator of a type, zero for none.
func (l *level) equality(typ oid) oid {
	want := typ
	switch {
	case typ == types.OIDVarChar:
		want = types.OIDText
	default:
		t, err := l.opt.View.TypeByOID(typ)
		l.fail(err)
		switch {
		case t == nil:
		case t.TrueArray():
			want = types.OIDAnyArray
		case t.Kind == 'e':
			want = types.OIDAnyEnum
		case t.Kind == 'd':
			return l.equality(t.Base)
		case t.Kind == 'c':
			want = types.OIDRecord
		}
	}
	list, err := l.opt.View.Opclasses(bootstrap.MethodBtree)
	l.fail(err)
	for _, c := range list {
		if c.Default && c.Input == want {
			op, err := l.opt.View.FamilyOperator(c.Family, want, want, 3)
			l.fail(err)
			return op
		}
	}
	return 0
}

// aggregate groups the rows of the best join path.
func (l *level) aggregate(u *upper, paths []*path, need *vars) (built, []orderKey) {
	cheap := l.cheapest(paths, 0)
	if cheap == nil {
		return l.empty(), nil
	}
	groups := 1.0
	if len(u.group) > 0 {
		groups = l.groups(u.group, cheap.rows)
	}
	ops := float64(len(u.group) + len(u.aggs))
	work := func(rows float64) float64 { return rows*l.set.CPUOperatorCost*ops + groups*l.set.CPUTupleCost }
	strategy, p, sorted := plan.AggPlain, cheap, true
	if len(u.group) > 0 {
		var width float64 = 32
		for _, g := range u.group {
			width += float64(l.width(g))
		}
		hash := cheap.total + work(cheap.rows)
		if groups*width > l.hashMem() {
			hash += groups * width / 8192 * 2 * l.set.SeqPageCost
		}
		if len(u.order) > 0 {
			a, b := l.sortCost(groups, width, u.limit)
			hash += a + b
		}
		if !l.set.EnableHashAgg {
			hash += 1e10
		}
		strategy = plan.AggHashed
		best := hash
		if !u.hashable {
			best = math.Inf(1)
		}
		for _, x := range paths {
			c, in := x.total+work(x.rows), l.satisfies(x.order, u.groupOrd)
			if !in {
				a, b := l.sortCost(x.rows, x.width, 0)
				c += a + b
			}
			if len(u.order) > 0 && !l.satisfies(u.groupOrd, u.order) {
				a, b := l.sortCost(groups, width, u.limit)
				c += a + b
			}
			if u.sortable && c < best {
				best, p, strategy, sorted = c, x, plan.AggSorted, in
			}
		}
	}
	b := l.build(p, need)
	for _, g := range u.group {
		if hasSRF(g) { // groups are of rows that the functions have multiplied
			b, sorted = l.projectSets(b, u.group), false
			break
		}
	}
	b = l.withColumns(b, u.group)
	var keys []plan.SortKey
	for i, g := range u.group {
		k := u.groupBy[i]
		k.Column = l.find(b.cols, g)
		keys = append(keys, k)
	}
	var order []orderKey
	if strategy == plan.AggSorted {
		if order = u.groupOrd; !sorted {
			b = l.sortNode(b, keys, nil, 0)
		} else if p != cheap || covers(p.order, order) {
			order = u.groupOrd
		}
	}
	return l.aggNode(u, b, strategy, keys, groups, work), order
}

func (l *level) aggNode(u *upper, b built, strategy plan.AggStrategy, keys []plan.SortKey, groups float64, work func(float64) float64) built {
	n := &plan.Agg{Strategy: strategy, Child: b.node, Group: keys}
	cols := append([]query.Expr(nil), u.group...)
	for _, a := range u.aggs {
		n.Calls = append(n.Calls, l.aggCall(a, b.cols))
		cols = append(cols, a)
	}
	having := conjuncts(l.q.Having)
	n.Filter = l.filters(having, cols, nil)
	c := b.node.Common()
	total := c.Total + work(c.Rows)
	startup := total
	if strategy == plan.AggSorted {
		startup = c.Startup
	}
	return l.finish(built{n, cols}, startup, total, groups*l.allSelectivity(having))
}

// aggCall plans one aggregate over the columns of its input.
func (l *level) aggCall(a *query.Aggref, cols []query.Expr) plan.AggCall {
	facts, err := l.opt.View.AggregateOf(a.Func)
	l.fail(err)
	if facts != nil && facts.Kind == 'h' {
		l.unsupported("hypothetical-set aggregate %s", l.proc(a.Func).Name)
	}
	c := plan.AggCall{Func: a.Func, Type: a.Typ, ArgTypes: a.ArgTypes, Distinct: len(a.Distinct) > 0, Star: a.Star, Expr: a}
	for _, junk := range []bool{false, true} {
		for _, t := range a.Args {
			if t.Junk == junk {
				c.Args = append(c.Args, l.translate(t.Expr, cols, nil))
			}
		}
		if !junk { // direct arguments are the same for all rows; they come behind the others
			for _, d := range a.Direct {
				c.Args = append(c.Args, l.translate(d, cols, nil))
			}
			c.NArgs = len(c.Args)
		}
	}
	c.Filter = l.translate(a.Filter, cols, nil)
	order := a.Order
	if len(order) == 0 {
		order = a.Distinct
	}
	for _, s := range order {
		c.Order = append(c.Order, keyOf(s, argIndex(a, s.Ref)))
	}
	if c.Distinct {
		for _, s := range a.Distinct {
			found := false
			for _, o := range order {
				found = found || o.Ref == s.Ref
			}
			if !found {
				c.Order = append(c.Order, keyOf(s, argIndex(a, s.Ref)))
			}
		}
	}
	return c
}

// argIndex gives the place of a sort key among an aggregate's arguments, which come before its junk.
func argIndex(a *query.Aggref, ref int) int {
	i := 0
	for _, junk := range []bool{false, true} {
		for _, t := range a.Args {
			if t.Junk == junk {
				if t.Ref == ref {
					return i
				}
				i++
			}
		}
	}
	return 0
}

// distinctRows drops duplicates: by hashing, or among neighbours of sorted rows.
func (l *level) distinctRows(u *upper, b built, order []orderKey) (built, []orderKey) {
	q := l.q
	var keys []plan.SortKey
	var exprs []query.Expr
	hashable, sortable := true, true
	for _, s := range q.Distinct {
		e := targetOf(u.targets, s.Ref)
		exprs = append(exprs, e)
		keys = append(keys, keyOf(s, l.find(b.cols, e)))
		hashable = hashable && s.Hashable
		sortable = sortable && s.SortOp != 0
	}
	c := b.node.Common()
	groups := l.groups(exprs, c.Rows)
	ops := float64(len(keys)) * l.set.CPUOperatorCost * c.Rows
	if l.satisfies(order, u.distinct) && (!q.DistinctOn || l.satisfies(order, u.order)) {
		return l.over(&plan.Unique{Child: b.node, Keys: keys}, b, 0, ops, groups), order
	}
	if hashable && !q.DistinctOn && (l.set.EnableHashAgg && len(u.order) == 0 || !sortable || groups*4 < c.Rows) {
		n := &plan.Agg{Strategy: plan.AggHashed, Child: b.node, Group: keys}
		return l.finish(built{n, exprs}, c.Total+ops, c.Total+ops+groups*l.set.CPUTupleCost, groups), nil
	}
	full := u.distinct
	sort := keys
	if len(u.order) > len(u.distinct) {
		full = u.order
		sort = nil
		for _, s := range q.OrderBy {
			sort = append(sort, keyOf(s, l.find(b.cols, targetOf(u.targets, s.Ref))))
		}
	}
	b = l.sortNode(b, sort, nil, 0)
	return l.over(&plan.Unique{Child: b.node, Keys: keys}, b, 0, ops, groups), full
}
