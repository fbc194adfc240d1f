package deparse

import (
	"fmt"
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// parens writes an opening parenthesis where the plain form has one, and gives what writes the closing one.
func (p *Printer) parens() func() {
	if p.Pretty {
		return func() {}
	}
	p.b.WriteByte('(')
	return func() { p.b.WriteByte(')') }
}

// inside prints an operand: in pretty form with parentheses unless it binds tighter than its parent.
func (p *Printer) inside(e, parent query.Expr, implicit bool) {
	if p.Pretty && !p.simple(e, parent) {
		p.b.WriteByte('(')
		p.expr(e, implicit)
		p.b.WriteByte(')')
		return
	}
	p.expr(e, implicit)
}

func (p *Printer) list(l []query.Expr) {
	for i, e := range l {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.expr(e, true)
	}
}

// expr prints an expression; implicit tells whether casts that nobody wrote are shown.
func (p *Printer) expr(e query.Expr, implicit bool) {
	switch x := e.(type) {
	case *query.Const:
		p.constant(x, 0)
	case *query.Param:
		if x.Exec {
			p.leaf(e)
			return
		}
		fmt.Fprintf(&p.b, "$%d", x.N)
	case *query.OpExpr:
		p.opExpr(x)
	case *query.FuncExpr:
		p.funcExpr(x, implicit)
	case *query.BoolExpr:
		p.boolExpr(x)
	case *query.DistinctExpr:
		done := p.parens()
		p.inside(x.Args[0], x, true)
		if x.Not {
			p.b.WriteString(" IS NOT DISTINCT FROM ")
		} else {
			p.b.WriteString(" IS DISTINCT FROM ")
		}
		p.inside(x.Args[1], x, true)
		done()
	case *query.NullIf:
		p.call("NULLIF", x.Args)
	case *query.ArrayOp:
		p.arrayOp(x)
	case *query.NullTest:
		p.test(x, x.Arg, "NULL", x.Not)
	case *query.BooleanTest:
		p.test(x, x.Arg, map[byte]string{'t': "TRUE", 'f': "FALSE", 'u': "UNKNOWN"}[x.Want], x.Not)
	case *query.Coalesce:
		p.call("COALESCE", x.Args)
	case *query.MinMax:
		if x.Least {
			p.call("LEAST", x.Args)
		} else {
			p.call("GREATEST", x.Args)
		}
	case *query.RowExpr:
		p.call("ROW", x.Args)
	case *query.RowCompare:
		p.rowCompare(x)
	case *query.Case:
		p.caseExpr(x)
	case *query.ArrayExpr:
		p.arrayExpr(x)
	case *query.Relabel:
		p.cast(x, x.Arg, x.Form, implicit)
	case *query.CoerceViaIO:
		p.cast(x, x.Arg, x.Form, implicit)
	case *query.ArrayCoerce:
		p.cast(x, x.Arg, x.Form, implicit)
	case *query.DomainCheck:
		p.cast(x, x.Arg, query.FormImplicitCast, implicit)
	case *query.Collate:
		done := p.parens()
		p.inside(x.Arg, x, true)
		p.b.WriteString(" COLLATE " + p.collation(x.Coll))
		done()
	default:
		p.rare(e)
	}
}

func (p *Printer) rare(e query.Expr) {
	switch x := e.(type) {
	case *query.Aggref:
		p.aggref(x)
	case *query.WindowFunc:
		p.windowFunc(x)
	case *query.Subscript:
		p.subscript(x)
	case *query.FieldSelect:
		p.fieldSelect(x)
	case *query.SQLValue:
		p.sqlValue(x)
	case *query.NextValue:
		name, _ := p.Names.NameOf(types.RegClass, x.Sequence)
		p.b.WriteString("nextval(" + QuoteLiteral(name) + "::regclass)")
	case *query.CaseArg:
		p.b.WriteString("CASE_TEST_EXPR")
	case *query.Default:
		p.b.WriteString("DEFAULT")
	case *query.CurrentOf:
		p.b.WriteString("CURRENT OF " + catalog.QuoteIdent(x.Cursor))
	default:
		p.leaf(e)
	}
}

func (p *Printer) leaf(e query.Expr) {
	text, plain := p.Leaves.Leaf(p, e)
	if plain {
		p.b.WriteString(text)
		return
	}
	p.b.WriteString("(" + text + ")")
}

func (p *Printer) call(name string, args []query.Expr) {
	p.b.WriteString(name + "(")
	p.list(args)
	p.b.WriteByte(')')
}

func (p *Printer) opExpr(x *query.OpExpr) {
	done := p.parens()
	name, _ := p.operator(x.Op)
	if len(x.Args) == 1 {
		p.b.WriteString(name + " ")
		p.inside(x.Args[0], x, true)
	} else {
		p.inside(x.Args[0], x, true)
		p.b.WriteString(" " + name + " ")
		p.inside(x.Args[1], x, true)
	}
	done()
}

func (p *Printer) boolExpr(x *query.BoolExpr) {
	done := p.parens()
	if x.Op == query.Not {
		p.b.WriteString("NOT ")
		p.inside(x.Args[0], x, false)
	} else {
		word := " AND "
		if x.Op == query.Or {
			word = " OR "
		}
		for i, a := range x.Args {
			if i > 0 {
				p.b.WriteString(word)
			}
			p.inside(a, x, false)
		}
	}
	done()
}

func (p *Printer) test(x, arg query.Expr, what string, not bool) {
	done := p.parens()
	p.inside(arg, x, what == "NULL")
	p.b.WriteString(" IS ")
	if not {
		p.b.WriteString("NOT ")
	}
	p.b.WriteString(what)
	done()
}

func (p *Printer) arrayOp(x *query.ArrayOp) {
	done := p.parens()
	name, _ := p.operator(x.Op)
	p.inside(x.Args[0], x, true)
	word := " ALL ("
	if x.Any {
		word = " ANY ("
	}
	p.b.WriteString(" " + name + word)
	p.inside(x.Args[1], x, true)
	p.b.WriteByte(')')
	done()
}

func (p *Printer) rowCompare(x *query.RowCompare) {
	name, _ := p.operator(x.Ops[0])
	p.b.WriteString("(ROW(")
	p.list(x.Left)
	p.b.WriteString(") " + name + " ROW(")
	p.list(x.Right)
	p.b.WriteString("))")
}

// keyword begins a line of its own.
func (p *Printer) keyword(word string, before, after int) {
	if p.Flat {
		p.b.WriteString(word)
		return
	}
	p.indent += before
	text := strings.TrimRight(p.b.String(), " ")
	p.b.Reset()
	p.b.WriteString(text + "\n" + strings.Repeat(" ", p.Margin+max(p.indent, 0)) + word)
	p.indent += after
}

func (p *Printer) caseExpr(x *query.Case) {
	space := func() {
		if p.Flat {
			p.b.WriteByte(' ')
		}
	}
	p.keyword("CASE", 0, 4)
	if x.Arg != nil {
		p.b.WriteByte(' ')
		p.expr(x.Arg, true)
	}
	for _, w := range x.Whens {
		space()
		p.keyword("WHEN ", 0, 0)
		cond := w.Cond
		if x.Arg != nil {
			// The arm compares the argument with a value; the value alone is what was written.
			if o, ok := cond.(*query.OpExpr); ok && len(o.Args) == 2 {
				cond = o.Args[1]
			}
		}
		p.expr(cond, false)
		p.b.WriteString(" THEN ")
		p.expr(w.Result, true)
	}
	space()
	p.keyword("ELSE ", 0, 0)
	p.expr(x.Else, true)
	space()
	p.keyword("END", -4, 0)
}

func (p *Printer) arrayExpr(x *query.ArrayExpr) {
	if p.Folded {
		if text, ok := foldArray(x, p.Env); ok {
			p.b.WriteString(QuoteLiteral(text) + "::" + p.TypeName(x.Typ, x.Mod))
			return
		}
	}
	p.b.WriteString("ARRAY[")
	p.list(x.Elems)
	p.b.WriteByte(']')
	if len(x.Elems) == 0 {
		p.b.WriteString("::" + p.TypeName(x.Typ, -1))
	}
}

// foldArray gives the text of an array of constants.
func foldArray(x *query.ArrayExpr, env *types.Env) (string, bool) {
	if x.Multi || len(x.Elems) == 0 {
		return "", false
	}
	var elems []types.Datum
	for _, e := range x.Elems {
		c, ok := e.(*query.Const)
		if !ok {
			return "", false
		}
		elems = append(elems, c.Value)
	}
	if _, ok := types.Lookup(x.Elem); !ok {
		return "", false
	}
	return string(types.AppendText(nil, x.Typ, types.MakeArray(x.Elem, elems), env)), true
}

// cast prints a coercion; an implicit one prints only what is coerced.
func (p *Printer) cast(x, arg query.Expr, form query.FuncForm, implicit bool) {
	if form == query.FormImplicitCast && !implicit {
		p.inside(arg, x, false)
		return
	}
	p.coerce(x, arg, x.Type(), x.Typmod())
}

func (p *Printer) coerce(x, arg query.Expr, typ base.OID, mod int32) {
	if mod >= 0 && arg.Type() == typ && arg.Typmod() < 0 { // a length put on top of a cast is one cast
		if inner := castArg(arg); inner != nil {
			arg = inner
		}
	}
	if c, ok := arg.(*query.Const); ok && c.Typ == typ && c.Mod == -1 {
		p.constant(c, -1)
	} else {
		done := p.parens()
		p.inside(arg, x, false)
		done()
	}
	p.b.WriteString("::" + p.TypeName(typ, mod))
}

func (p *Printer) funcExpr(x *query.FuncExpr, implicit bool) {
	switch x.Form {
	case query.FormImplicitCast, query.FormExplicitCast:
		if x.Form == query.FormImplicitCast && !implicit {
			p.inside(x.Args[0], x, false)
			return
		}
		p.coerce(x, x.Args[0], x.Typ, castMod(x))
		return
	case query.FormSQLSyntax:
		if p.sqlSyntax(x) {
			return
		}
	}
	p.b.WriteString(p.function(x.Func) + "(")
	for i, a := range x.Args {
		if i > 0 {
			p.b.WriteString(", ")
		}
		if x.Variadic && i == len(x.Args)-1 {
			p.b.WriteString("VARIADIC ")
		}
		p.expr(a, true)
	}
	p.b.WriteByte(')')
}

// castArg gives what a cast casts; nil for anything else.
func castArg(e query.Expr) query.Expr {
	switch x := e.(type) {
	case *query.FuncExpr:
		if x.Form == query.FormExplicitCast || x.Form == query.FormImplicitCast {
			return x.Args[0]
		}
	case *query.Relabel:
		return x.Arg
	case *query.CoerceViaIO:
		return x.Arg
	}
	return nil
}

// castMod gives the length of a length coercion, which is its second argument.
func castMod(x *query.FuncExpr) int32 {
	if len(x.Args) >= 2 {
		if c, ok := x.Args[1].(*query.Const); ok && c.Typ == types.OIDInt4 && !c.Value.Null {
			return int32(c.Value.I)
		}
	}
	return x.Mod
}

// sqlSyntax prints the functions that SQL gives a syntax of their own; false for others.
func (p *Printer) sqlSyntax(x *query.FuncExpr) bool {
	f, err := p.view().ProcByOID(x.Func)
	if err != nil || f == nil {
		return false
	}
	arg := func(i int) {
		p.expr(x.Args[i], true)
	}
	switch f.Name {
	case "timezone":
		if len(x.Args) != 2 {
			return false
		}
		p.b.WriteByte('(')
		p.inside(x.Args[1], x, true)
		p.b.WriteString(" AT TIME ZONE ")
		p.inside(x.Args[0], x, true)
		p.b.WriteByte(')')
	case "extract":
		c, ok := x.Args[0].(*query.Const)
		if !ok || c.Value.Null {
			return false
		}
		p.b.WriteString("EXTRACT(" + string(c.Value.B) + " FROM ")
		arg(1)
		p.b.WriteByte(')')
	case "position":
		p.b.WriteString("POSITION((")
		arg(1)
		p.b.WriteString(") IN (")
		arg(0)
		p.b.WriteString("))")
	case "substring":
		p.b.WriteString("SUBSTRING(")
		arg(0)
		for i, w := range []string{" FROM ", " FOR "} {
			if len(x.Args) > i+1 {
				p.b.WriteString(w)
				arg(i + 1)
			}
		}
		p.b.WriteByte(')')
	case "overlay":
		p.b.WriteString("OVERLAY(")
		arg(0)
		for i, w := range []string{" PLACING ", " FROM ", " FOR "} {
			if len(x.Args) > i+1 {
				p.b.WriteString(w)
				arg(i + 1)
			}
		}
		p.b.WriteByte(')')
	case "btrim", "ltrim", "rtrim":
		p.b.WriteString("TRIM(" + map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[f.Name])
		if len(x.Args) == 2 {
			p.b.WriteByte(' ')
			arg(1)
		}
		p.b.WriteString(" FROM ")
		arg(0)
		p.b.WriteByte(')')
	case "overlaps":
		p.b.WriteString("((")
		p.list(x.Args[:2])
		p.b.WriteString(") OVERLAPS (")
		p.list(x.Args[2:])
		p.b.WriteString("))")
	default:
		return false
	}
	return true
}

// orderedSet tells whether an aggregate sorts its arguments WITHIN GROUP.
func (p *Printer) orderedSet(f base.OID) bool {
	facts, err := p.view().AggregateOf(f)
	return err == nil && facts != nil && facts.Kind != 'n'
}

func (p *Printer) aggref(x *query.Aggref) {
	p.b.WriteString(p.function(x.Func) + "(")
	if len(x.Distinct) > 0 {
		p.b.WriteString("DISTINCT ")
	}
	if x.Star {
		p.b.WriteByte('*')
	}
	if len(x.Direct) > 0 || p.orderedSet(x.Func) {
		p.list(x.Direct)
		p.b.WriteString(") WITHIN GROUP (")
	}
	n := 0
	for _, t := range x.Args {
		if t.Junk || len(x.Direct) > 0 || p.orderedSet(x.Func) {
			continue
		}
		if n > 0 {
			p.b.WriteString(", ")
		}
		n++
		p.expr(t.Expr, true)
	}
	for i, s := range x.Order {
		if i == 0 {
			if n > 0 {
				p.b.WriteByte(' ')
			}
			p.b.WriteString("ORDER BY ")
		} else {
			p.b.WriteString(", ")
		}
		for _, t := range x.Args {
			if t.Ref == s.Ref {
				p.expr(t.Expr, true)
			}
		}
		p.b.WriteString(Direction(s.Descending, s.NullsFirst))
	}
	p.b.WriteByte(')')
	if x.Filter != nil {
		p.b.WriteString(" FILTER (WHERE ")
		p.expr(x.Filter, true)
		p.b.WriteByte(')')
	}
}

// Direction prints what of a sort order is not the default.
func Direction(desc, nullsFirst bool) string {
	switch {
	case desc && !nullsFirst:
		return " DESC NULLS LAST"
	case desc:
		return " DESC"
	case nullsFirst:
		return " NULLS FIRST"
	}
	return ""
}

func (p *Printer) subscript(x *query.Subscript) {
	_, plain := x.Array.(*query.Var)
	if _, field := x.Array.(*query.FieldSelect); field {
		plain = true
	}
	if c, col := x.Array.(*query.Col); col {
		_, plain = p.Leaves.Leaf(p, c)
	}
	if !plain {
		p.b.WriteByte('(')
	}
	p.expr(x.Array, true)
	if !plain {
		p.b.WriteByte(')')
	}
	for i := range x.Upper {
		p.b.WriteByte('[')
		if x.Slice {
			if x.Lower[i] != nil {
				p.expr(x.Lower[i], false)
			}
			p.b.WriteByte(':')
		}
		if x.Upper[i] != nil {
			p.expr(x.Upper[i], false)
		}
		p.b.WriteByte(']')
	}
}

func (p *Printer) fieldSelect(x *query.FieldSelect) {
	p.b.WriteByte('(')
	p.expr(x.Arg, true)
	p.b.WriteString(").")
	name := fmt.Sprintf("f%d", x.Field)
	if f, ok := x.Arg.(*query.FuncExpr); ok && f.Typ == types.OIDRecord {
		name = p.outName(f.Func, x.Field, name)
	}
	if t, err := p.view().TypeByOID(x.Arg.Type()); err == nil && t != nil && t.RelID != 0 {
		if d, err := p.view().Relation(t.RelID); err == nil && d != nil && x.Field <= len(d.Columns) {
			name = d.Columns[x.Field-1].Name
		}
	}
	p.b.WriteString(catalog.QuoteIdent(name))
}

// outName gives the name of a function's OUT parameter.
func (p *Printer) outName(fn base.OID, n int, otherwise string) string {
	proc, err := p.view().MustProc(fn)
	if err != nil {
		return otherwise
	}
	for i, m := range proc.Modes {
		if m == 'o' || m == 'b' || m == 't' {
			if n--; n == 0 && i < len(proc.Names) {
				return proc.Names[i]
			}
		}
	}
	return otherwise
}

func (p *Printer) sqlValue(x *query.SQLValue) {
	name := x.Name
	if name == "current_schema" || name == "current_catalog" || name == "user" || name == "session_user" {
		p.b.WriteString(strings.ToUpper(name))
		return
	}
	p.b.WriteString(strings.ToUpper(name))
	if x.Mod >= 0 {
		fmt.Fprintf(&p.b, "(%d)", x.Mod)
	}
}

func (p *Printer) collation(oid base.OID) string {
	return CollationName(oid)
}

// CollationName gives the quoted name of a built-in collation.
func CollationName(oid base.OID) string {
	switch oid {
	case 100:
		return `"default"`
	case 950:
		return `"C"`
	case 951:
		return `"POSIX"`
	}
	return fmt.Sprintf("\"%d\"", oid)
}
