package optimize

import (
	"math"
	"slices"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// stored reads an expression from a descriptor as it stands over range table entry rte. Stored constants have no slots.
func (p *planner) stored(text string, rte int) query.Expr {
	e, err := query.Unmarshal(text)
	p.fail(err)
	if err != nil {
		return nullConst(&query.Const{T: boolT})
	}
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		switch x := x.(type) {
		case *query.Var:
			c := *x
			c.RTE = rte
			return &c, true
		case *query.Const:
			c := *x
			c.Slot = -1
			return &c, true
		}
		return nil, false
	})
}

// indexKeys gives the expressions of an index's key columns over a relation.
func (l *level) indexKeys(x *relation.Index, r *rel) []query.Expr {
	keys := make([]query.Expr, len(x.Keys))
	next := 0
	for i, k := range x.Keys {
		if k.Attr == 0 {
			if next < len(x.Exprs) {
				keys[i] = l.simplify(l.stored(x.Exprs[next], r.rte))
			}
			next++
			continue
		}
		c := &r.entry.Rel.Columns[k.Attr-1]
		keys[i] = &query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}, RTE: r.rte, Attr: int(k.Attr)}
	}
	return keys
}

// indexPaths adds the paths that use indexes: for the relation alone, and for values that other relations give.
func (l *level) indexPaths(r *rel, joins []query.Expr) {
	var bitmaps []*bitmapPath
	for _, x := range r.entry.Rel.Indexes {
		if !x.Valid || x.Method != "btree" && x.Method != "" || !l.implied(x, r) {
			continue
		}
		keys := l.indexKeys(x, r)
		m := l.matchIndex(x, r, keys, r.quals, nil)
		l.addIndexPath(r, x, keys, m, relset{})
		if len(m) > 0 && l.set.EnableBitmapScan {
			bitmaps = append(bitmaps, l.bitmapOf(x, r, m))
		}
		for _, need := range l.joinNeeds(r, joins) {
			var usable []query.Expr
			for _, j := range joins {
				if exprRels(j).minus(r.set).within(need) {
					usable = append(usable, j)
				}
			}
			m := l.matchIndex(x, r, keys, r.quals, usable)
			if usesAny(m, usable) {
				l.addIndexPath(r, x, keys, m, need)
			}
		}
	}
	if l.set.EnableBitmapScan {
		l.bitmapPaths(r, bitmaps)
	}
}

// joinNeeds gives the sets of other relations that the join conditions of a relation involve, one condition at a time and
// all together.
func (l *level) joinNeeds(r *rel, joins []query.Expr) []relset {
	var out []relset
	add := func(s relset) {
		for _, o := range out {
			if o == s {
				return
			}
		}
		if !s.empty() && len(out) < 8 {
			out = append(out, s)
		}
	}
	var all relset
	for _, j := range joins {
		s := exprRels(j).minus(r.set)
		add(s)
		all = all.union(s)
	}
	add(all)
	return out
}

func usesAny(m []keyMatch, joins []query.Expr) bool {
	for _, k := range m {
		for _, j := range joins {
			if k.expr == j {
				return true
			}
		}
	}
	return false
}

// matchIndex finds the conditions that bound a scan: equalities on leading columns, then the bounds of one more.
func (l *level) matchIndex(x *relation.Index, r *rel, keys []query.Expr, quals, joins []query.Expr) []keyMatch {
	var out []keyMatch
	anyUsed := false
	for i := range x.Keys {
		if keys[i] == nil {
			break
		}
		var eq *keyMatch
		var bounds []keyMatch
		lower, upper := false, false
		consider := func(q query.Expr) {
			k, ok := l.matchKey(x, i, keys[i], r, q)
			if !ok || k.cond.Any && anyUsed {
				return
			}
			switch {
			case k.eq:
				if eq == nil || eq.cond.Any && !k.cond.Any {
					eq = &k
				}
			case k.cond.Strategy <= catalog.StrategyLessEqual && k.cond.Strategy > 0 && !upper:
				upper = true
				bounds = append(bounds, k)
			case k.cond.Strategy >= catalog.StrategyGreaterEqual && !lower:
				lower = true
				bounds = append(bounds, k)
			case k.cond.NotNull && !lower && !upper:
				bounds = append(bounds, k)
			}
		}
		for _, q := range quals {
			consider(q)
		}
		for _, q := range joins {
			consider(q)
		}
		if eq == nil {
			out = append(out, bounds...)
			break
		}
		anyUsed = anyUsed || eq.cond.Any
		out = append(out, *eq)
	}
	return out
}

// matchKey tries one condition on one index column.
func (l *level) matchKey(x *relation.Index, col int, key query.Expr, r *rel, q query.Expr) (keyMatch, bool) {
	family := l.opclass(x.Keys[col].Opclass).Family
	m := keyMatch{expr: q, cond: plan.KeyCond{Column: col}, exact: types.KeyExact(x.Keys[col].Type)}
	isKey := func(e query.Expr) bool { return l.matches(strip(e), strip(key)) }
	free := func(e query.Expr) bool {
		return !exprRels(e).meets(r.set) && !volatileExpr(e) && !query.Any(e, isSubExpr)
	}
	operator := func(op, fn base.OID, val query.Expr) bool {
		for _, a := range l.amops(op) {
			if a.Family == family && a.Method == bootstrap.MethodBtree && a.Purpose == 's' && fixedBounds(a.Left, a.Right) {
				m.cond.Strategy, m.cond.Op, m.cond.Func, m.cond.Value = a.Strategy, op, fn, val
				m.eq = a.Strategy == catalog.StrategyEqual
				m.exact = m.exact && a.Left == a.Right
				return true
			}
		}
		return false
	}
	switch e := q.(type) {
	case *query.OpExpr:
		if len(e.Args) != 2 {
			return m, false
		}
		if isKey(e.Args[0]) && free(e.Args[1]) {
			return m, operator(e.Op, e.Func, e.Args[1])
		}
		if isKey(e.Args[1]) && free(e.Args[0]) {
			c := l.operator(e.Op).Commutator
			return m, c != 0 && operator(c, l.operator(c).Code, e.Args[0])
		}
	case *query.ArrayOp:
		if e.Any && isKey(e.Args[0]) && free(e.Args[1]) && operator(e.Op, e.Func, e.Args[1]) {
			m.cond.Any = true
			return m, m.eq
		}
	case *query.NullTest:
		if !e.Row && isKey(e.Arg) {
			m.cond.IsNull, m.cond.NotNull, m.eq, m.exact = !e.Not, e.Not, !e.Not, true
			return m, true
		}
	case *query.RowCompare:
		if isKey(e.Left[0]) && free(e.Right[0]) {
			return m, l.rowBound(e, family, x.Keys[col], &m)
		}
	}
	if key.Type() == types.OIDBool {
		return l.matchBool(m, key, q, operator)
	}
	return m, false
}

// fixedBounds tells whether a value of one type bounds keys of the other the same way in every session: not where the time
// zone decides how a date or a timestamp compares with a timestamp with time zone.
func fixedBounds(left, right oid) bool {
	return left == right || left != types.OIDTimestampTZ && right != types.OIDTimestampTZ
}

// rowBound bounds the first column of a comparison of rows; the rest is tested on the row.
func (l *level) rowBound(e *query.RowCompare, family base.OID, k relation.IndexKey, m *keyMatch) bool {
	strategy := e.Strategy
	switch strategy {
	case catalog.StrategyLess:
		strategy = catalog.StrategyLessEqual
	case catalog.StrategyGreater:
		strategy = catalog.StrategyGreaterEqual
	}
	o := l.operator(e.Ops[0])
	op, err := l.opt.View.FamilyOperator(family, o.Left, o.Right, strategy)
	l.fail(err)
	if op == 0 {
		return false
	}
	m.cond.Strategy, m.cond.Op, m.cond.Func, m.cond.Value, m.exact = strategy, op, l.operator(op).Code, e.Right[0], false
	return true
}

// matchBool takes a boolean column, bare or under NOT, as a comparison with a constant.
func (l *level) matchBool(m keyMatch, key, q query.Expr, operator func(op, fn base.OID, val query.Expr) bool) (keyMatch, bool) {
	const boolEqual = 91
	want := true
	if b, ok := q.(*query.BoolExpr); ok && b.Op == query.Not {
		want, q = false, b.Args[0]
	}
	if t, ok := q.(*query.BooleanTest); ok && !t.Not && t.Want != 'u' {
		want, q = want == (t.Want == 't'), t.Arg
	}
	if !same(strip(q), strip(key)) {
		return m, false
	}
	return m, operator(boolEqual, l.operator(boolEqual).Code, boolConst(want))
}

func isSubExpr(e query.Expr) bool { _, ok := e.(*query.SubExpr); return ok }

// implied tells whether the conditions of a relation imply an index's predicate.
func (l *level) implied(x *relation.Index, r *rel) bool {
	if x.Predicate == "" {
		return true
	}
	for _, p := range conjuncts(l.simplify(l.stored(x.Predicate, r.rte))) {
		ok := false
		for _, q := range r.quals {
			ok = ok || l.implies(q, p)
		}
		if !ok {
			return false
		}
	}
	return true
}

// implies tells whether condition q being true makes p true.
func (l *level) implies(q, p query.Expr) bool {
	if l.matches(q, p) {
		return true
	}
	if b, ok := p.(*query.BoolExpr); ok && b.Op == query.Or {
		for _, a := range b.Args {
			if l.implies(q, a) {
				return true
			}
		}
	}
	if n, ok := p.(*query.NullTest); ok && n.Not && !n.Row {
		return strictOn(q, n.Arg)
	}
	a, ok1 := q.(*query.OpExpr)
	b, ok2 := p.(*query.OpExpr)
	if !ok1 || !ok2 || len(a.Args) != 2 || len(b.Args) != 2 || !same(a.Args[0], b.Args[0]) {
		return false
	}
	x, y := literal(a.Args[1]), literal(b.Args[1])
	if x == nil || y == nil || x.Typ != y.Typ || x.Value.Null || y.Value.Null || strip(a.Args[0]).Type() != x.Typ {
		return false
	}
	fa, sa := l.btreeFamily(a.Op)
	fb, sb := l.btreeFamily(b.Op)
	if fa == 0 || fa != fb {
		return false
	}
	c := types.Compare(x.Typ, x.Value, y.Value)
	switch sb {
	case catalog.StrategyLess:
		return c < 0 && sa <= catalog.StrategyEqual || c == 0 && sa == catalog.StrategyLess
	case catalog.StrategyLessEqual:
		return c <= 0 && sa <= catalog.StrategyEqual
	case catalog.StrategyGreater:
		return c > 0 && sa >= catalog.StrategyEqual || c == 0 && sa == catalog.StrategyGreater
	case catalog.StrategyGreaterEqual:
		return c >= 0 && sa >= catalog.StrategyEqual
	}
	return false
}

// strictOn tells whether a condition cannot be true when an expression is null.
func strictOn(q, e query.Expr) bool {
	switch x := q.(type) {
	case *query.OpExpr:
		if x.Strict {
			for _, a := range x.Args {
				if same(strip(a), strip(e)) {
					return true
				}
			}
		}
	case *query.ArrayOp:
		return x.Strict && x.Any && same(strip(x.Args[0]), strip(e))
	}
	return false
}

// addIndexPath prices an index scan and adds it when it can be of use.
func (l *level) addIndexPath(r *rel, x *relation.Index, keys []query.Expr, m []keyMatch, need relset) {
	if !l.set.EnableIndexScan && !l.set.EnableIndexOnlyScan {
		return
	}
	order := l.indexOrder(x, keys, m)
	only := l.set.EnableIndexOnlyScan && l.covered(x, r)
	useful := l.orderUse(order)
	if len(m) == 0 && !only && useful == 0 && x.Predicate == "" {
		return
	}
	if useful < 0 { // only the reverse is of use
		order = reverse(order)
	}
	p := &path{kind: pathIndex, rel: r, set: r.set, need: need, index: x, keys: m, only: only, backward: useful < 0, order: order, width: l.relWidth(r)}
	var decided []query.Expr
	for _, k := range m {
		decided = append(decided, k.expr)
	}
	for _, q := range r.quals {
		if !containsExpr(decided, q) {
			p.filter = append(p.filter, q)
		}
	}
	for _, d := range decided {
		if !containsExpr(r.quals, d) {
			p.enforced = append(p.enforced, d)
		}
	}
	sel := l.allSelectivity(decided)
	one := l.uniqueMatch(x, m)
	if one {
		sel = math.Min(sel, 1/math.Max(r.tuples, 1))
	}
	loops := 1.0
	if !need.empty() {
		loops = 10
	}
	startup, total, entries := l.indexAccess(x, r, m, sel, loops)
	visible := 1.0
	if s := l.statistics(r.entry.Rel.OID); only && r.pages > 0 {
		visible = math.Max(0, 1-s.AllVisible/r.pages)
	}
	correlation := 0.0
	if s := l.columnStats(keys[0]); s != nil {
		correlation = s.Correlation
		if len(x.Keys) > 1 {
			correlation *= 0.75
		}
	}
	total += l.heapFetch(r, entries, correlation, loops, visible)
	if one && need.empty() {
		total -= 2 * math.Max(0, l.set.RandomPageCost-l.set.SeqPageCost) // look-ups by key are frequent: leaf and row are in memory
	}
	total += entries * (l.set.CPUTupleCost + l.qualCost(p.filter))
	p.rows = clampRows(r.tuples * sel * l.allSelectivity(p.filter))
	p.startup, p.total = startup, startup+total-startup
	if !l.set.EnableIndexScan && !only {
		p.startup, p.total = p.startup+1e10, p.total+1e10
	} else if one && need.empty() && l.q.Result == r.rte {
		// Who changes rows by key makes versions of them: the scan of a table that is small by its statistics would meet them all.
		r.paths = slices.DeleteFunc(r.paths, func(q *path) bool { return q.kind == pathSeq })
	}
	r.paths = addPath(r.paths, p, true)
}

func containsExpr(l []query.Expr, e query.Expr) bool {
	for _, x := range l {
		if x == e {
			return true
		}
	}
	return false
}

// uniqueMatch tells whether equalities fix all columns of a unique index.
func (l *level) uniqueMatch(x *relation.Index, m []keyMatch) bool {
	if !x.Unique || !x.Immediate {
		return false
	}
	n := 0
	for _, k := range m {
		if k.eq && !k.cond.Any && !k.cond.IsNull {
			n++
		}
	}
	return n == len(x.Keys)
}

// indexOrder gives the order of an index scan's rows; columns fixed by an equality do not count.
func (l *level) indexOrder(x *relation.Index, keys []query.Expr, m []keyMatch) []orderKey {
	var out []orderKey
	for i, k := range x.Keys {
		fixed := false
		for _, c := range m {
			if c.cond.Any {
				return nil
			}
			fixed = fixed || c.cond.Column == i && c.eq
		}
		if fixed {
			continue
		}
		if keys[i] == nil {
			break
		}
		out = append(out, orderKey{expr: keys[i], family: l.opclass(k.Opclass).Family, desc: k.Descending, nullsFirst: k.NullsFirst})
	}
	return out
}

func reverse(o []orderKey) []orderKey {
	out := append([]orderKey(nil), o...)
	for i := range out {
		out[i].desc, out[i].nullsFirst = !out[i].desc, !out[i].nullsFirst
	}
	return out
}

// orderUse tells whether an order serves what the query wants: 1 forwards, -1 backwards, 0 not at all.
func (l *level) orderUse(o []orderKey) int {
	if len(o) == 0 {
		return 0
	}
	for _, want := range l.wanted {
		if len(want) == 0 {
			continue
		}
		if l.satisfies(o, want) {
			return 1
		}
		if l.satisfies(reverse(o), want) {
			return -1
		}
	}
	return 0
}

// usefulOrder gives an order when it serves what the query wants, none otherwise: orders of no use only multiply paths.
func (l *level) usefulOrder(o []orderKey) []orderKey {
	if l.orderUse(o) != 1 {
		return nil
	}
	return o
}

// covered tells whether an index holds every column that the query reads of a relation, in a form that can be read back.
func (l *level) covered(x *relation.Index, r *rel) bool {
	for a := range r.attrs {
		ok := false
		for _, k := range x.Keys {
			ok = ok || a > 0 && int(k.Attr) == a && types.KeyExact(k.Type) && k.Type == r.entry.Rel.Columns[a-1].Type
		}
		for _, i := range x.Included {
			ok = ok || int(i) == a
		}
		if !ok {
			return false
		}
	}
	return true
}
