package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/query"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// rewriteFrom remembers the table as its rows are stored, when the first value to be rewritten comes.
func (a *alteration) rewriteFrom(d *relation.Desc) {
	if a.old == nil {
		a.old = d
	}
}

// addColumn is ADD COLUMN. A default that is the same for all rows is kept as the value that old rows read; another one,
// and generated and identity columns, rewrite the table.
func (a *alteration) addColumn(d *relation.Desc, cmd *pg_query.AlterTableCmd) error {
	c := a.c
	n := cmd.Def.GetColumnDef()
	if d.Kind != relation.KindTable {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table", d.Name)
	}
	if d.ColumnByName(n.Colname) != 0 {
		if cmd.MissingOk {
			c.notice(pgerror.DuplicateColumn, "column \"%s\" of relation \"%s\" already exists, skipping", n.Colname, d.Name)
			return nil
		}
		return pgerror.Newf(pgerror.DuplicateColumn, "column \"%s\" of relation \"%s\" already exists", n.Colname, d.Name)
	}
	if isSystemColumn(n.Colname) {
		return pgerror.Newf(pgerror.DuplicateColumn, "column name \"%s\" conflicts with a system column name", n.Colname)
	}
	if len(d.Columns) >= 1600 {
		return pgerror.New(pgerror.TooManyColumns, "tables can have at most 1600 columns")
	}
	t := &newTable{c: c, name: d.Name, schema: d.Namespace, persist: d.Persistence}
	if err := t.column(n); err != nil {
		return err
	}
	col := t.columns[0]
	if col.sequence != nil {
		if err := t.makeSequence(col); err != nil {
			return err
		}
	}
	attr := len(d.Columns) + 1
	if err := c.insertAttribute(d.OID, attr, &col.attribute); err != nil {
		return err
	}
	if err := c.editClass(d.OID, func(r catalog.Row) { r.SetInt(bootstrap.ColClassRelnatts, int64(attr)) }); err != nil {
		return err
	}
	if col.sequence != nil {
		kind := byte(depAuto)
		if col.sequence.identity {
			kind = depInternal
		}
		if err := c.depend(relObject(col.sequence.oid), colObject(d.OID, attr), kind); err != nil {
			return err
		}
	}
	if err := a.newColumnValue(d, attr, col); err != nil {
		return err
	}
	if col.notNull {
		a.notNull = append(a.notNull, attr)
	}
	now, err := c.relation(d.OID)
	if err != nil {
		return err
	}
	added, err := c.addChecks(now, t.checks)
	if err != nil {
		return err
	}
	a.checks = append(a.checks, added...)
	a.keys = append(a.keys, t.keys...)
	for _, k := range t.foreign {
		now, err := c.relation(d.OID)
		if err != nil {
			return err
		}
		f, err := c.addForeignKey(now, k)
		if err != nil {
			return err
		}
		if f.Validated {
			a.foreign = append(a.foreign, &f.ForeignKey)
		}
	}
	return nil
}

// newColumnValue stores a new column's expression and settles what rows that are there already have in it.
func (a *alteration) newColumnValue(before *relation.Desc, attr int, col *newColumn) error {
	c := a.c
	d, err := c.relation(before.OID)
	if err != nil {
		return err
	}
	e, err := c.columnExpression(d, attr, col)
	if err != nil {
		return err
	}
	if e != nil {
		if err := c.storeDefault(d, attr, e); err != nil {
			return err
		}
	} else if col.sequence != nil && col.sequence.identity {
		e = nextIdentity(col)
	}
	if e == nil {
		return nil
	}
	if col.generated != 0 || volatility(e) == 'v' {
		a.rewriteFrom(before)
		a.values[attr] = e
		return nil
	}
	v, err := c.evaluate(e)
	if err != nil || v.Null {
		return err
	}
	return c.editAttribute(d.OID, attr, func(r catalog.Row) {
		r.SetBool(bootstrap.ColAttributeAtthasmissing, true)
		r.Set(bootstrap.ColAttributeAttmissingval, types.MakeArray(d.Columns[attr-1].Type, []types.Datum{v}))
	})
}

// nextIdentity is the next value of an identity column's sequence.
func nextIdentity(col *newColumn) query.Expr {
	return &query.NextValue{T: query.T{Typ: col.typ, Mod: -1, Offset: -1}, Sequence: col.sequence.oid}
}

// evaluate computes an expression without columns.
func (c *Context) evaluate(e query.Expr) (types.Datum, error) {
	nodes, err := c.rowPrograms([]query.Expr{e})
	if err != nil {
		return types.Null, err
	}
	x := c.NewExec()
	f := eval.Frame{Env: x.Eval, Outer: &vector.Batch{N: 1}}
	v, err := nodes[0].Eval(&f, nil, 1)
	if err != nil {
		return types.Null, err
	}
	return v.Get(0).Clone(), nil
}

func (a *alteration) dropColumn(d *relation.Desc, cmd *pg_query.AlterTableCmd) error {
	c := a.c
	attr := d.ColumnByName(cmd.Name)
	if attr == 0 {
		if cmd.MissingOk {
			c.notice(pgerror.SuccessfulCompletion, "column \"%s\" of relation \"%s\" does not exist, skipping", cmd.Name, d.Name)
			return nil
		}
		if isSystemColumn(cmd.Name) {
			return pgerror.Newf(pgerror.FeatureNotSupported, "cannot drop system column \"%s\"", cmd.Name)
		}
		return pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", cmd.Name, d.Name)
	}
	if d.Kind != relation.KindTable {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table", d.Name)
	}
	return c.drop([]object{colObject(d.OID, attr)}, dropOptions{cascade: cmd.Behavior == pg_query.DropBehavior_DROP_CASCADE})
}

// alterType is ALTER COLUMN TYPE.
func (a *alteration) alterType(d *relation.Desc, cmd *pg_query.AlterTableCmd) error {
	c := a.c
	attr, err := column(d, cmd.Name)
	if err != nil {
		return err
	}
	if d.Kind != relation.KindTable {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table", d.Name)
	}
	def := cmd.Def.GetColumnDef()
	def.Colname = cmd.Name
	col, err := c.columnType(def)
	if err != nil {
		return err
	}
	value, err := c.newValue(d, attr, col, def)
	if err != nil {
		return err
	}
	deps, err := c.typeDependents(d, attr)
	if err != nil {
		return err
	}
	texts, err := c.expressionTexts(d, attr, deps)
	if err != nil {
		return err
	}
	if err := c.changeColumnType(d, attr, col); err != nil {
		return err
	}
	if err := c.restoreExpressions(d.OID, attr, texts); err != nil {
		return err
	}
	if err := a.rekey(d, attr); err != nil {
		return err
	}
	if _, same := value.(*query.Var); !same {
		a.rewriteFrom(d)
		a.values[attr] = value
		return nil
	}
	for _, ix := range d.Indexes {
		for _, k := range ix.Keys {
			if int(k.Attr) == attr {
				a.rewriteFrom(d)
			}
		}
	}
	return nil
}

// newValue analyses what a column's values become.
func (c *Context) newValue(d *relation.Desc, attr int, col *newColumn, def *pg_query.ColumnDef) (query.Expr, error) {
	n := def.RawDefault
	if n == nil {
		n = &pg_query.Node{Node: &pg_query.Node_ColumnRef{ColumnRef: &pg_query.ColumnRef{
			Fields: []*pg_query.Node{pg_query.MakeStrNode(d.Columns[attr-1].Name)}, Location: -1}}}
	}
	target := *d
	target.Columns = append([]relation.Column(nil), d.Columns...)
	target.Columns[attr-1].Type, target.Columns[attr-1].Typmod = col.typ, col.typmod
	entry := analyze.RelationEntry(d)
	e, err := analyze.Expression(c.options(), n, entry, "transform expressions", col.typ, col.typmod)
	if err == nil && col.typmod >= 0 && e.Typmod() != col.typmod {
		e, err = c.castTo(n, entry, &target.Columns[attr-1])
	}
	if pgerror.Code(err) == pgerror.DatatypeMismatch {
		shown := types.FormatType(col.typ, col.typmod)
		if def.RawDefault != nil {
			return nil, pgerror.Newf(pgerror.DatatypeMismatch, "result of USING clause for column \"%s\" cannot be cast automatically to type %s",
				col.name, types.FormatType(col.typ, -1)).WithHint("You might need to add an explicit cast.")
		}
		return nil, pgerror.Newf(pgerror.DatatypeMismatch, "column \"%s\" cannot be cast automatically to type %s", col.name,
			types.FormatType(col.typ, -1)).WithHint("You might need to specify \"USING %s::%s\".", catalog.QuoteIdent(col.name), shown)
	}
	if err != nil {
		return nil, err
	}
	for {
		r, ok := e.(*query.Relabel)
		if !ok {
			return e, nil
		}
		e = r.Arg
	}
}

// castTo analyses an expression with an explicit cast to a column's type around it.
func (c *Context) castTo(n *pg_query.Node, entry *query.RangeEntry, col *relation.Column) (query.Expr, error) {
	stmts, err := parse.Parse("SELECT NULL::" + types.FormatType(col.Type, col.Typmod))
	if err != nil {
		return nil, err
	}
	cast := stmts[0].Node.GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
	cast.GetTypeCast().Arg, cast.GetTypeCast().Location = n, -1
	return analyze.Expression(c.options(), cast, entry, "transform expressions", 0, -1)
}

// typeDependents gives what depends on a column, refusing what cannot follow a change of its type.
func (c *Context) typeDependents(d *relation.Desc, attr int) ([]dependency, error) {
	deps, err := c.dependents(colObject(d.OID, attr))
	if err != nil {
		return nil, err
	}
	name := d.Columns[attr-1].Name
	for _, dep := range deps {
		switch dep.object.class {
		case bootstrap.RelRewrite:
			what, err := sysfuncs.Describe(c.names(), dep.object.class, dep.object.oid, 0)
			if err != nil {
				return nil, err
			}
			return nil, pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of a column used by a view or rule").
				WithDetail("%s depends on column \"%s\"", what, name)
		case bootstrap.RelAttrdef:
			r, err := c.View.Row(bootstrap.RelAttrdef, bootstrap.IdxAttrdefOidIndex, oidKey(dep.object.oid))
			if err != nil {
				return nil, err
			}
			if other := int(r.Int(bootstrap.ColAttrdefAdnum)); other != attr {
				return nil, pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of a column used by a generated column").
					WithDetail("Column \"%s\" is used by generated column \"%s\".", name, d.Columns[other-1].Name)
			}
		}
	}
	for _, ix := range d.Indexes {
		exprs, err := unmarshalAll(append(append([]string(nil), ix.Exprs...), ix.Predicate))
		if err != nil {
			return nil, err
		}
		for _, e := range exprs {
			for _, a := range exprColumns(e) {
				if a == attr {
					return nil, pgerror.Unsupported("altering the type of a column used by an index expression")
				}
			}
		}
	}
	return deps, nil
}

// expressionText is an expression that is read again once a column has its new type.
type expressionText struct {
	check base.OID // a CHECK constraint; zero: the column's default
	text  string
}

func (c *Context) expressionTexts(d *relation.Desc, attr int, deps []dependency) ([]expressionText, error) {
	var out []expressionText
	seen := map[base.OID]bool{}
	for _, dep := range deps {
		if dep.object.class != bootstrap.RelConstraint || seen[dep.object.oid] {
			continue
		}
		seen[dep.object.oid] = true
		for _, k := range d.Checks {
			if k.OID == dep.object.oid {
				text, err := sysfuncs.Expression(c.names(), k.Expr, d, false)
				if err != nil {
					return nil, err
				}
				out = append(out, expressionText{k.OID, text})
			}
		}
	}
	stored, err := c.View.DefaultExpr(d.OID, attr)
	if err != nil || stored == "" {
		return out, err
	}
	text, err := sysfuncs.Expression(c.names(), stored, d, false)
	return append(out, expressionText{0, text}), err
}

// restoreExpressions analyses the expressions anew.
func (c *Context) restoreExpressions(rel base.OID, attr int, list []expressionText) error {
	for _, x := range list {
		d, err := c.relation(rel)
		if err != nil {
			return err
		}
		stmts, err := parse.Parse("SELECT (" + x.text + ")")
		if err != nil {
			return err
		}
		n := stmts[0].Node.GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
		if x.check != 0 {
			e, err := analyze.Expression(c.withNames(), n, analyze.RelationEntry(d), "check constraints", types.OIDBool, -1)
			if err != nil {
				return err
			}
			if err := c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex,
				func(r catalog.Row) { r.SetText(bootstrap.ColConstraintConbin, query.Marshal(e)) }, oidKey(x.check)); err != nil {
				return err
			}
			continue
		}
		if err := c.dropDefault(rel, attr); err != nil {
			return err
		}
		col := &d.Columns[attr-1]
		e, err := analyze.Expression(c.withNames(), n, nil, "DEFAULT expressions", col.Type, col.Typmod)
		if err != nil {
			return pgerror.Newf(pgerror.DatatypeMismatch, "default for column \"%s\" cannot be cast automatically to type %s", col.Name,
				types.FormatType(col.Type, -1))
		}
		if err := c.storeDefault(d, attr, e); err != nil {
			return err
		}
	}
	return nil
}

// changeColumnType writes a column's new type, for the table and for the indexes it is a key of.
func (c *Context) changeColumnType(d *relation.Desc, attr int, col *newColumn) error {
	length, byVal, align, storage, err := c.storageFacts(col.typ)
	if err != nil {
		return err
	}
	set := func(rel base.OID, attr int) error {
		return c.editAttribute(rel, attr, func(r catalog.Row) {
			r.SetOID(bootstrap.ColAttributeAtttypid, col.typ)
			r.SetInt(bootstrap.ColAttributeAtttypmod, int64(col.typmod))
			r.SetInt(bootstrap.ColAttributeAttndims, int64(col.dims))
			r.SetOID(bootstrap.ColAttributeAttcollation, col.collation)
			r.SetInt(bootstrap.ColAttributeAttlen, int64(length))
			r.SetBool(bootstrap.ColAttributeAttbyval, byVal)
			r.SetByte(bootstrap.ColAttributeAttalign, align)
			r.SetByte(bootstrap.ColAttributeAttstorage, storage)
			r.SetBool(bootstrap.ColAttributeAtthasmissing, false)
			r.Set(bootstrap.ColAttributeAttmissingval, types.Null)
		})
	}
	if err := set(d.OID, attr); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		for i, k := range ix.Keys {
			if int(k.Attr) != attr {
				continue
			}
			if err := set(ix.OID, i+1); err != nil {
				return err
			}
			class, err := c.opclass(col.typ, nil)
			if err != nil {
				return err
			}
			err = c.editRow(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, func(r catalog.Row) {
				classes, colls := r.OIDs(bootstrap.ColIndexIndclass), r.OIDs(bootstrap.ColIndexIndcollation)
				classes[i], colls[i] = class, col.collation
				r.Set(bootstrap.ColIndexIndclass, oidVector(classes))
				r.Set(bootstrap.ColIndexIndcollation, oidVector(colls))
			}, oidKey(ix.OID))
			if err != nil {
				return err
			}
		}
	}
	if err := c.Editor.DeleteAll(bootstrap.RelStatistic, bootstrap.IdxStatisticRelidAttInhIndex,
		[]types.Datum{oidKey(d.OID), types.Int(int64(attr))}, nil); err != nil {
		return err
	}
	_, err = c.reread(d.OID)
	return err
}

// rewrite copies the rows of the table into a new file with their new values and builds the indexes anew.
func (a *alteration) rewrite() error {
	c, old := a.c, a.old
	attrs := make([]int, 0, len(a.values))
	var exprs []query.Expr
	for attr, e := range a.values {
		attrs, exprs = append(attrs, attr), append(exprs, e)
	}
	programs, err := c.rowPrograms(exprs)
	if err != nil {
		return err
	}
	scan, err := c.scanTable(old, false)
	if err != nil {
		return err
	}
	for i := range old.Columns { // the new rows hold every value
		if old.Columns[i].HasMissing {
			if err := c.clearMissing(a.oid, i+1); err != nil {
				return err
			}
		}
	}
	d, err := c.newFile(a.oid)
	if err != nil {
		return err
	}
	if err := c.makeHeap(d); err != nil {
		return err
	}
	if err := c.newToastFile(d); err != nil {
		return err
	}
	if d, err = c.relation(a.oid); err != nil {
		return err
	}
	if err := c.copyRows(scan, old, d, attrs, programs); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if _, err := c.newFile(ix.OID); err != nil {
			return err
		}
	}
	if d, err = c.reread(a.oid); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if err := c.fillIndex(a.oid, ix.OID); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) clearMissing(rel base.OID, attr int) error {
	return c.editAttribute(rel, attr, func(r catalog.Row) {
		r.SetBool(bootstrap.ColAttributeAtthasmissing, false)
		r.Set(bootstrap.ColAttributeAttmissingval, types.Null)
	})
}

// copyRows writes every visible row of old to d; programs compute the columns of attrs from the old row.
func (c *Context) copyRows(s *tableScan, old, d *relation.Desc, attrs []int, programs []eval.Node) error {
	w := c.Opened.Table(d).NewWriter(c.Task, c.Tx, c.Wait)
	slab := make([]types.Datum, vector.BatchSize*len(d.Columns))
	rows := make([][]types.Datum, 0, vector.BatchSize)
	tids := make([]base.TID, vector.BatchSize)
	values := make([]*vector.Vector, len(programs))
	for {
		more, err := s.next()
		if err != nil || !more {
			return err
		}
		for k, p := range programs {
			if values[k], err = p.Eval(&s.frame, nil, s.n); err != nil {
				return err
			}
		}
		rows = rows[:0]
		for i := range s.n {
			row := slab[i*len(d.Columns) : (i+1)*len(d.Columns)]
			for j := range row {
				row[j] = types.Null
				if j < len(old.Columns) && !d.Columns[j].Dropped {
					row[j] = s.batch.Cols[j].Get(i)
				} else if j >= len(old.Columns) && d.Columns[j].HasMissing {
					row[j] = d.Columns[j].Missing
				}
			}
			for k, attr := range attrs {
				row[attr-1] = values[k].Get(i)
			}
			rows = append(rows, row)
		}
		if err := w.MultiInsert(rows, tids[:s.n]); err != nil {
			return err
		}
	}
}
