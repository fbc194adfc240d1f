package optimize

import (
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// Children gives the inputs of a node, outer first.
func Children(n plan.Node) []plan.Node {
	switch n := n.(type) {
	case *plan.Result:
		if n.Child == nil {
			return nil
		}
		return []plan.Node{n.Child}
	case *plan.RecursiveUnion:
		return []plan.Node{n.Left, n.Right}
	case *plan.SubqueryScan:
		return []plan.Node{n.Child}
	case *plan.NestLoop:
		return []plan.Node{n.Left, n.Right}
	case *plan.HashJoin:
		return []plan.Node{n.Left, n.Right}
	case *plan.MergeJoin:
		return []plan.Node{n.Left, n.Right}
	case *plan.Sort:
		return []plan.Node{n.Child}
	case *plan.Material:
		return []plan.Node{n.Child}
	case *plan.Agg:
		return []plan.Node{n.Child}
	case *plan.WindowAgg:
		return []plan.Node{n.Child}
	case *plan.Unique:
		return []plan.Node{n.Child}
	case *plan.Limit:
		return []plan.Node{n.Child}
	case *plan.Append:
		return n.Children
	case *plan.SetOp:
		return []plan.Node{n.Left, n.Right}
	case *plan.ProjectSet:
		return []plan.Node{n.Child}
	case *plan.LockRows:
		return []plan.Node{n.Child}
	case *plan.Modify:
		return []plan.Node{n.Child}
	}
	return nil
}

// Walk visits a plan tree, parents first.
func Walk(n plan.Node, f func(plan.Node)) {
	if n == nil {
		return
	}
	f(n)
	for _, c := range Children(n) {
		Walk(c, f)
	}
}

// Expressions calls f with every expression of a node.
func Expressions(n plan.Node, f func(query.Expr)) {
	list := func(l []query.Expr) {
		for _, e := range l {
			f(e)
		}
	}
	one := func(e query.Expr) {
		if e != nil {
			f(e)
		}
	}
	b := n.Common()
	list(b.Filter)
	list(b.Project)
	switch n := n.(type) {
	case *plan.IndexScan:
		conds(n.Conds, one)
		list(n.Recheck)
	case *plan.BitmapHeap:
		bitmapExprs(n.Source, one)
		list(n.Recheck)
	case *plan.TidScan:
		list(n.TIDs)
	case *plan.Result:
		list(n.OneTime)
	case *plan.Values:
		for _, r := range n.Rows {
			list(r)
		}
	case *plan.FunctionScan:
		list(n.Funcs)
	case *plan.NestLoop:
		list(n.On)
		for _, s := range n.Params {
			one(s.Value)
		}
	case *plan.HashJoin:
		list(n.On)
		list(n.LeftKeys)
		list(n.RightKeys)
	case *plan.MergeJoin:
		list(n.On)
	case *plan.Sort:
		one(n.Bound)
	case *plan.Agg:
		for i := range n.Calls {
			list(n.Calls[i].Args)
			one(n.Calls[i].Filter)
		}
	case *plan.WindowAgg:
		list(n.Run)
		one(n.Start)
		one(n.End)
		for i := range n.Calls {
			list(n.Calls[i].Args)
			one(n.Calls[i].Filter)
		}
	case *plan.Limit:
		one(n.Count)
		one(n.Offset)
	case *plan.ProjectSet:
		list(n.Exprs)
	case *plan.Modify:
		modifyExprs(n, list)
	}
}

func conds(l []plan.KeyCond, one func(query.Expr)) {
	for _, c := range l {
		one(c.Value)
	}
}

func bitmapExprs(b plan.Bitmap, one func(query.Expr)) {
	switch b := b.(type) {
	case *plan.BitmapIndex:
		conds(b.Conds, one)
	case *plan.BitmapAnd:
		for _, s := range b.Sources {
			bitmapExprs(s, one)
		}
	case *plan.BitmapOr:
		for _, s := range b.Sources {
			bitmapExprs(s, one)
		}
	}
}

func modifyExprs(n *plan.Modify, list func([]query.Expr)) {
	list(n.Returning)
	if n.Conflict != nil {
		list(n.Conflict.Set)
		list(n.Conflict.Where)
	}
}
