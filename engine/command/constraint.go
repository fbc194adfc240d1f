package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// defaultExpr analyses a DEFAULT expression of a column.
func (c *Context) defaultExpr(d *relation.Desc, attr int, n *pg_query.Node) (query.Expr, error) {
	col := &d.Columns[attr-1]
	if ref := findColumnRef(n); ref != nil {
		return nil, c.at(pgerror.New(pgerror.FeatureNotSupported, "cannot use column reference in DEFAULT expression"), ref.Location)
	}
	e, err := analyze.Expression(c.options(), n, nil, "DEFAULT expressions", col.Type, col.Typmod)
	if err != nil {
		if pe := pgerror.From(err); pe.Code == pgerror.DatatypeMismatch {
			natural, nerr := analyze.Expression(c.options(), n, nil, "DEFAULT expressions", 0, -1)
			if nerr == nil {
				pe.Message = "column \"" + col.Name + "\" is of type " + types.FormatType(col.Type, -1) +
					" but default expression is of type " + types.FormatType(natural.Type(), -1)
			}
		}
		return nil, err
	}
	return e, nil
}

// findColumnRef gives a column reference directly inside a default expression, where none may be.
func findColumnRef(n *pg_query.Node) *pg_query.ColumnRef {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_ColumnRef:
		return x.ColumnRef
	case *pg_query.Node_AExpr:
		if r := findColumnRef(x.AExpr.Lexpr); r != nil {
			return r
		}
		return findColumnRef(x.AExpr.Rexpr)
	case *pg_query.Node_TypeCast:
		return findColumnRef(x.TypeCast.Arg)
	case *pg_query.Node_FuncCall:
		for _, a := range x.FuncCall.Args {
			if r := findColumnRef(a); r != nil {
				return r
			}
		}
	}
	return nil
}

// generation analyses the expression of a stored generated column.
func (c *Context) generation(d *relation.Desc, attr int, n *pg_query.Node) (query.Expr, error) {
	col := &d.Columns[attr-1]
	e, err := analyze.Expression(c.options(), n, analyze.RelationEntry(d), "column generation expressions", 0, -1)
	if err != nil {
		return nil, err
	}
	for _, a := range exprColumns(e) {
		if d.Columns[a-1].Generated != 0 {
			return nil, c.at(pgerror.Newf(pgerror.InvalidObjectDefinition, "cannot use generated column \"%s\" in column generation expression",
				d.Columns[a-1].Name).WithDetail("A generated column cannot reference another generated column."), int32(e.Loc()))
		}
	}
	if volatility(e) != 'i' {
		return nil, pgerror.New(pgerror.InvalidObjectDefinition, "generation expression is not immutable")
	}
	r, err := c.assign(d, attr, n)
	if pgerror.Code(err) == pgerror.DatatypeMismatch {
		return nil, pgerror.Newf(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but default expression is of type %s", col.Name,
			types.FormatType(col.Type, -1), types.FormatType(e.Type(), -1)).WithHint("You will need to rewrite or cast the expression.")
	}
	return r, err
}

// assign analyses an expression over a table's row as an assignment to a column does.
func (c *Context) assign(d *relation.Desc, attr int, n *pg_query.Node) (query.Expr, error) {
	col := &d.Columns[attr-1]
	if col.Typmod >= 0 {
		stmts, err := parse.Parse("SELECT NULL::" + types.FormatType(col.Type, col.Typmod))
		if err != nil {
			return nil, err
		}
		cast := stmts[0].Node.GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
		cast.GetTypeCast().Arg, cast.GetTypeCast().Location = n, -1
		n = cast
	}
	return analyze.Expression(c.options(), n, analyze.RelationEntry(d), "column generation expressions", col.Type, col.Typmod)
}

// volatility gives the worst volatility of the functions in an expression.
func volatility(e query.Expr) byte {
	worst := byte('i')
	query.Walk(e, func(x query.Expr) bool {
		v := byte('i')
		switch x := x.(type) {
		case *query.FuncExpr:
			v = x.Volatile
		case *query.OpExpr:
			v = x.Volatile
		case *query.ArrayOp:
			v = x.Volatile
		case *query.SQLValue, *query.CoerceViaIO:
			v = 's'
		case *query.NextValue:
			v = 'v'
		}
		if v == 'v' || v == 's' && worst == 'i' {
			worst = v
		}
		return true
	})
	return worst
}

// nextvalDefault is the default of a serial column: nextval of its sequence.
func (c *Context) nextvalDefault(d *relation.Desc, attr int, seq base.OID) (query.Expr, error) {
	s, err := c.relation(seq)
	if err != nil {
		return nil, err
	}
	text := "SELECT pg_catalog.nextval(" + quote(catalog.QuoteIdent(s.Schema)+"."+catalog.QuoteIdent(s.Name)) + "::pg_catalog.regclass)"
	stmts, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	n := stmts[0].Node.GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
	col := &d.Columns[attr-1]
	return analyze.Expression(c.withNames(), n, nil, "DEFAULT expressions", col.Type, col.Typmod)
}

// withNames gives the options of an analysis whose constants of reg types are found in the catalogs as this statement
// sees them.
func (c *Context) withNames() *analyze.Options {
	o := c.options()
	env := *c.Env
	env.Names = c.names()
	o.Env = &env
	return o
}

func quote(s string) string {
	out := "'"
	for _, r := range s {
		if r == '\'' {
			out += "'"
		}
		out += string(r)
	}
	return out + "'"
}

// addedCheck is a CHECK constraint that was added, for the scan that validates it.
type addedCheck struct {
	name string
	expr query.Expr
	skip bool // NOT VALID
}

// addChecks stores CHECK constraints of a table.
func (c *Context) addChecks(d *relation.Desc, list []*newCheck) ([]addedCheck, error) {
	if len(list) == 0 {
		return nil, nil
	}
	taken := map[string]bool{}
	for _, k := range d.Checks {
		taken[k.Name] = true
	}
	var out []addedCheck
	for _, k := range list {
		e := k.stored
		var err error
		if e == nil {
			e, err = analyze.Expression(c.options(), k.node.RawExpr, analyze.RelationEntry(d), "check constraints", types.OIDBool, -1)
			if err != nil {
				return nil, err
			}
		}
		cols := exprColumns(e)
		name := k.name
		if name == "" {
			only := ""
			if len(cols) == 1 {
				only = d.Columns[cols[0]-1].Name
			}
			if name, err = c.chooseConstraintName(d.Name, only, "check", d.Namespace, taken); err != nil {
				return nil, err
			}
		} else if taken[name] {
			return nil, nameTaken(d, name)
		} else if err := c.freeConstraintName(d, name); err != nil {
			return nil, err
		}
		taken[name] = true
		skip := k.node != nil && k.node.SkipValidation
		oid, err := c.insertConstraint(d, &constraintRow{name: name, kind: 'c', columns: cols, expr: query.Marshal(e), validated: !skip,
			noInherit: k.node != nil && k.node.IsNoInherit})
		if err != nil {
			return nil, err
		}
		own := object{bootstrap.RelConstraint, oid, 0}
		if err := c.dependConstraint(own, d, cols); err != nil {
			return nil, err
		}
		if err := c.dependAll(own, exprObjects(e, d.OID), depNormal); err != nil {
			return nil, err
		}
		out = append(out, addedCheck{name, e, skip})
	}
	return out, c.editClass(d.OID, func(r catalog.Row) { r.SetInt(bootstrap.ColClassRelchecks, int64(len(taken))) })
}

// dependConstraint records that a constraint goes with its columns, or with its table when it names none.
func (c *Context) dependConstraint(own object, d *relation.Desc, cols []int) error {
	if len(cols) == 0 {
		return c.depend(own, relObject(d.OID), depAuto)
	}
	for _, a := range cols {
		if err := c.depend(own, colObject(d.OID, a), depAuto); err != nil {
			return err
		}
	}
	return nil
}

// constraintOn gives the OID of a table's constraint by name; zero when there is none.
func (c *Context) constraintOn(rel base.OID, name string) (base.OID, error) {
	r, err := c.View.Row(bootstrap.RelConstraint, bootstrap.IdxConstraintConrelidContypidConnameIndex, oidKey(rel), oidKey(0), types.Text(name))
	if err != nil || r == nil {
		return 0, err
	}
	return r.OID(bootstrap.ColConstraintOid), nil
}

// freeConstraintName fails when a table has a constraint of the name.
func (c *Context) freeConstraintName(d *relation.Desc, name string) error {
	if used, err := c.constraintOn(d.OID, name); err != nil || used == 0 {
		return err
	}
	return nameTaken(d, name)
}

func nameTaken(d *relation.Desc, name string) error {
	return pgerror.Newf(pgerror.DuplicateObject, "constraint \"%s\" for relation \"%s\" already exists", name, d.Name)
}

// constraintRow is what differs between rows of pg_constraint.
type constraintRow struct {
	name       string
	kind       byte
	columns    []int
	index      base.OID
	expr       string
	validated  bool
	noInherit  bool
	deferrable bool
	deferred   bool
	exclusion  []base.OID
	foreign    *foreignKey
}

func (c *Context) insertConstraint(d *relation.Desc, k *constraintRow) (base.OID, error) {
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return 0, err
	}
	r := c.Editor.NewRow(bootstrap.RelConstraint)
	r.SetOID(bootstrap.ColConstraintOid, oid)
	r.SetText(bootstrap.ColConstraintConname, k.name)
	r.SetOID(bootstrap.ColConstraintConnamespace, d.Namespace)
	r.SetByte(bootstrap.ColConstraintContype, k.kind)
	r.SetBool(bootstrap.ColConstraintCondeferrable, k.deferrable)
	r.SetBool(bootstrap.ColConstraintCondeferred, k.deferred)
	r.SetBool(bootstrap.ColConstraintConvalidated, k.validated)
	r.SetOID(bootstrap.ColConstraintConrelid, d.OID)
	r.SetOID(bootstrap.ColConstraintContypid, 0)
	r.SetOID(bootstrap.ColConstraintConindid, k.index)
	r.SetOID(bootstrap.ColConstraintConparentid, 0)
	r.SetOID(bootstrap.ColConstraintConfrelid, 0)
	r.SetByte(bootstrap.ColConstraintConfupdtype, ' ')
	r.SetByte(bootstrap.ColConstraintConfdeltype, ' ')
	r.SetByte(bootstrap.ColConstraintConfmatchtype, ' ')
	r.SetBool(bootstrap.ColConstraintConislocal, true)
	r.SetInt(bootstrap.ColConstraintConinhcount, 0)
	r.SetBool(bootstrap.ColConstraintConnoinherit, k.noInherit || k.kind != 'c')
	if len(k.columns) > 0 {
		r.Set(bootstrap.ColConstraintConkey, smallints(k.columns))
	}
	if k.expr != "" {
		r.SetText(bootstrap.ColConstraintConbin, k.expr)
	}
	if len(k.exclusion) > 0 {
		r.Set(bootstrap.ColConstraintConexclop, oidArray(k.exclusion))
	}
	if k.foreign != nil {
		k.foreign.fill(r)
	}
	_, err = c.Editor.Insert(bootstrap.RelConstraint, r)
	return oid, err
}

// fill writes what pg_constraint says of foreign keys only.
func (f *foreignKey) fill(r catalog.Row) {
	r.SetOID(bootstrap.ColConstraintConfrelid, f.Target)
	r.SetByte(bootstrap.ColConstraintConfupdtype, byte(f.OnUpdate))
	r.SetByte(bootstrap.ColConstraintConfdeltype, byte(f.OnDelete))
	r.SetByte(bootstrap.ColConstraintConfmatchtype, f.Match)
	r.Set(bootstrap.ColConstraintConkey, attributeArray(f.Columns))
	r.Set(bootstrap.ColConstraintConfkey, attributeArray(f.Keys))
	r.Set(bootstrap.ColConstraintConpfeqop, oidArray(f.pkEqual))
	r.Set(bootstrap.ColConstraintConppeqop, oidArray(f.ppEqual))
	r.Set(bootstrap.ColConstraintConffeqop, oidArray(f.fkEq))
	if len(f.SetColumns) > 0 {
		r.Set(bootstrap.ColConstraintConfdelsetcols, attributeArray(f.SetColumns))
	}
}

func attributeArray(attrs []int16) types.Datum {
	list := make([]int, len(attrs))
	for i, a := range attrs {
		list[i] = int(a)
	}
	return smallints(list)
}

func oidArray(list []base.OID) types.Datum {
	elems := make([]types.Datum, len(list))
	for i, n := range list {
		elems[i] = types.Int(int64(n))
	}
	return types.MakeArray(types.OIDOID, elems)
}

// smallints makes an int2[].
func smallints(list []int) types.Datum {
	elems := make([]types.Datum, len(list))
	for i, n := range list {
		elems[i] = types.Int(int64(n))
	}
	return types.MakeArray(types.OIDInt2, elems)
}
