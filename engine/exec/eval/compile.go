package eval

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Compiler turns expressions into nodes.
type Compiler struct {
	// Lookup gives the implementation of a function: the built-ins, and those that need a session.
	Lookup func(oid base.OID) (builtins.Entry, bool)
	// Name gives the name of a function for the error when it has no implementation.
	Name func(oid base.OID) string
	// Fixed tells whether values of a type are kept in types.Datum.I.
	Fixed func(typ base.OID) bool
	// Slots tells which literals of the statement are read at run time.
	Slots []bool

	caseArg *register
	subCols [][]*register
}

// Slot gives the slot whose literal takes a constant's place at each execution; -1 when the plan stands for the value itself.
func (c *Compiler) Slot(e *query.Const) int {
	if e.Slot >= len(c.Slots) || e.Slot >= 0 && !c.Slots[e.Slot] {
		return -1
	}
	return e.Slot
}

// All compiles a list.
func (c *Compiler) All(list []query.Expr) ([]Node, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]Node, len(list))
	for i, e := range list {
		n, err := c.Compile(e)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// Compile compiles one expression.
func (c *Compiler) Compile(e query.Expr) (Node, error) {
	switch e := e.(type) {
	case *query.Col:
		if e.Side == query.Inner {
			return &innerCol{n: e.N}, nil
		}
		return &outerCol{n: e.N}, nil
	case *query.Const:
		return &constant{splat: splat{variable: !c.Fixed(e.Typ)}, value: e.Value, slot: c.Slot(e)}, nil
	case *query.Param:
		if e.Exec {
			return &execParam{splat: splat{variable: !c.Fixed(e.Typ)}, n: e.N}, nil
		}
		return &externalParam{splat: splat{variable: !c.Fixed(e.Typ)}, n: e.N - 1}, nil
	case *query.FuncExpr:
		n, err := c.call(e.Func, e.Args, e.Typ, e.Strict, e.Volatile, e.InColl, e.RetSet)
		if f, ok := n.(*function); ok {
			f.defined = Attributes(e.Columns)
		}
		return n, err
	case *query.OpExpr:
		return c.call(e.Func, e.Args, e.Typ, e.Strict, e.Volatile, e.InColl, e.RetSet)
	case *query.BoolExpr:
		return c.boolean(e)
	case *query.NullTest:
		return c.nullTest(e)
	case *query.BooleanTest:
		return unary(c, e.Arg, func(a Node) Node { return &booleanTest{arg: a, want: e.Want, not: e.Not} })
	case *query.Relabel:
		return c.relabel(e)
	case *query.Collate:
		return c.Compile(e.Arg)
	case *query.Case:
		return c.caseExpr(e)
	case *query.CaseArg:
		if c.caseArg == nil {
			return nil, pgerror.New(pgerror.InternalError, "CASE argument outside CASE")
		}
		return c.caseArg, nil
	case *query.Coalesce:
		args, err := c.All(e.Args)
		return &coalesce{args: args, variable: !c.Fixed(e.Typ)}, err
	}
	return c.compileRare(e)
}

func (c *Compiler) compileRare(e query.Expr) (Node, error) {
	switch e := e.(type) {
	case *query.DistinctExpr:
		return c.distinct(e)
	case *query.NullIf:
		return c.nullIf(e)
	case *query.ArrayOp:
		return c.arrayOp(e)
	case *query.MinMax:
		args, err := c.All(e.Args)
		return &minMax{args: args, least: e.Least, variable: !c.Fixed(e.Typ), compare: types.CompareFunc(comparable(e.Typ))}, err
	case *query.ArrayExpr:
		elems, err := c.All(e.Elems)
		return &arrayExpr{elems: elems, elem: e.Elem, multi: e.Multi}, err
	case *query.RowExpr:
		return c.row(e)
	case *query.RowCompare:
		return c.rowCompare(e)
	case *query.Subscript:
		return c.subscript(e)
	case *query.FieldSelect:
		return c.fieldSelect(e)
	case *query.CoerceViaIO:
		return unary(c, e.Arg, func(a Node) Node {
			return &viaIO{arg: a, from: e.Arg.Type(), to: e.Typ, variable: !c.Fixed(e.Typ)}
		})
	case *query.ArrayCoerce:
		return c.arrayCoerce(e)
	case *query.SQLValue:
		return &sqlValue{splat: splat{variable: !c.Fixed(e.Typ)}, name: e.Name, mod: e.Mod}, nil
	case *query.NextValue:
		return &nextValue{sequence: uint32(e.Sequence)}, nil
	case *query.SubExpr:
		return c.subExpr(e)
	case *query.SubColumn:
		return c.subColumn(e)
	}
	return nil, pgerror.Unsupported("expression %T", e)
}

// comparable gives the type whose comparison serves t; user types are not compared here.
func comparable(t base.OID) base.OID { return t }

func unary(c *Compiler, arg query.Expr, f func(Node) Node) (Node, error) {
	a, err := c.Compile(arg)
	if err != nil {
		return nil, err
	}
	return f(a), nil
}

// Attributes gives a column definition list as the functions see it.
func Attributes(cols []query.RangeColumn) []types.Attribute {
	var out []types.Attribute
	for _, c := range cols {
		out = append(out, types.Attribute{Name: c.Name, Type: c.Type, Typmod: c.Typmod})
	}
	return out
}

// call compiles a function call.
func (c *Compiler) call(fn base.OID, args []query.Expr, ret base.OID, strict bool, volatile byte, coll base.OID, retSet bool) (Node, error) {
	entry, ok := c.Lookup(fn)
	if !ok || entry.Scalar == nil && entry.Set == nil {
		return nil, pgerror.Unsupported("function %s", c.Name(fn))
	}
	if retSet || entry.Set != nil {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "set-valued function called in context that cannot accept a set")
	}
	nodes, err := c.All(args)
	if err != nil {
		return nil, err
	}
	f := &function{args: nodes, entry: entry, ret: ret, strict: strict, coll: coll, variable: !c.Fixed(ret)}
	for _, a := range args {
		f.argTypes = append(f.argTypes, a.Type())
	}
	f.values = make([]types.Datum, len(args))
	f.columns = vectors(len(args))
	f.stable = volatile != 'v'
	if f.stable && strict && len(args) > 0 {
		f.constant = true
		for _, a := range nodes {
			if _, isConst := a.(*constant); !isConst {
				f.constant = false
			}
		}
	}
	return f, nil
}
