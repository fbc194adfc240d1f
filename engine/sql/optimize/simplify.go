package optimize

import (
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

var boolT = query.T{Typ: types.OIDBool, Mod: -1, Offset: -1}

func boolConst(v bool) *query.Const { return &query.Const{T: boolT, Value: types.Bool(v), Slot: -1} }

func nullConst(t query.Expr) *query.Const {
	return &query.Const{T: query.T{Typ: t.Type(), Mod: t.Typmod(), Coll: t.Collation(), Offset: t.Loc()}, Value: types.Null, Slot: -1}
}

// literal gives the constant whose value planning may read; nil for anything else, and for slotted literals.
func literal(e query.Expr) *query.Const {
	if c, ok := e.(*query.Const); ok && c.Slot < 0 {
		return c
	}
	return nil
}

// conjuncts splits a condition at its ANDs.
func conjuncts(e query.Expr) []query.Expr {
	if e == nil {
		return nil
	}
	if b, ok := e.(*query.BoolExpr); ok && b.Op == query.And {
		var out []query.Expr
		for _, a := range b.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []query.Expr{e}
}

// conjunction is the inverse; nil for no conditions.
func conjunction(l []query.Expr) query.Expr {
	switch len(l) {
	case 0:
		return nil
	case 1:
		return l[0]
	}
	return &query.BoolExpr{T: boolT, Op: query.And, Args: l}
}

func dropTrue(e query.Expr) query.Expr {
	if c := literal(e); c != nil && c.Value.True() {
		return nil
	}
	return e
}

func dropTrueOn(items []query.FromItem) {
	for _, it := range items {
		if j, ok := it.(*query.FromJoin); ok {
			j.On = dropTrue(j.On)
			dropTrueOn([]query.FromItem{j.Left, j.Right})
		}
	}
}

// simplify folds constants and flattens boolean expressions, bottom-up.
func (l *level) simplify(e query.Expr) query.Expr {
	switch x := e.(type) {
	case *query.Const, *query.Var, *query.Param, *query.CaseArg, *query.SubColumn:
		return e
	case *query.Case:
		return l.simplifyCase(query.Copy(x).(*query.Case))
	case *query.BoolExpr:
		return l.simplifyBool(x)
	}
	c := query.Copy(e)
	query.EachChild(c, func(p *query.Expr) { *p = l.simplify(*p) })
	switch x := c.(type) {
	case *query.FuncExpr:
		if x.RetSet {
			return x
		}
		return l.foldCall(x, x.Args, x.Strict, x.Volatile)
	case *query.OpExpr:
		if x.RetSet {
			return x
		}
		return l.foldCall(x, x.Args, x.Strict, x.Volatile)
	case *query.ArrayOp:
		return l.foldCall(x, x.Args[:], x.Strict, x.Volatile)
	case *query.DistinctExpr:
		return l.foldCall(x, x.Args, false, x.Volatile)
	case *query.NullIf:
		return l.foldCall(x, x.Args, false, x.Volatile)
	case *query.NullTest:
		if k := literal(x.Arg); k != nil && !x.Row {
			return boolConst(k.Value.Null != x.Not)
		}
	case *query.BooleanTest:
		if k := literal(x.Arg); k != nil {
			is := x.Want == 'u' && k.Value.Null || !k.Value.Null && (x.Want == 't') == k.Value.True() && x.Want != 'u'
			return boolConst(is != x.Not)
		}
	case *query.Coalesce:
		return simplifyCoalesce(x)
	case *query.Relabel:
		if k := literal(x.Arg); k != nil {
			d := *k
			d.T = x.T
			return &d
		}
	case *query.CoerceViaIO:
		return l.foldCall(x, []query.Expr{x.Arg}, true, 's')
	case *query.ArrayExpr:
		if len(x.Elems) > 0 {
			return l.foldCall(x, x.Elems, false, 'i')
		}
	}
	return c
}

// foldCall evaluates an immutable call over constants.
func (l *level) foldCall(e query.Expr, args []query.Expr, strict bool, volatile byte) query.Expr {
	all := true
	for _, a := range args {
		k := literal(a)
		if k == nil {
			all = false
			continue
		}
		if strict && k.Value.Null {
			return nullConst(e)
		}
	}
	if !all || volatile != 'i' || l.opt.Fold == nil {
		return e
	}
	d, ok := l.opt.Fold(e)
	if !ok {
		return e
	}
	c := nullConst(e)
	c.Value = d.Clone()
	return c
}

func simplifyCoalesce(x *query.Coalesce) query.Expr {
	var args []query.Expr
	for _, a := range x.Args {
		k := literal(a)
		if k != nil && k.Value.Null {
			continue
		}
		args = append(args, a)
		if k != nil {
			break
		}
	}
	if len(args) == 0 {
		return nullConst(x)
	}
	if len(args) == 1 {
		return args[0]
	}
	x.Args = args
	return x
}

// simplifyCase drops arms that cannot match; what stands behind an arm that always matches is not even folded.
func (l *level) simplifyCase(c *query.Case) query.Expr {
	if c.Arg != nil {
		c.Arg = l.simplify(c.Arg)
	}
	var whens []query.When
	for _, w := range c.Whens {
		cond := l.simplify(w.Cond)
		if k := literal(cond); k != nil {
			if !k.Value.True() {
				continue
			}
			c.Else = w.Result
			break
		}
		whens = append(whens, query.When{Cond: cond, Result: l.simplify(w.Result)})
	}
	c.Else = l.simplify(c.Else)
	if len(whens) == 0 {
		return c.Else
	}
	c.Whens = whens
	return c
}

func (l *level) simplifyBool(b *query.BoolExpr) query.Expr {
	if b.Op == query.Not {
		return l.negate(l.simplify(b.Args[0]))
	}
	stop := b.Op == query.Or // the value that decides
	var args []query.Expr
	null := false
	for _, a := range b.Args {
		a = l.simplify(a)
		if k := literal(a); k != nil {
			if k.Value.Null {
				null = true
				continue
			}
			if k.Value.True() == stop {
				return boolConst(stop)
			}
			continue
		}
		if n, ok := a.(*query.BoolExpr); ok && n.Op == b.Op {
			args = append(args, n.Args...)
			continue
		}
		args = append(args, a)
	}
	if null {
		args = append(args, nullConst(b))
	}
	switch len(args) {
	case 0:
		return boolConst(!stop)
	case 1:
		return args[0]
	}
	if b.Op == query.Or {
		return factorOr(args)
	}
	return &query.BoolExpr{T: b.T, Op: b.Op, Args: args}
}

// factorOr takes out what all arms have in common: (a AND b) OR (a AND c) is a AND (b OR c).
func factorOr(args []query.Expr) query.Expr {
	first := conjuncts(args[0])
	var common []query.Expr
	for _, c := range first {
		everywhere := !volatileExpr(c)
		for _, a := range args[1:] {
			everywhere = everywhere && contains(conjuncts(a), c)
		}
		if everywhere {
			common = append(common, c)
		}
	}
	if len(common) == 0 {
		return &query.BoolExpr{T: boolT, Op: query.Or, Args: args}
	}
	var rest []query.Expr
	for _, a := range args {
		var left []query.Expr
		for _, c := range conjuncts(a) {
			if !contains(common, c) {
				left = append(left, c)
			}
		}
		if len(left) == 0 {
			return conjunction(common)
		}
		rest = append(rest, conjunction(left))
	}
	return conjunction(append(common, &query.BoolExpr{T: boolT, Op: query.Or, Args: rest}))
}

func contains(l []query.Expr, e query.Expr) bool {
	for _, x := range l {
		if same(x, e) {
			return true
		}
	}
	return false
}

// negate pushes a NOT down.
func (l *level) negate(e query.Expr) query.Expr {
	switch x := e.(type) {
	case *query.Const:
		if k := literal(x); k != nil {
			if k.Value.Null {
				return k
			}
			return boolConst(!k.Value.True())
		}
	case *query.OpExpr:
		if n := l.operator(x.Op).Negator; n != 0 {
			c := query.Copy(x).(*query.OpExpr)
			o := l.operator(n)
			c.Op, c.Func = n, o.Code
			return c
		}
	case *query.ArrayOp:
		if n := l.operator(x.Op).Negator; n != 0 {
			c := *x
			c.Op, c.Func, c.Any = n, l.operator(n).Code, !x.Any
			return &c
		}
	case *query.BoolExpr:
		if x.Op == query.Not {
			return x.Args[0]
		}
		c := &query.BoolExpr{T: x.T, Op: query.And}
		if x.Op == query.And {
			c.Op = query.Or
		}
		for _, a := range x.Args {
			c.Args = append(c.Args, l.negate(a))
		}
		return c
	case *query.NullTest:
		if !x.Row {
			c := *x
			c.Not = !x.Not
			return &c
		}
	case *query.BooleanTest:
		c := *x
		c.Not = !x.Not
		return &c
	case *query.DistinctExpr:
		c := query.Copy(x).(*query.DistinctExpr)
		c.Not = !x.Not
		return c
	}
	return &query.BoolExpr{T: boolT, Op: query.Not, Args: []query.Expr{e}}
}

// nonNullable gives the relations that make a condition not true when all their columns are null.
func nonNullable(e query.Expr, top bool) relset {
	var s relset
	switch x := e.(type) {
	case *query.Var:
		if x.Up == 0 {
			s = single(x.RTE)
		}
	case *query.OpExpr:
		if x.Strict {
			s = anyNonNullable(x.Args)
		}
	case *query.FuncExpr:
		if x.Strict && !x.RetSet {
			s = anyNonNullable(x.Args)
		}
	case *query.ArrayOp:
		if x.Strict && (top || x.Any) {
			s = nonNullable(x.Args[0], false)
			if !x.Any {
				s = relset{} // ALL over an empty array is true
			}
			if x.Any && !top {
				s = relset{} // false, not null, over an empty array
			}
		}
	case *query.BoolExpr:
		switch {
		case x.Op == query.Not:
			s = nonNullable(x.Args[0], false)
		case x.Op == query.And && top:
			for _, a := range x.Args {
				s = s.union(nonNullable(a, true))
			}
		default:
			for i, a := range x.Args {
				n := nonNullable(a, top)
				if i == 0 {
					s = n
				}
				s = s.and(n)
			}
		}
	case *query.NullTest:
		if x.Not && top && !x.Row {
			s = nonNullable(x.Arg, false)
		}
	case *query.BooleanTest:
		if top && (x.Want != 'u' && !x.Not || x.Want == 'u' && x.Not) {
			s = nonNullable(x.Arg, false)
		}
	case *query.Relabel:
		s = nonNullable(x.Arg, false)
	case *query.CoerceViaIO:
		s = nonNullable(x.Arg, false)
	case *query.Collate:
		s = nonNullable(x.Arg, false)
	}
	return s
}

func anyNonNullable(l []query.Expr) relset {
	var s relset
	for _, a := range l {
		s = s.union(nonNullable(a, false))
	}
	return s
}

// reduceOuterJoins turns outer joins whose null-extended rows cannot pass the conditions above into inner ones.
func (l *level) reduceOuterJoins() {
	var s relset
	for _, c := range conjuncts(l.q.Where) {
		s = s.union(nonNullable(c, true))
	}
	for _, it := range l.q.From {
		reduceItem(it, s)
	}
}

func reduceItem(it query.FromItem, need relset) {
	j, ok := it.(*query.FromJoin)
	if !ok {
		return
	}
	left, right := itemRels(j.Left), itemRels(j.Right)
	switch j.Type {
	case query.JoinFull:
		switch l, r := need.meets(left), need.meets(right); {
		case l && r:
			j.Type = query.JoinInner
		case l:
			j.Type = query.JoinLeft
		case r:
			j.Type, j.Left, j.Right = query.JoinLeft, j.Right, j.Left
		}
	case query.JoinLeft:
		if need.meets(right) {
			j.Type = query.JoinInner
		}
	}
	var on relset
	for _, c := range conjuncts(j.On) {
		on = on.union(nonNullable(c, true))
	}
	switch j.Type {
	case query.JoinInner, query.JoinSemi:
		reduceItem(j.Left, need.union(on))
		reduceItem(j.Right, need.union(on))
	case query.JoinLeft, query.JoinAnti:
		reduceItem(j.Left, need)
		reduceItem(j.Right, on)
	default:
		reduceItem(j.Left, relset{})
		reduceItem(j.Right, relset{})
	}
}
