package deparse

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Namer says what stands for the leaves that an expression's place decides: columns (query.Var, query.Col), executor
// parameters and sub-selects. Plain tells that the text needs no parentheses around it.
type Namer interface {
	Leaf(p *Printer, e query.Expr) (text string, plain bool)
}

// Printer prints expressions.
type Printer struct {
	Names  *catalog.Names // of functions, operators and types, by the session's search path
	Env    *types.Env
	Leaves Namer
	Pretty bool
	// Flat keeps everything on one line, as EXPLAIN wants it.
	Flat bool
	// Folded prints ARRAY[...] of constants as the array literal that planning elsewhere would have made of it.
	Folded bool
	// Margin is by how much the lines that CASE begins are indented.
	Margin int

	b      strings.Builder
	indent int
}

// Expr prints an expression.
func (p *Printer) Expr(e query.Expr) string {
	saved := p.b
	p.b = strings.Builder{}
	p.expr(e, false)
	out := p.b.String()
	p.b = saved
	return out
}

// Columns is a Namer for expressions over one relation.
type Columns struct {
	Names  []string
	Prefix string // put before each name, with its dot
}

// Leaf implements Namer.
func (c *Columns) Leaf(_ *Printer, e query.Expr) (string, bool) {
	v, ok := e.(*query.Var)
	if !ok {
		return "?", true
	}
	switch {
	case v.Attr > 0 && v.Attr <= len(c.Names):
		return c.Prefix + catalog.QuoteIdent(c.Names[v.Attr-1]), true
	case v.Attr == 0:
		return strings.TrimSuffix(c.Prefix, ".") + ".*", true
	}
	return c.Prefix + SystemColumn(v.Attr), true
}

// SystemColumn gives the name of a system column.
func SystemColumn(attr int) string {
	switch attr {
	case query.AttrCtid:
		return "ctid"
	case query.AttrXmin:
		return "xmin"
	case query.AttrCmin:
		return "cmin"
	case query.AttrXmax:
		return "xmax"
	case query.AttrCmax:
		return "cmax"
	case query.AttrTableOID:
		return "tableoid"
	}
	return "?"
}

func (p *Printer) view() *catalog.View { return p.Names.View }

// TypeName prints a type with its modifier.
func (p *Printer) TypeName(typ base.OID, mod int32) string {
	if mod < 0 { // without a length the SQL name would mean a length of one
		switch typ {
		case types.OIDBPChar:
			return "bpchar"
		case types.ArrayType(types.OIDBPChar):
			return "bpchar[]"
		}
	}
	if _, ok := types.Lookup(typ); ok {
		return types.FormatType(typ, mod)
	}
	if n, ok := p.Names.TypeName(typ); ok {
		return n
	}
	return "???"
}

// operator prints an operator's name, qualified when the search path does not find it.
func (p *Printer) operator(oid base.OID) (name string, prefix bool) {
	o, err := p.view().OperatorByOID(oid)
	if err != nil || o == nil {
		return "?", false
	}
	for _, s := range p.Names.SearchPath {
		if s == o.Namespace {
			return o.Name, o.Left == 0
		}
	}
	ns, err := p.view().NamespaceByOID(o.Namespace)
	if err != nil || ns == nil || o.Namespace == pgCatalog {
		return o.Name, o.Left == 0
	}
	return "OPERATOR(" + catalog.QuoteIdent(ns.Name) + "." + o.Name + ")", o.Left == 0
}

const pgCatalog base.OID = 11

// function prints a function's name.
func (p *Printer) function(oid base.OID) string {
	f, err := p.view().ProcByOID(oid)
	if err != nil || f == nil {
		return "?"
	}
	if f.Namespace == pgCatalog {
		switch f.Name {
		case "coalesce", "greatest", "least", "nullif", "position", "substring", "overlay", "trim", "row", "extract", "grouping", "exists":
			return `pg_catalog."` + f.Name + `"`
		}
		return quoteFunction(f.Name)
	}
	for _, s := range p.Names.SearchPath {
		if s == f.Namespace {
			return quoteFunction(f.Name)
		}
	}
	ns, err := p.view().NamespaceByOID(f.Namespace)
	if err != nil || ns == nil {
		return quoteFunction(f.Name)
	}
	return catalog.QuoteIdent(ns.Name) + "." + quoteFunction(f.Name)
}

func quoteFunction(name string) string { return catalog.QuoteIdent(name) }

// constant prints a literal with the cast that keeps its type. label 0 casts as needed, 1 always, -1 never.
func (p *Printer) constant(c *query.Const, label int) {
	if c.Value.Null {
		p.b.WriteString("NULL")
		if label >= 0 {
			p.b.WriteString("::" + p.TypeName(c.Typ, c.Mod))
		}
		return
	}
	text := string(types.AppendText(nil, c.Typ, c.Value, p.Env))
	cast := true
	switch c.Typ {
	case types.OIDInt4:
		if cast = text[0] == '-'; !cast {
			p.b.WriteString(text)
		}
	case types.OIDNumeric:
		if text[0] >= '0' && text[0] <= '9' && strings.ContainsAny(text, "eE.") {
			p.b.WriteString(text)
			if c.Mod >= 0 && label >= 0 || label > 0 {
				p.b.WriteString("::" + p.TypeName(c.Typ, c.Mod))
			}
			return
		}
	case types.OIDBool:
		if c.Value.True() {
			p.b.WriteString("true")
		} else {
			p.b.WriteString("false")
		}
		cast = false
	}
	if cast {
		p.b.WriteString(QuoteLiteral(text))
		if label >= 0 && c.Typ != types.OIDUnknown {
			p.b.WriteString("::" + p.TypeName(c.Typ, c.Mod))
		}
	} else if label > 0 {
		p.b.WriteString("::" + p.TypeName(c.Typ, c.Mod))
	}
}

// QuoteLiteral quotes a string constant, by the rules of standard-conforming strings.
func QuoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
