package command

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// indexColumn is one key column of an index to be made: a column by name, or an expression.
type indexColumn struct {
	name       string
	expr       *pg_query.Node
	stored     query.Expr // an analysed expression (LIKE)
	as         string     // the name of the index's own column; empty: chosen
	collation  []string
	opclass    []string
	descending bool
	nulls      pg_query.SortByNulls
}

// indexSpec is an index to be made.
type indexSpec struct {
	name       string
	columns    []indexColumn
	including  []string
	where      *pg_query.Node
	stored     query.Expr // an analysed predicate (LIKE)
	options    []string
	space      base.OID // as reltablespace
	unique     bool
	nullsEqual bool
	primary    bool
	constraint bool
	deferrable bool
	deferred   bool
	concurrent bool       // entered only, to be filled by fillConcurrently
	operators  [][]string // of an EXCLUDE constraint, by column
}

// keySpec reads a PRIMARY KEY or UNIQUE constraint.
func (c *Context) keySpec(k *pg_query.Constraint) (*indexSpec, error) {
	if k.Contype == pg_query.ConstrType_CONSTR_EXCLUSION {
		return c.exclusionSpec(k)
	}
	options, err := relOptions(k.Options, indexOptions())
	if err != nil {
		return nil, err
	}
	s := &indexSpec{name: k.Conname, unique: true, nullsEqual: k.NullsNotDistinct, constraint: true, options: options,
		primary: k.Contype == pg_query.ConstrType_CONSTR_PRIMARY, including: strs(k.Including),
		deferrable: k.Deferrable, deferred: k.Initdeferred}
	if s.space, err = c.spaceFor(k.Indexspace, relation.Permanent); err != nil {
		return nil, err
	}
	for _, name := range strs(k.Keys) {
		s.columns = append(s.columns, indexColumn{name: name})
	}
	return s, nil
}

func createIndexStmt(c *Context, node *pg_query.Node) (string, error) {
	const tag = "CREATE INDEX"
	s := node.GetIndexStmt()
	if err := methodSupported(s.AccessMethod); err != nil {
		return "", err
	}
	mode := lock.Share
	if s.Concurrent {
		if err := c.topLevel("CREATE INDEX CONCURRENTLY"); err != nil {
			return "", err
		}
		mode = lock.ShareUpdateExclusive
	}
	d, err := c.open(s.Relation, mode, false)
	if err != nil {
		return "", err
	}
	if d.Kind != relation.KindTable {
		return "", pgerror.Newf(pgerror.WrongObjectType, "cannot create index on relation \"%s\"", d.Name).WithDetail(
			"This operation is not supported for %s.", plural(d.Kind))
	}
	if err := c.mustOwn(d); err != nil {
		return "", err
	}
	if err := c.notPending(d, "CREATE INDEX"); err != nil {
		return "", err
	}
	spec := &indexSpec{name: s.Idxname, unique: s.Unique, nullsEqual: s.NullsNotDistinct, where: s.WhereClause}
	if s.Idxname != "" {
		if exists, err := c.exists(d.Namespace, s.Idxname, s.IfNotExists); exists || err != nil {
			return tag, err
		}
	}
	if spec.options, err = relOptions(s.Options, indexOptions()); err != nil {
		return "", err
	}
	if spec.space, err = c.spaceFor(s.TableSpace, d.Persistence); err != nil {
		return "", err
	}
	for _, n := range s.IndexParams {
		spec.columns = append(spec.columns, columnOf(n.GetIndexElem()))
	}
	for _, n := range s.IndexIncludingParams {
		e := n.GetIndexElem()
		if e.Expr != nil {
			return "", pgerror.New(pgerror.FeatureNotSupported, "expressions are not supported in included columns")
		}
		spec.including = append(spec.including, e.Name)
	}
	if !s.Concurrent || d.Persistence == relation.Temporary {
		_, err = c.createIndex(d, spec)
		return tag, err
	}
	spec.concurrent = true
	return tag, c.concurrently(d.OID, func() error {
		defer c.report("CREATE INDEX", d.OID, byCreateIndex+concurrent)()
		index, err := c.createIndex(d, spec)
		if err == nil {
			err = c.fillConcurrently(d.OID, index)
		}
		if err != nil {
			return err
		}
		return c.indexFlags(d.OID, index, func(r catalog.Row) { r.SetBool(bootstrap.ColIndexIndisvalid, true) })
	})
}

// plural names a kind of relation in details.
func plural(kind byte) string {
	switch kind {
	case relation.KindIndex:
		return "indexes"
	case relation.KindSequence:
		return "sequences"
	case relation.KindView:
		return "views"
	}
	return "tables"
}

// resolvedIndex is an indexSpec with everything looked up.
type resolvedIndex struct {
	attributes []attribute
	keys       []int // attribute numbers of the table, zero for expressions; the included ones last
	collations []base.OID
	classes    []base.OID
	options    []int
	exprs      []string
	objects    []object
	predicate  query.Expr
	operators  []base.OID // of an EXCLUDE constraint
}

// createIndex makes an index, fills it and, for a key constraint, records that.
func (c *Context) createIndex(d *relation.Desc, s *indexSpec) (base.OID, error) {
	if len(s.columns)+len(s.including) > 32 {
		return 0, pgerror.New(pgerror.TooManyColumns, "cannot use more than 32 columns in an index")
	}
	r, err := c.resolveIndex(d, s)
	if err != nil {
		return 0, err
	}
	if s.primary && d.Kind == relation.KindTable {
		if err := c.primaryKey(d, r.keys[:len(s.columns)]); err != nil {
			return 0, err
		}
	}
	name := s.name
	if name == "" {
		if name, err = c.indexName(d, s, r); err != nil {
			return 0, err
		}
	}
	oid, err := c.define(&definition{name: name, schema: d.Namespace, kind: relation.KindIndex, persistence: d.Persistence, owner: d.Owner,
		attributes: r.attributes, options: s.options, space: s.space, method: bootstrap.MethodBtree})
	if err != nil {
		return 0, err
	}
	if s.constraint {
		if err := c.freeConstraintName(d, name); err != nil {
			return 0, err
		}
	}
	if err := c.lockRelation(oid, lock.AccessExclusive, name, false); err != nil {
		return 0, err
	}
	if err := c.insertIndex(d, s, r, oid); err != nil {
		return 0, err
	}
	if err := c.dependIndex(d, s, r, oid, name); err != nil {
		return 0, err
	}
	if err := c.editClass(d.OID, func(r catalog.Row) { r.SetBool(bootstrap.ColClassRelhasindex, true) }); err != nil {
		return 0, err
	}
	if !s.concurrent {
		defer c.report("CREATE INDEX", d.OID, byCreateIndex)()
		return oid, c.fillIndex(d.OID, oid)
	}
	if d, err = c.reread(d.OID); err != nil {
		return 0, err
	}
	return oid, c.Opened.Tree(findIndex(d, oid), d.Logged()).Create(c.Task, c.Tx)
}

// primaryKey makes sure that a table has no primary key yet and marks its columns NOT NULL.
func (c *Context) primaryKey(d *relation.Desc, keys []int) error {
	for _, ix := range d.Indexes {
		if ix.Primary {
			return pgerror.Newf(pgerror.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", d.Name)
		}
	}
	var cols []int
	for _, k := range keys {
		if k > 0 && !d.Columns[k-1].NotNull {
			cols = append(cols, k)
		}
	}
	return c.setNotNull(d, cols)
}

func (c *Context) resolveIndex(d *relation.Desc, s *indexSpec) (*resolvedIndex, error) {
	r := &resolvedIndex{}
	for i := range s.columns {
		if err := c.resolveKey(d, s, &s.columns[i], r); err != nil {
			return nil, err
		}
	}
	for _, name := range s.including {
		attr := d.ColumnByName(name)
		if attr == 0 {
			return nil, pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" does not exist", name)
		}
		x := &d.Columns[attr-1]
		r.attributes = append(r.attributes, attribute{name: freeColumn(r.attributes, name), typ: x.Type, typmod: x.Typmod})
		r.keys = append(r.keys, attr)
		r.objects = append(r.objects, colObject(d.OID, attr))
	}
	if s.stored != nil {
		r.predicate = s.stored
	} else if s.where != nil {
		e, err := analyze.Expression(c.options(), s.where, analyze.RelationEntry(d), "index predicates", types.OIDBool, -1)
		if err != nil {
			return nil, err
		}
		if volatility(e) != 'i' {
			return nil, pgerror.New(pgerror.InvalidObjectDefinition, "functions in index predicate must be marked IMMUTABLE")
		}
		r.predicate = e
	}
	if r.predicate != nil {
		r.objects = append(r.objects, exprObjects(r.predicate, d.OID)...)
	}
	return r, nil
}

// resolveKey looks one key column up.
func (c *Context) resolveKey(d *relation.Desc, s *indexSpec, col *indexColumn, r *resolvedIndex) error {
	a := attribute{typmod: -1}
	attr := 0
	var coll base.OID
	if col.name != "" {
		if attr = d.ColumnByName(col.name); attr == 0 {
			if isSystemColumn(col.name) {
				return pgerror.New(pgerror.FeatureNotSupported, "index creation on system columns is not supported")
			}
			if s.constraint {
				return pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" named in key does not exist", col.name)
			}
			return pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" does not exist", col.name)
		}
		x := &d.Columns[attr-1]
		a.name, a.typ, a.typmod, coll = col.name, x.Type, x.Typmod, x.Collation
		r.objects = append(r.objects, colObject(d.OID, attr))
		for _, k := range r.keys {
			if s.constraint && k == attr {
				what := "unique"
				if s.primary {
					what = "primary key"
				}
				return pgerror.Newf(pgerror.DuplicateColumn, "column \"%s\" appears twice in %s constraint", col.name, what)
			}
		}
	} else {
		e := col.stored
		if e == nil {
			var err error
			if e, err = analyze.Expression(c.options(), col.expr, analyze.RelationEntry(d), "index expressions", 0, -1); err != nil {
				return err
			}
		}
		if volatility(e) != 'i' {
			return pgerror.New(pgerror.InvalidObjectDefinition, "functions in index expression must be marked IMMUTABLE")
		}
		a.name, a.typ, a.typmod, coll = exprName(col.expr), e.Type(), e.Typmod(), e.Collation()
		r.exprs = append(r.exprs, query.Marshal(e))
		r.objects = append(r.objects, exprObjects(e, d.OID)...)
	}
	if col.as != "" {
		a.name = col.as
	}
	if len(col.collation) > 0 {
		var err error
		if coll, err = analyze.CollationName(c.options(), stringNodes(col.collation)); err != nil {
			return err
		}
	}
	a.name = freeColumn(r.attributes, a.name)
	a.collation = coll
	class, err := c.opclass(a.typ, col.opclass)
	if err != nil {
		return err
	}
	option := 0
	if col.descending {
		option = 1
	}
	if col.nulls == pg_query.SortByNulls_SORTBY_NULLS_FIRST ||
		col.descending && col.nulls != pg_query.SortByNulls_SORTBY_NULLS_LAST {
		option |= 2
	}
	r.attributes = append(r.attributes, a)
	r.keys = append(r.keys, attr)
	r.collations = append(r.collations, coll)
	r.classes = append(r.classes, class)
	r.options = append(r.options, option)
	if len(s.operators) == 0 {
		return nil
	}
	op, err := c.exclusionOperator(s.operators[len(r.classes)-1], a.typ, class)
	r.operators = append(r.operators, op)
	return err
}

func stringNodes(list []string) []*pg_query.Node {
	out := make([]*pg_query.Node, len(list))
	for i, s := range list {
		out[i] = pg_query.MakeStrNode(s)
	}
	return out
}

// exprName gives the name of an expression's column: the function's or the column's when it is one, else "expr".
func exprName(n *pg_query.Node) string {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_FuncCall:
		if name := strs(x.FuncCall.Funcname); len(name) > 0 {
			return name[len(name)-1]
		}
	case *pg_query.Node_ColumnRef:
		if name := strs(x.ColumnRef.Fields); len(name) > 0 {
			return name[len(name)-1]
		}
	case *pg_query.Node_TypeCast:
		if name := exprName(x.TypeCast.Arg); name != "expr" {
			return name
		}
		if name := strs(x.TypeCast.TypeName.Names); len(name) > 0 {
			return name[len(name)-1]
		}
	case *pg_query.Node_CollateClause:
		return exprName(x.CollateClause.Arg)
	case *pg_query.Node_CoalesceExpr:
		return "coalesce"
	case *pg_query.Node_CaseExpr:
		return "case"
	}
	return "expr"
}

// freeColumn makes a name that no column has yet.
func freeColumn(have []attribute, name string) string {
	if name == "" {
		name = "expr"
	}
	for pass, try := 0, name; ; {
		used := false
		for i := range have {
			used = used || have[i].name == try
		}
		if !used {
			return try
		}
		pass++
		n := itoa(pass)
		try = cut(name, maxName-len(n)) + n
	}
}

// opclass finds the operator class of a key column: by name, or the default one of its type.
func (c *Context) opclass(typ base.OID, name []string) (base.OID, error) {
	all, err := c.View.Opclasses(bootstrap.MethodBtree)
	if err != nil {
		return 0, err
	}
	if len(name) > 0 {
		for _, o := range all {
			if o.Name == name[len(name)-1] {
				fits, err := c.classFits(o, typ)
				if err != nil || fits {
					return o.OID, err
				}
				return 0, pgerror.Newf(pgerror.DatatypeMismatch, "operator class \"%s\" does not accept data type %s", qualified(name), types.Name(typ))
			}
		}
		return 0, pgerror.Newf(pgerror.UndefinedObject, "operator class \"%s\" does not exist for access method \"btree\"", qualified(name))
	}
	var binary base.OID
	for _, o := range all {
		if !o.Default {
			continue
		}
		if o.Input == typ {
			return o.OID, nil
		}
		if fits, err := c.classFits(o, typ); err != nil {
			return 0, err
		} else if fits && (binary == 0 || o.Input == types.OIDText) {
			binary = o.OID
		}
	}
	if binary != 0 {
		return binary, nil
	}
	shown, _ := c.names().TypeName(typ)
	return 0, pgerror.Newf(pgerror.UndefinedObject, "data type %s has no default operator class for access method \"btree\"", shown).WithHint(
		"You must specify an operator class for the index or define a default operator class for the data type.")
}

// classFits tells whether an operator class takes values of a type as they are.
func (c *Context) classFits(o *catalog.Opclass, typ base.OID) (bool, error) {
	if o.Input == typ {
		return true, nil
	}
	t, err := c.View.MustType(typ)
	if err != nil {
		return false, err
	}
	switch o.Input {
	case types.OIDAnyArray:
		return t.TrueArray(), nil
	case types.OIDAnyEnum:
		return t.Kind == 'e', nil
	case types.OIDRecord:
		return t.Kind == 'c', nil
	case types.OIDAnyRange:
		return t.Kind == 'r', nil
	case types.OIDAnyMultirange:
		return t.Kind == 'm', nil
	}
	k, err := c.View.CastBetween(typ, o.Input)
	return k != nil && k.Method == 'b' && k.Context == 'i', err
}

// indexName chooses the name of an index.
func (c *Context) indexName(d *relation.Desc, s *indexSpec, r *resolvedIndex) (string, error) {
	if s.primary {
		return c.chooseRelationName(d.Name, "", "pkey", d.Namespace)
	}
	cols := ""
	for i := range s.columns {
		if len(cols) >= maxName {
			break
		}
		if i > 0 {
			cols += "_"
		}
		cols += r.attributes[i].name
	}
	label := "idx"
	switch {
	case len(s.operators) > 0:
		label = "excl"
	case s.constraint:
		label = "key"
	}
	for i := range s.including {
		cols += "_" + r.attributes[len(s.columns)+i].name
	}
	return c.chooseRelationName(d.Name, cols, label, d.Namespace)
}

func (c *Context) insertIndex(d *relation.Desc, s *indexSpec, r *resolvedIndex, oid base.OID) error {
	row := c.Editor.NewRow(bootstrap.RelIndex)
	row.SetOID(bootstrap.ColIndexIndexrelid, oid)
	row.SetOID(bootstrap.ColIndexIndrelid, d.OID)
	row.SetInt(bootstrap.ColIndexIndnatts, int64(len(r.keys)))
	row.SetInt(bootstrap.ColIndexIndnkeyatts, int64(len(s.columns)))
	row.SetBool(bootstrap.ColIndexIndisunique, s.unique)
	row.SetBool(bootstrap.ColIndexIndnullsnotdistinct, s.nullsEqual)
	row.SetBool(bootstrap.ColIndexIndisprimary, s.primary)
	row.SetBool(bootstrap.ColIndexIndisexclusion, len(r.operators) > 0)
	row.SetBool(bootstrap.ColIndexIndimmediate, !s.deferrable)
	for _, col := range []int{bootstrap.ColIndexIndisclustered, bootstrap.ColIndexIndcheckxmin,
		bootstrap.ColIndexIndisreplident} {
		row.SetBool(col, false)
	}
	row.SetBool(bootstrap.ColIndexIndislive, true)
	row.SetBool(bootstrap.ColIndexIndisvalid, !s.concurrent)
	row.SetBool(bootstrap.ColIndexIndisready, !s.concurrent)
	row.Set(bootstrap.ColIndexIndkey, intVector(types.OIDInt2, r.keys))
	row.Set(bootstrap.ColIndexIndcollation, oidVector(r.collations))
	row.Set(bootstrap.ColIndexIndclass, oidVector(r.classes))
	row.Set(bootstrap.ColIndexIndoption, intVector(types.OIDInt2, r.options))
	if len(r.exprs) > 0 {
		row.SetText(bootstrap.ColIndexIndexprs, catalog.JoinExprs(r.exprs))
	}
	if r.predicate != nil {
		row.SetText(bootstrap.ColIndexIndpred, query.Marshal(r.predicate))
	}
	_, err := c.Editor.Insert(bootstrap.RelIndex, row)
	return err
}

func intVector(elem base.OID, list []int) types.Datum {
	elems := make([]types.Datum, len(list))
	for i, n := range list {
		elems[i] = types.Int(int64(n))
	}
	return types.MakeVector(elem, elems)
}

func oidVector(list []base.OID) types.Datum {
	elems := make([]types.Datum, len(list))
	for i, n := range list {
		elems[i] = types.Int(int64(n))
	}
	return types.MakeVector(types.OIDOID, elems)
}

// dependIndex records what an index depends on, and its constraint.
func (c *Context) dependIndex(d *relation.Desc, s *indexSpec, r *resolvedIndex, oid base.OID, name string) error {
	own := relObject(oid)
	if s.constraint {
		kind := byte('u')
		switch {
		case s.primary:
			kind = 'p'
		case len(r.operators) > 0:
			kind = 'x'
		}
		con, err := c.insertConstraint(d, &constraintRow{name: name, kind: kind, columns: r.keys[:len(s.columns)], index: oid, validated: true,
			deferrable: s.deferrable, deferred: s.deferred, exclusion: r.operators})
		if err != nil {
			return err
		}
		if s.deferrable {
			if err := c.recheckTrigger(d, con, oid, s.primary, s.deferred); err != nil {
				return err
			}
		}
		k := object{bootstrap.RelConstraint, con, 0}
		if err := c.dependConstraint(k, d, columnsOf(r)); err != nil {
			return err
		}
		return c.depend(own, k, depInternal)
	}
	if err := c.dependAll(own, r.objects, depAuto); err != nil {
		return err
	}
	if len(r.objects) == 0 {
		return c.depend(own, relObject(d.OID), depAuto)
	}
	return nil
}

// likeIndex makes the definition of an index like another table's.
func (c *Context) likeIndex(d *relation.Desc, ix *relation.Index, moved []int) (*indexSpec, error) {
	s := &indexSpec{unique: ix.Unique, nullsEqual: ix.NullsEqual, primary: ix.Primary, constraint: ix.Constraint != "",
		deferrable: !ix.Immediate, deferred: ix.Deferred, options: slices.Clone(ix.Options)}
	for range ix.Exclusion {
		s.operators = append(s.operators, []string{"pg_catalog", "="})
	}
	next := 0
	for i := range ix.Keys {
		k := &ix.Keys[i]
		col := indexColumn{descending: k.Descending, nulls: pg_query.SortByNulls_SORTBY_NULLS_LAST}
		if k.NullsFirst {
			col.nulls = pg_query.SortByNulls_SORTBY_NULLS_FIRST
		}
		if k.Attr > 0 {
			col.name = d.Columns[k.Attr-1].Name
		} else {
			e, err := moveColumns(ix.Exprs[next], moved)
			if err != nil {
				return nil, err
			}
			next++
			col.stored, col.as = e, ix.Desc.Columns[i].Name
		}
		o, err := c.View.OpclassByOID(k.Opclass)
		if err != nil {
			return nil, err
		}
		if o != nil {
			col.opclass = []string{o.Name}
		}
		s.columns = append(s.columns, col)
	}
	for _, a := range ix.Included {
		s.including = append(s.including, d.Columns[a-1].Name)
	}
	if ix.Predicate != "" {
		var err error
		if s.stored, err = moveColumns(ix.Predicate, moved); err != nil {
			return nil, err
		}
	}
	return s, nil
}
