package deparse

import (
	"strings"

	"manifold/engine/catalog"
	"manifold/engine/sql/query"
)

// Windows is a Namer that also knows the windows of the query whose expressions are printed.
type Windows interface {
	Namer
	// Window gives window n of the query, and the expressions that its items refer to; nil when it is not known.
	Window(n int) (*query.Window, func(ref int) query.Expr)
}

func (p *Printer) windowFunc(x *query.WindowFunc) {
	p.b.WriteString(p.function(x.Func) + "(")
	if x.Star {
		p.b.WriteByte('*')
	}
	if x.Variadic && len(x.Args) > 0 {
		p.list(x.Args[:len(x.Args)-1])
		if len(x.Args) > 1 {
			p.b.WriteString(", ")
		}
		p.b.WriteString("VARIADIC ")
		p.list(x.Args[len(x.Args)-1:])
	} else {
		p.list(x.Args)
	}
	p.b.WriteByte(')')
	if x.Filter != nil {
		p.b.WriteString(" FILTER (WHERE ")
		p.expr(x.Filter, false)
		p.b.WriteByte(')')
	}
	p.b.WriteString(" OVER ")
	if l, ok := p.Leaves.(Windows); ok {
		if w, target := l.Window(x.Window); w != nil {
			if w.Name != "" {
				p.b.WriteString(catalog.QuoteIdent(w.Name))
				return
			}
			p.b.WriteString(p.Window(w, target))
			return
		}
	}
	p.b.WriteString("(?)")
}

// Window prints the definition of a window, in parentheses; target gives the expressions that its items refer to.
func (p *Printer) Window(w *query.Window, target func(ref int) query.Expr) string {
	text, space := "(", ""
	add := func(s string) {
		text += space + s
		space = " "
	}
	if w.Base != "" {
		add(catalog.QuoteIdent(w.Base))
	}
	if len(w.Partition) > 0 && w.Base == "" {
		add("PARTITION BY " + p.windowItems(w.Partition, target, false))
	}
	if len(w.Order) > 0 && !w.CopiedOrder {
		add("ORDER BY " + p.windowItems(w.Order, target, true))
	}
	if w.Frame.Has(query.FrameNonDefault) {
		add(p.windowFrame(w))
	}
	return text + ")"
}

func (p *Printer) windowItems(items []*query.SortItem, target func(ref int) query.Expr, directions bool) string {
	text := ""
	for i, s := range items {
		part := p.SortKey(target(s.Ref))
		switch {
		case i == 0:
		case strings.HasPrefix(part, "\n"):
			text += ","
		default:
			text += ", "
		}
		text += part
		if directions {
			text += Direction(s.Descending, s.NullsFirst)
		}
	}
	return text
}

// SortKey prints an expression that rows are sorted or grouped by: not to be taken for a position or a name.
func (p *Printer) SortKey(e query.Expr) string {
	switch x := e.(type) {
	case *query.Const:
		saved := p.b
		p.b = strings.Builder{}
		p.constant(x, 1)
		text := p.b.String()
		p.b = saved
		return text
	case *query.Var:
		return p.Expr(e)
	case *query.FuncExpr, *query.Aggref, *query.WindowFunc:
		return "(" + p.Expr(e) + ")"
	}
	if p.Pretty {
		return "(" + p.Expr(e) + ")"
	}
	return p.Expr(e)
}

func (p *Printer) windowFrame(w *query.Window) string {
	f := w.Frame
	text := "RANGE "
	switch {
	case f.Has(query.FrameRows):
		text = "ROWS "
	case f.Has(query.FrameGroups):
		text = "GROUPS "
	}
	end := func(unbounded, current, back query.Frame, side string, offset query.Expr) string {
		switch {
		case f.Has(unbounded):
			return "UNBOUNDED " + side
		case f.Has(current):
			return "CURRENT ROW"
		case f.Has(back):
			return p.Expr(offset) + " PRECEDING"
		}
		return p.Expr(offset) + " FOLLOWING"
	}
	start := end(query.FrameStartUnboundedPreceding, query.FrameStartCurrentRow, query.FrameStartOffsetPreceding, "PRECEDING", w.Start)
	if f.Has(query.FrameBetween) {
		text += "BETWEEN " + start + " AND " +
			end(query.FrameEndUnboundedFollowing, query.FrameEndCurrentRow, query.FrameEndOffsetPreceding, "FOLLOWING", w.End)
	} else {
		text += start
	}
	switch {
	case f.Has(query.FrameExcludeCurrentRow):
		text += " EXCLUDE CURRENT ROW"
	case f.Has(query.FrameExcludeGroup):
		text += " EXCLUDE GROUP"
	case f.Has(query.FrameExcludeTies):
		text += " EXCLUDE TIES"
	}
	return text
}
