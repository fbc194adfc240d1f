package optimize

import (
	"testing"

	"pgregory.net/rapid"

	"manifold/engine/sql/query"
	"manifold/engine/types"
)

func TestRelsetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOf(rapid.IntRange(0, maxRels-1))
		a, b := members.Draw(t, "a"), members.Draw(t, "b")
		in := func(l []int, x int) bool {
			for _, y := range l {
				if x == y {
					return true
				}
			}
			return false
		}
		set := func(l []int) (s relset) {
			for _, x := range l {
				s = s.union(single(x))
			}
			return s
		}
		x, y := set(a), set(b)
		within, meets := true, false
		for i := range maxRels {
			if x.union(y).has(i) != (in(a, i) || in(b, i)) || x.minus(y).has(i) != (in(a, i) && !in(b, i)) || x.and(y).has(i) != (in(a, i) && in(b, i)) {
				t.Fatalf("member %d", i)
			}
			within = within && (!in(a, i) || in(b, i))
			meets = meets || in(a, i) && in(b, i)
		}
		if x.within(y) != within || x.meets(y) != meets || x.empty() != (len(a) == 0) {
			t.Fatal("relations between sets")
		}
	})
}

func intVar(rte, attr, up int) *query.Var {
	return &query.Var{T: query.T{Typ: types.OIDInt4, Mod: -1}, RTE: rte, Attr: attr, Up: up}
}

func TestShiftLeavesInnerReferencesAlone(t *testing.T) {
	inner := &query.Query{Where: &query.OpExpr{Op: 96, Args: []query.Expr{intVar(1, 1, 0), intVar(1, 2, 2)}}, Range: []*query.RangeEntry{{Kind: query.RangeCTE, CTEUp: 2}}}
	q := &query.Query{Where: &query.SubLink{Kind: query.SubExists, Query: inner}, Having: intVar(3, 1, 1)}
	c := copyQuery(q)
	shiftQuery(c, 1, 4)
	got := c.Where.(*query.SubLink).Query
	args := got.Where.(*query.OpExpr).Args
	if args[0].(*query.Var).Up != 0 || args[1].(*query.Var).Up != 6 || c.Having.(*query.Var).Up != 5 || got.Range[0].CTEUp != 6 {
		t.Fatalf("%v %v %v", args[0], args[1], got.Range[0].CTEUp)
	}
	if inner.Where.(*query.OpExpr).Args[1].(*query.Var).Up != 2 || inner.Range[0].CTEUp != 2 {
		t.Fatal("the original was changed")
	}
}

func TestConstantsKeepTheirIdentity(t *testing.T) {
	k := &query.Const{T: query.T{Typ: types.OIDInt4}, Slot: 3}
	e := &query.OpExpr{Op: 96, Args: []query.Expr{intVar(1, 1, 0), k}}
	if copyExpr(e).(*query.OpExpr).Args[1] != query.Expr(k) {
		t.Fatal("a constant was copied")
	}
}

func TestNonNullable(t *testing.T) {
	eq := func(v query.Expr) query.Expr {
		return &query.OpExpr{T: boolT, Strict: true, Args: []query.Expr{v, &query.Const{T: query.T{Typ: types.OIDInt4}, Slot: -1}}}
	}
	a, b := intVar(1, 1, 0), intVar(2, 1, 0)
	or := &query.BoolExpr{T: boolT, Op: query.Or, Args: []query.Expr{eq(a), eq(b)}}
	for name, c := range map[string]struct {
		e    query.Expr
		want relset
	}{
		"strict":      {eq(a), single(1)},
		"or of two":   {or, relset{}},
		"and of two":  {&query.BoolExpr{T: boolT, Op: query.And, Args: []query.Expr{eq(a), eq(b)}}, single(1).union(single(2))},
		"is null":     {&query.NullTest{T: boolT, Arg: a}, relset{}},
		"is not null": {&query.NullTest{T: boolT, Arg: a, Not: true}, single(1)},
		"coalesce":    {eq(&query.Coalesce{Args: []query.Expr{a, b}}), relset{}},
		"not strict":  {&query.BoolExpr{T: boolT, Op: query.Not, Args: []query.Expr{eq(a)}}, single(1)},
	} {
		if got := nonNullable(c.e, true); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFactorOr(t *testing.T) {
	a, b, c := intVar(1, 1, 0), intVar(1, 2, 0), intVar(1, 3, 0)
	and := func(l ...query.Expr) query.Expr { return conjunction(l) }
	got := conjuncts(factorOr([]query.Expr{and(a, b), and(c, a)}))
	if len(got) != 2 || !same(got[0], a) {
		t.Fatalf("%v", got)
	}
	if got := factorOr([]query.Expr{and(a, b), a}); !same(got, a) {
		t.Fatalf("absorption gave %v", got)
	}
}

func TestHistogramShare(t *testing.T) {
	h := []types.Datum{types.Int(0), types.Int(10), types.Int(20)}
	for v, want := range map[int64]float64{5: 0.25, 10: 0.5, 15: 0.75, -1: 0.0001, 99: 0.9999} {
		if got := histogramShare(types.OIDInt4, h, types.Int(v), true); got < want-0.01 || got > want+0.01 {
			t.Errorf("below %d: %f", v, got)
		}
	}
}

func TestAddPathKeepsWhatIsBestInSomeRespect(t *testing.T) {
	order := []orderKey{{expr: intVar(1, 1, 0), family: 1}}
	cheap, sorted := &path{total: 10, startup: 5}, &path{total: 20, startup: 1, order: order}
	list := addPath(addPath(nil, cheap, false), sorted, false)
	if len(list) != 2 {
		t.Fatal("the sorted path was lost")
	}
	if list = addPath(list, &path{total: 30, startup: 0}, false); len(list) != 2 {
		t.Fatal("a path that is worse was kept")
	}
	if list = addPath(list, &path{total: 9, order: order}, false); len(list) != 1 {
		t.Fatal("paths that are beaten were kept")
	}
}
