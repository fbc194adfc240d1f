package explain

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"manifold/engine/pgerror"
	"manifold/engine/sql/optimize"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// checkPlan tells what is wrong with a plan: columns that its inputs do not have, and leaves of queries.
func checkPlan(s *plan.Statement) []string {
	var out []string
	set := map[int]bool{}
	for _, p := range s.SubPlans {
		if p.Init {
			set[p.Output] = true
		}
	}
	note := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if sub, ok := x.(*query.SubExpr); ok {
				for _, p := range sub.Params {
					set[p.N] = true
				}
			}
			return true
		})
	}
	visit := func(n plan.Node) {
		if j, ok := n.(*plan.NestLoop); ok {
			for _, p := range j.Params {
				set[p.N] = true
			}
		}
		optimize.Expressions(n, note)
	}
	roots := []plan.Node{s.Root}
	for _, p := range s.SubPlans {
		roots = append(roots, p.Root)
	}
	for _, c := range s.CTEs {
		roots = append(roots, c.Root)
	}
	for _, r := range roots {
		optimize.Walk(r, visit)
	}
	for _, r := range roots {
		optimize.Walk(r, func(n plan.Node) { out = append(out, checkNode(n, set)...) })
	}
	return out
}

func checkNode(n plan.Node, set map[int]bool) []string {
	var out []string
	bad := func(format string, args ...any) {
		out = append(out, fmt.Sprintf("%T %d: %s", n, n.Common().ID, fmt.Sprintf(format, args...)))
	}
	outer, inner := inputs(n)
	expr := func(outer, inner []plan.Column) func(e query.Expr) {
		return func(e query.Expr) {
			query.Walk(e, func(x query.Expr) bool {
				switch x := x.(type) {
				case *query.Var, *query.SubLink, *query.Aggref, *query.WindowFunc:
					bad("holds %T", x)
				case *query.Param:
					if x.Exec && !set[x.N] {
						bad("parameter %d is set nowhere", x.N)
					}
				case *query.Col:
					in := outer
					if x.Side == query.Inner {
						in = inner
					}
					switch {
					case in == nil:
					case x.N < 0 || x.N >= len(in):
						bad("column %d of %d (side %d)", x.N, len(in), x.Side)
					case in[x.N].Type != x.Typ:
						bad("column %d has type %d, not %d", x.N, in[x.N].Type, x.Typ)
					}
				}
				return true
			})
		}
	}
	if _, ok := n.(*plan.Modify); !ok {
		optimize.Expressions(n, expr(outer, inner))
	}
	if b := n.Common(); b.Project != nil && len(b.Project) != len(b.Out) {
		bad("%d projected columns, %d described", len(b.Project), len(b.Out))
	}
	keys := func(l []plan.SortKey, in []plan.Column) {
		for _, k := range l {
			if k.Column < 0 || k.Column >= len(in) {
				bad("key column %d of %d", k.Column, len(in))
			}
		}
	}
	switch n := n.(type) {
	case *plan.Sort:
		keys(n.Keys, outer)
	case *plan.Unique:
		keys(n.Keys, outer)
	case *plan.Agg:
		keys(n.Group, n.Child.Common().Out)
		for i := range n.Calls {
			for _, a := range n.Calls[i].Args {
				expr(n.Child.Common().Out, nil)(a)
			}
			for _, o := range n.Calls[i].Order {
				if o.Column < 0 || o.Column >= len(n.Calls[i].Args) {
					bad("aggregate sorts by argument %d", o.Column)
				}
			}
		}
	case *plan.WindowAgg:
		in := n.Child.Common().Out
		keys(n.Partition, in)
		keys(n.Order, in)
		for i := range n.Calls {
			for _, a := range n.Calls[i].Args {
				expr(in, nil)(a)
			}
		}
	case *plan.SetOp:
		keys(n.Keys, outer)
	case *plan.Append:
		for _, c := range n.Children {
			if len(c.Common().Out) != len(n.Children[0].Common().Out) {
				bad("branches of %d and %d columns", len(n.Children[0].Common().Out), len(c.Common().Out))
			}
		}
	case *plan.MergeJoin:
		for _, k := range n.Keys {
			if k.Left < 0 || k.Left >= len(outer) || k.Right < 0 || k.Right >= len(inner) {
				bad("merge key %d, %d", k.Left, k.Right)
			}
		}
	case *plan.Modify:
		for _, v := range n.Values {
			if v >= len(outer) {
				bad("value column %d of %d", v, len(outer))
			}
		}
		if n.Command != query.Insert && (n.Ctid < 0 || n.Ctid >= len(outer)) {
			bad("ctid column %d", n.Ctid)
		}
	}
	return out
}

// inputs gives the columns that a node's expressions may read; nil for those that are not checked.
func inputs(n plan.Node) (outer, inner []plan.Column) {
	switch n := n.(type) {
	case *plan.NestLoop:
		return n.Left.Common().Out, n.Right.Common().Out
	case *plan.HashJoin:
		return nil, nil
	case *plan.MergeJoin:
		return n.Left.Common().Out, n.Right.Common().Out
	case *plan.Agg, *plan.ProjectSet:
		return nil, nil
	}
	if w, ok := n.(*plan.WindowAgg); ok {
		in := w.Child.Common().Out
		in = in[:len(in):len(in)]
		for i := range w.Calls {
			in = append(in, plan.Column{Type: w.Calls[i].Type})
		}
		return in, nil
	}
	if c := optimize.Children(n); len(c) > 0 {
		return c[0].Common().Out, nil
	}
	return nil, nil
}

func TestPlansOfCatalogQueriesAreSound(t *testing.T) {
	v, f := schema(t)
	data, err := os.ReadFile("../analyze/testdata/accepted.sql")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("testdata/plans.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range strings.Split(string(data)+";\n"+string(more), ";\n") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		for _, literals := range []bool{true, false} {
			s, err := planText(t, v, f, q, literals)
			if err != nil {
				if pgerror.Code(err) == pgerror.FeatureNotSupported {
					t.Logf("%s: %v", q, err)
					continue
				}
				t.Errorf("%s\n%v", q, err)
				continue
			}
			for _, b := range checkPlan(s) {
				t.Errorf("%s\n%s", q, b)
			}
		}
	}
}
