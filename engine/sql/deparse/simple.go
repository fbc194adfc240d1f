package deparse

import (
	"strings"

	"manifold/engine/sql/query"
)

// simple tells whether an operand needs no parentheses under its parent in pretty form.
func (p *Printer) simple(e, parent query.Expr) bool {
	switch x := e.(type) {
	case *query.Var, *query.Col, *query.Const, *query.Param, *query.FuncExpr, *query.Aggref, *query.WindowFunc, *query.ArrayExpr, *query.RowExpr,
		*query.Coalesce, *query.MinMax, *query.NullIf, *query.SQLValue, *query.CaseArg, *query.NextValue, *query.Subscript, *query.SubExpr:
		return true
	case *query.Case:
		return true
	case *query.FieldSelect:
		_, nested := parent.(*query.FieldSelect)
		return !nested
	case *query.Relabel:
		return p.simple(x.Arg, x)
	case *query.CoerceViaIO:
		return p.simple(x.Arg, x)
	case *query.ArrayCoerce:
		return p.simple(x.Arg, x)
	case *query.DomainCheck:
		return p.simple(x.Arg, parent)
	case *query.OpExpr:
		if o, ok := parent.(*query.OpExpr); ok {
			return p.tighter(x, o)
		}
		return listParent(parent, true)
	case *query.NullTest, *query.BooleanTest, *query.DistinctExpr:
		return listParent(parent, true)
	case *query.BoolExpr:
		if o, ok := parent.(*query.BoolExpr); ok {
			return x.Op == query.Or && o.Op == query.Or || x.Op != query.Or && o.Op != query.Not
		}
		return listParent(parent, false)
	}
	return false
}

// tighter tells whether an arithmetic operator binds tighter than the one around it, or stands to the left of an equal one.
func (p *Printer) tighter(x, parent *query.OpExpr) bool {
	rank := func(o *query.OpExpr) int {
		if len(o.Args) != 2 {
			return 0
		}
		name, _ := p.operator(o.Op)
		switch {
		case len(name) != 1:
			return 0
		case strings.Contains("+-", name):
			return 1
		case strings.Contains("*/%", name):
			return 2
		}
		return 0
	}
	a, b := rank(x), rank(parent)
	switch {
	case a == 0 || b == 0:
		return false
	case a != b:
		return a > b
	}
	return parent.Args[0] == query.Expr(x)
}

// listParent tells whether a parent separates its operands itself.
func listParent(parent query.Expr, booleans bool) bool {
	switch x := parent.(type) {
	case *query.FuncExpr:
		return x.Form == query.FormCall
	case *query.BoolExpr:
		return booleans
	case *query.ArrayExpr, *query.RowExpr, *query.Coalesce, *query.MinMax, *query.NullIf, *query.Aggref, *query.WindowFunc, *query.Case,
		*query.Subscript:
		return true
	}
	return false
}
