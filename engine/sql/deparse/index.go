package deparse

import (
	"fmt"
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
)

// IndexDef prints CREATE INDEX for an index of a table, as pg_get_indexdef does; with column above zero only that column. The
// table's name is qualified unless pretty printing finds it by the search path.
func IndexDef(names *catalog.Names, table *relation.Desc, x *relation.Index, column int, pretty bool) (string, error) {
	text, err := indexBody(names, table, x, column, pretty, false)
	if err != nil || column > 0 {
		return text, err
	}
	name := catalog.QuoteIdent(table.Schema) + "." + catalog.QuoteIdent(table.Name)
	if pretty && visible(names, table.Namespace) {
		name = catalog.QuoteIdent(table.Name)
	}
	unique := ""
	if x.Unique {
		unique = "UNIQUE "
	}
	return "CREATE " + unique + "INDEX " + catalog.QuoteIdent(x.Name) + " ON " + name + " " + text, nil
}

// ExclusionDef prints an EXCLUDE constraint as pg_get_constraintdef does.
func ExclusionDef(names *catalog.Names, table *relation.Desc, x *relation.Index, pretty bool) (string, error) {
	text, err := indexBody(names, table, x, 0, pretty, true)
	return "EXCLUDE " + text, err
}

// indexBody prints what follows the name of an index's table, or one of its columns; of an exclusion constraint with its
// operators.
func indexBody(names *catalog.Names, table *relation.Desc, x *relation.Index, column int, pretty, exclusion bool) (string, error) {
	cols := &Columns{}
	for i := range table.Columns {
		cols.Names = append(cols.Names, table.Columns[i].Name)
	}
	p := &Printer{Names: names, Leaves: cols, Pretty: pretty}
	var keys []string
	next := 0
	for i, k := range x.Keys {
		text, typ, coll, err := indexKey(p, table, x, k, &next)
		if err != nil {
			return "", err
		}
		if column == i+1 {
			return text, nil
		}
		if k.Collation != 0 && k.Collation != coll {
			text += " COLLATE " + CollationName(k.Collation)
		}
		if c, err := names.View.OpclassByOID(k.Opclass); err == nil && c != nil && !(c.Default && accepts(names, c, typ)) {
			text += " " + catalog.QuoteIdent(c.Name)
		}
		switch {
		case k.Descending && !k.NullsFirst:
			text += " DESC NULLS LAST"
		case k.Descending:
			text += " DESC"
		case k.NullsFirst:
			text += " NULLS FIRST"
		}
		if exclusion && i < len(x.Exclusion) {
			op, _ := p.operator(x.Exclusion[i])
			text += " WITH " + op
		}
		keys = append(keys, text)
	}
	var include []string
	for i, a := range x.Included {
		name := catalog.QuoteIdent(table.Columns[a-1].Name)
		if column == len(x.Keys)+i+1 {
			return name, nil
		}
		include = append(include, name)
	}
	if column > 0 {
		return "", nil
	}
	var b strings.Builder
	method := x.Method
	if method == "" {
		method = "btree"
	}
	fmt.Fprintf(&b, "USING %s (%s)", method, strings.Join(keys, ", "))
	if len(include) > 0 {
		b.WriteString(" INCLUDE (" + strings.Join(include, ", ") + ")")
	}
	if x.NullsEqual {
		b.WriteString(" NULLS NOT DISTINCT")
	}
	if len(x.Options) > 0 {
		b.WriteString(" WITH (" + optionText(x.Options) + ")")
	}
	if x.Predicate == "" {
		return b.String(), nil
	}
	e, err := query.Unmarshal(x.Predicate)
	if err != nil {
		return "", err
	}
	if exclusion {
		return b.String() + " WHERE (" + p.Expr(e) + ")", nil
	}
	return b.String() + " WHERE " + p.Expr(e), nil
}

// indexKey prints one key column: a name, or an expression in parentheses unless it is a call.
func indexKey(p *Printer, table *relation.Desc, x *relation.Index, k relation.IndexKey, next *int) (text string, typ, coll base.OID, err error) {
	if k.Attr > 0 {
		c := &table.Columns[k.Attr-1]
		return catalog.QuoteIdent(c.Name), c.Type, c.Collation, nil
	}
	if *next >= len(x.Exprs) {
		return "", 0, 0, nil
	}
	e, err := query.Unmarshal(x.Exprs[*next])
	if err != nil {
		return "", 0, 0, err
	}
	*next++
	text = p.Expr(e)
	if f, ok := e.(*query.FuncExpr); !ok || f.Form != query.FormCall {
		text = "(" + text + ")"
	}
	return text, e.Type(), e.Collation(), nil
}

// KeyText prints the key columns of an index by commas, as the details of errors show them.
func KeyText(names *catalog.Names, table *relation.Desc, x *relation.Index) (string, error) {
	cols := &Columns{}
	for i := range table.Columns {
		cols.Names = append(cols.Names, table.Columns[i].Name)
	}
	p := &Printer{Names: names, Leaves: cols, Pretty: true}
	next := 0
	var out []string
	for _, k := range x.Keys {
		text, _, _, err := indexKey(p, table, x, k, &next)
		if err != nil {
			return "", err
		}
		out = append(out, text)
	}
	return strings.Join(out, ", "), nil
}

// accepts tells whether an operator class is the one that a type gets without being told.
func accepts(names *catalog.Names, c *catalog.Opclass, typ base.OID) bool {
	if c.Input == typ {
		return true
	}
	list, err := names.View.Opclasses(c.Method)
	if err != nil {
		return true
	}
	for _, o := range list {
		if o.Default && o.Input == typ {
			return false
		}
	}
	return true
}

func visible(names *catalog.Names, namespace base.OID) bool {
	for _, s := range names.SearchPath {
		if s == namespace {
			return true
		}
	}
	return false
}

// CheckDef prints a CHECK constraint as pg_get_constraintdef does.
func CheckDef(names *catalog.Names, table *relation.Desc, c *relation.Check, pretty bool) (string, error) {
	e, err := query.Unmarshal(c.Expr)
	if err != nil {
		return "", err
	}
	cols := &Columns{}
	for i := range table.Columns {
		cols.Names = append(cols.Names, table.Columns[i].Name)
	}
	p := &Printer{Names: names, Leaves: cols, Pretty: pretty}
	text := "CHECK (" + p.Expr(e) + ")"
	if c.NoInherit {
		text += " NO INHERIT"
	}
	if !c.Validated {
		text += " NOT VALID"
	}
	return text, nil
}

// optionText gives storage parameters as WITH writes them: values are quoted unless they could be names.
func optionText(options []string) string {
	var out []string
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		if value == "" || catalog.QuoteIdent(value) != value {
			value = "'" + strings.ReplaceAll(value, "'", "''") + "'"
		}
		out = append(out, catalog.QuoteIdent(name)+"="+value)
	}
	return strings.Join(out, ", ")
}
