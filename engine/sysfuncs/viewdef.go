package sysfuncs

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

const procArrayUnnest = 2331 // unnest(anyarray), as pg_proc has it

func viewDef(byName bool) scalar {
	return func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		oid := oidArg(a[0])
		if byName {
			var err error
			if oid, err = s.Names.OIDOf(types.RegClass, text(a[0])); err != nil {
				return types.Null, err
			}
		}
		d, err := s.View.Relation(oid)
		if err != nil || d == nil || d.Kind != relation.KindView {
			return types.Null, err
		}
		def, err := ViewDef(s.Names, d, len(a) > 1)
		return types.Text(def), err
	}
}

// ViewDef prints the query of a view as pg_get_viewdef does.
func ViewDef(names *catalog.Names, d *relation.Desc, pretty bool) (string, error) {
	q, err := analyze.ViewQuery(names.View, d.OID)
	if err != nil {
		return "", err
	}
	env := types.NewEnv()
	env.Names = names
	v := &queryPrinter{names: names}
	v.p = &deparse.Printer{Names: names, Env: env, Leaves: v, Pretty: pretty, Margin: 8}
	var cols []string
	for i := range d.Columns {
		cols = append(cols, d.Columns[i].Name)
	}
	out := v.query(q, cols)
	if v.err != nil {
		return "", v.err
	}
	return out + ";", nil
}

// queryPrinter prints queries; a failure is kept in err.
type queryPrinter struct {
	names  *catalog.Names
	p      *deparse.Printer
	levels []*query.Query // innermost last
	err    error
}

func (v *queryPrinter) fail(what string) {
	if v.err == nil {
		v.err = pgerror.Unsupported("pg_get_viewdef of a query with %s", what)
	}
}

// Leaf implements deparse.Namer.
func (v *queryPrinter) Leaf(p *deparse.Printer, e query.Expr) (string, bool) {
	switch x := e.(type) {
	case *query.Var:
		return v.column(p, x), true
	case *query.SubLink:
		return v.subLink(p, x)
	}
	v.fail("such an expression")
	return "", true
}

func (v *queryPrinter) column(p *deparse.Printer, x *query.Var) string {
	at := len(v.levels) - 1 - x.Up
	if at < 0 || x.RTE < 1 || x.RTE > len(v.levels[at].Range) {
		v.fail("a column from elsewhere")
		return ""
	}
	r := v.levels[at].Range[x.RTE-1]
	if r.Kind == query.RangeJoin && r.Alias == "" && r.Join != nil && x.Attr > 0 && x.Attr <= len(r.Join.Aliases) {
		if x.Attr <= r.Join.Merged {
			return catalog.QuoteIdent(r.Columns[x.Attr-1].Name)
		}
		return p.Expr(r.Join.Aliases[x.Attr-1])
	}
	switch {
	case x.Attr > 0 && x.Attr <= len(r.Columns):
		return catalog.QuoteIdent(r.Alias) + "." + catalog.QuoteIdent(v.columnName(r, x.Attr))
	case x.Attr == 0:
		return catalog.QuoteIdent(r.Alias) + ".*"
	}
	return catalog.QuoteIdent(r.Alias) + "." + deparse.SystemColumn(x.Attr)
}

func (v *queryPrinter) subLink(p *deparse.Printer, x *query.SubLink) (string, bool) {
	sub := v.inner(x.Query)
	switch x.Kind {
	case query.SubExists:
		return "(EXISTS " + sub + ")", true
	case query.SubScalar:
		return sub, true
	case query.SubArray:
		return "ARRAY" + sub, true
	case query.SubAny:
		if t, ok := x.Test.(*query.OpExpr); ok && len(t.Args) == 2 {
			if op, err := v.names.View.OperatorByOID(t.Op); err == nil && op != nil {
				if op.Name == "=" {
					return "(" + p.Expr(t.Args[0]) + " IN " + sub + ")", true
				}
				return "(" + p.Expr(t.Args[0]) + " " + op.Name + " ANY " + sub + ")", true
			}
		}
	}
	v.fail("such a sub-select")
	return "", true
}

// inner prints a query inside another, in parentheses and indented.
func (v *queryPrinter) inner(q *query.Query) string {
	return "(" + strings.ReplaceAll(v.query(q, nil), "\n", "\n        ") + ")"
}

// query prints one query level; names are those of its result columns, nil for its own.
func (v *queryPrinter) query(q *query.Query, names []string) string {
	if len(q.CTEs) > 0 || len(q.GroupingSets) > 0 || len(q.RowMarks) > 0 || q.Command != query.Select {
		v.fail("WITH, grouping sets or row locks")
		return ""
	}
	v.levels = append(v.levels, q)
	defer func() { v.levels = v.levels[:len(v.levels)-1] }()
	var b strings.Builder
	if q.SetOp != nil {
		b.WriteString(v.setOp(q, q.SetOp, names))
	} else {
		v.plain(&b, q, names)
	}
	if len(q.OrderBy) > 0 {
		var keys []string
		for _, o := range q.OrderBy {
			keys = append(keys, v.sortKey(q, o)+deparse.Direction(o.Descending, o.NullsFirst))
		}
		b.WriteString("\n  ORDER BY " + strings.Join(keys, ", "))
	}
	if q.Offset != nil {
		b.WriteString("\n OFFSET " + v.p.Expr(q.Offset))
	}
	if q.Limit != nil {
		b.WriteString("\n LIMIT " + v.p.Expr(q.Limit))
	}
	return b.String()
}

// plain prints SELECT up to WINDOW.
func (v *queryPrinter) plain(b *strings.Builder, q *query.Query, names []string) {
	b.WriteString(" SELECT")
	if q.DistinctOn {
		var keys []string
		for _, o := range q.Distinct {
			keys = append(keys, v.sortKey(q, o))
		}
		b.WriteString(" DISTINCT ON (" + strings.Join(keys, ", ") + ")")
	} else if len(q.Distinct) > 0 {
		b.WriteString(" DISTINCT")
	}
	n := 0
	for _, t := range q.Targets {
		if t.Junk {
			continue
		}
		name := t.Name
		if n < len(names) {
			name = names[n]
		}
		text := v.p.Expr(t.Expr)
		between := " "
		if n > 0 {
			between = ",\n    "
		}
		if strings.HasPrefix(text, "\n") { // CASE begins a line of its own
			between = strings.TrimRight(between, " \n")
		}
		n++
		b.WriteString(between + text)
		if x, ok := t.Expr.(*query.Var); (!ok || !v.namedSo(x, name)) && name != "?column?" {
			b.WriteString(" AS " + catalog.QuoteIdent(name))
		}
	}
	for i, f := range q.From {
		if i == 0 {
			b.WriteString("\n   FROM ")
		} else {
			b.WriteString(",\n    ")
		}
		b.WriteString(v.from(q, f))
	}
	if q.Where != nil {
		b.WriteString("\n  WHERE " + v.p.Expr(q.Where))
	}
	if len(q.GroupBy) > 0 {
		var keys []string
		for _, g := range q.GroupBy {
			keys = append(keys, v.sortKey(q, g))
		}
		b.WriteString("\n  GROUP BY " + strings.Join(keys, ", "))
	}
	if q.Having != nil {
		b.WriteString("\n HAVING " + v.p.Expr(q.Having))
	}
	var windows []string
	for _, w := range q.Windows {
		if w.Name != "" {
			windows = append(windows, catalog.QuoteIdent(w.Name)+" AS "+v.p.Window(w, v.targetOf))
		}
	}
	if len(windows) > 0 {
		b.WriteString("\n  WINDOW " + strings.Join(windows, ", "))
	}
}

// Window implements deparse.Windows.
func (v *queryPrinter) Window(n int) (*query.Window, func(ref int) query.Expr) {
	q := v.levels[len(v.levels)-1]
	if n < 1 || n > len(q.Windows) {
		return nil, nil
	}
	return q.Windows[n-1], v.targetOf
}

// targetOf gives the target of the innermost query that sort items refer to.
func (v *queryPrinter) targetOf(ref int) query.Expr {
	q := v.levels[len(v.levels)-1]
	for _, t := range q.Targets {
		if t.Ref == ref {
			return t.Expr
		}
	}
	v.fail("a window without its columns")
	return &query.Const{}
}

// namedSo tells whether a column's own name is the result column's.
func (v *queryPrinter) namedSo(x *query.Var, name string) bool {
	q := v.levels[len(v.levels)-1]
	if x.Up != 0 || x.RTE < 1 || x.RTE > len(q.Range) || x.Attr < 1 || x.Attr > len(q.Range[x.RTE-1].Columns) {
		return false
	}
	return v.columnName(q.Range[x.RTE-1], x.Attr) == name
}

// columnName gives the name of a column as it is now: that of a relation may have changed since the query was stored.
func (v *queryPrinter) columnName(r *query.RangeEntry, attr int) string {
	if r.RelOID != 0 {
		if d, err := v.names.View.Relation(r.RelOID); err == nil && d != nil && attr <= len(d.Columns) {
			return d.Columns[attr-1].Name
		}
	}
	return r.Columns[attr-1].Name
}

func (v *queryPrinter) sortKey(q *query.Query, o *query.SortItem) string {
	for i, t := range q.Targets {
		if t.Ref != o.Ref {
			continue
		}
		if q.SetOp != nil {
			return itoa(i + 1)
		}
		return v.p.SortKey(t.Expr)
	}
	v.fail("a sort key without a target")
	return ""
}

func itoa(n int) string {
	return string(types.AppendText(nil, types.OIDInt4, types.Int(int64(n)), nil))
}

func (v *queryPrinter) from(q *query.Query, f query.FromItem) string {
	switch x := f.(type) {
	case *query.FromRef:
		return v.rangeEntry(q.Range[x.RTE-1])
	case *query.FromJoin:
		text := v.join(q, x)
		if !v.p.Pretty {
			return "(" + text + ")"
		}
		return text
	}
	v.fail("such a FROM item")
	return ""
}

func (v *queryPrinter) join(q *query.Query, x *query.FromJoin) string {
	var entry *query.RangeEntry
	if x.RTE > 0 {
		entry = q.Range[x.RTE-1]
	}
	if entry != nil && entry.Alias != "" {
		v.fail("an alias of a join")
		return ""
	}
	word, ok := map[query.JoinType]string{query.JoinInner: "JOIN", query.JoinLeft: "LEFT JOIN", query.JoinFull: "FULL JOIN",
		query.JoinRight: "RIGHT JOIN"}[x.Type]
	if !ok {
		v.fail("such a join")
	}
	tail := ""
	switch {
	case entry != nil && entry.Join != nil && entry.Join.Merged > 0:
		var cols []string
		for _, c := range entry.Columns[:entry.Join.Merged] {
			cols = append(cols, catalog.QuoteIdent(c.Name))
		}
		tail = " USING (" + strings.Join(cols, ", ") + ")"
	case x.On == nil && x.Type == query.JoinInner:
		word = "CROSS JOIN"
	case x.On == nil:
		tail = " ON true"
	case v.p.Pretty:
		tail = " ON " + v.p.Expr(x.On)
	default:
		tail = " ON (" + v.p.Expr(x.On) + ")"
	}
	right := v.from(q, x.Right)
	if _, nested := x.Right.(*query.FromJoin); nested && v.p.Pretty {
		right = "(" + right + ")"
	}
	return v.from(q, x.Left) + "\n     " + word + " " + right + tail
}

func (v *queryPrinter) rangeEntry(r *query.RangeEntry) string {
	lateral := ""
	if r.Lateral && r.Kind == query.RangeSubquery {
		lateral = "LATERAL "
	}
	switch {
	case r.RelOID != 0:
		name, _ := v.names.NameOf(types.RegClass, r.RelOID)
		if plain, err := v.relationName(r.RelOID); err == nil && r.Alias != plain {
			name += " " + catalog.QuoteIdent(r.Alias)
		}
		return name
	case r.Kind == query.RangeSubquery:
		return lateral + v.inner(r.Sub) + " " + catalog.QuoteIdent(r.Alias)
	case r.Kind == query.RangeFunction:
		if f, ok := r.Funcs[0].(*query.FuncExpr); ok && len(r.Funcs) == 1 && f.Columns != nil && !r.Ordinal {
			return v.functions(r) + " " + catalog.QuoteIdent(r.Alias) + v.definitions(r.Columns)
		}
		var cols []string
		for _, c := range r.Columns {
			cols = append(cols, catalog.QuoteIdent(c.Name))
		}
		return v.functions(r) + " " + catalog.QuoteIdent(r.Alias) + "(" + strings.Join(cols, ", ") + ")"
	}
	v.fail("such a FROM item")
	return ""
}

// functions prints the calls of an item of FROM.
func (v *queryPrinter) functions(r *query.RangeEntry) string {
	calls, arrays, unnest, defined := make([]string, len(r.Funcs)), make([]string, len(r.Funcs)), true, false
	for i, f := range r.Funcs {
		calls[i] = v.p.Expr(f)
		call, ok := f.(*query.FuncExpr)
		if ok && call.Columns != nil {
			defined = true
			if len(r.Funcs) > 1 || r.Ordinal {
				calls[i] += " AS " + v.definitions(call.Columns)
			}
		}
		if unnest = unnest && ok && call.Func == procArrayUnnest; unnest {
			arrays[i] = v.p.Expr(call.Args[0])
		}
	}
	text := calls[0]
	switch {
	case len(calls) > 1 && unnest:
		text = "UNNEST(" + strings.Join(arrays, ", ") + ")"
	case len(calls) > 1 || defined && r.Ordinal:
		text = "ROWS FROM(" + strings.Join(calls, ", ") + ")"
	}
	if r.Ordinal {
		text += " WITH ORDINALITY"
	}
	return text
}

// definitions prints a column definition list.
func (v *queryPrinter) definitions(cols []query.RangeColumn) string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = catalog.QuoteIdent(c.Name) + " " + v.p.TypeName(c.Type, c.Typmod)
		if t, err := v.names.View.TypeByOID(c.Type); err == nil && t != nil && c.Collation != 0 && c.Collation != t.Collation {
			out[i] += " COLLATE " + deparse.CollationName(c.Collation)
		}
	}
	return "(" + strings.Join(out, ", ") + ")"
}

func (v *queryPrinter) relationName(oid base.OID) (string, error) {
	d, err := v.names.View.Relation(oid)
	if err != nil || d == nil {
		return "", err
	}
	return d.Name, nil
}

// setOp prints a tree of set operations.
func (v *queryPrinter) setOp(q *query.Query, s *query.SetOp, names []string) string {
	if s.RTE > 0 && s.Left == nil {
		sub := q.Range[s.RTE-1].Sub
		text := v.query(sub, names)
		if len(sub.OrderBy) > 0 || sub.Limit != nil || sub.Offset != nil {
			return "(" + text + ")"
		}
		return text
	}
	word := [...]string{"UNION", "INTERSECT", "EXCEPT"}[s.Kind]
	if s.All {
		word += " ALL"
	}
	right := v.setOp(q, s.Right, names)
	if s.Right.Left != nil {
		right = "(" + right + ")"
	}
	return v.setOp(q, s.Left, names) + "\n" + word + "\n" + right
}
