package command

import (
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

// newColumn is a column that a statement defines, with what goes with it.
type newColumn struct {
	attribute
	node     *pg_query.ColumnDef
	def      *pg_query.Node // DEFAULT
	gen      *pg_query.Node // GENERATED ALWAYS AS
	stored   string         // a default or generation expression in stored form (LIKE)
	sequence *ownedSequence
	nullSeen bool
}

// ownedSequence is the sequence behind a serial or identity column.
type ownedSequence struct {
	oid      base.OID
	identity bool
	options  []*pg_query.Node
	typ      base.OID
}

// newTable is a table that a statement defines.
type newTable struct {
	c       *Context
	name    string
	schema  base.OID
	persist byte
	space   base.OID // as reltablespace
	columns []*newColumn
	checks  []*newCheck
	keys    []*indexSpec
	foreign []*pg_query.Constraint
}

// newCheck is a CHECK constraint to be added: raw, or in stored form with the name it had (LIKE).
type newCheck struct {
	node   *pg_query.Constraint
	name   string
	stored query.Expr
}

func createTable(c *Context, node *pg_query.Node) (string, error) {
	const tag = "CREATE TABLE"
	s := node.GetCreateStmt()
	switch {
	case len(s.InhRelations) > 0 && s.Partbound == nil:
		return "", pgerror.Unsupported("INHERITS")
	case s.Partspec != nil || s.Partbound != nil:
		return "", pgerror.Unsupported("PARTITION")
	case s.OfTypename != nil:
		return "", pgerror.Unsupported("CREATE TABLE OF")
	case s.AccessMethod != "" && s.AccessMethod != "heap":
		return "", pgerror.Newf(pgerror.UndefinedObject, "access method \"%s\" does not exist", s.AccessMethod)
	}
	schema, persistence, err := c.creationSchema(s.Relation)
	if err != nil {
		return "", err
	}
	if exists, err := c.exists(schema, s.Relation.Relname, s.IfNotExists); exists || err != nil {
		return tag, err
	}
	if err := onCommitFits(s.Oncommit, persistence); err != nil {
		return "", err
	}
	t := &newTable{c: c, name: s.Relation.Relname, schema: schema, persist: persistence}
	if t.space, err = c.spaceFor(s.Tablespacename, persistence); err != nil {
		return "", err
	}
	if err := t.elements(s.TableElts); err != nil {
		return "", err
	}
	own, toast := splitToast(s.Options)
	options, err := relOptions(own, heapOptions())
	if err != nil {
		return "", err
	}
	if _, err := relOptions(toast, toastOptions()); err != nil {
		return "", err
	}
	oid, err := t.create(options)
	if err == nil {
		c.onCommit(oid, s.Oncommit)
		err = c.setToastOptions(oid, toast)
	}
	return tag, err
}

// exists tells whether a relation of the name is there, which is a notice when that is allowed and an error otherwise.
func (c *Context) exists(schema base.OID, name string, allowed bool) (bool, error) {
	oid, err := c.View.RelationByName(schema, name)
	if err != nil || oid == 0 {
		return false, err
	}
	if !allowed {
		return true, pgerror.Newf(pgerror.DuplicateTable, "relation \"%s\" already exists", name)
	}
	c.notice(pgerror.DuplicateTable, "relation \"%s\" already exists, skipping", name)
	return true, nil
}

// elements reads the parenthesised list of CREATE TABLE.
func (t *newTable) elements(list []*pg_query.Node) error {
	for _, n := range list {
		var err error
		switch x := n.Node.(type) {
		case *pg_query.Node_ColumnDef:
			err = t.column(x.ColumnDef)
		case *pg_query.Node_Constraint:
			err = t.constraint(x.Constraint, nil)
		case *pg_query.Node_TableLikeClause:
			err = t.like(x.TableLikeClause)
		default:
			err = pgerror.Unsupported("table element %T", n.Node)
		}
		if err != nil {
			return err
		}
	}
	if len(t.columns) > 1600 {
		return pgerror.New(pgerror.TooManyColumns, "tables can have at most 1600 columns")
	}
	seen := map[string]bool{}
	for _, col := range t.columns {
		if seen[col.name] {
			return pgerror.Newf(pgerror.DuplicateColumn, "column \"%s\" specified more than once", col.name)
		}
		seen[col.name] = true
		if isSystemColumn(col.name) {
			return pgerror.Newf(pgerror.DuplicateColumn, "column name \"%s\" conflicts with a system column name", col.name)
		}
	}
	return nil
}

func isSystemColumn(name string) bool {
	switch name {
	case "ctid", "xmin", "cmin", "xmax", "cmax", "tableoid":
		return true
	}
	return false
}

// serialType gives the integer type that a serial pseudo-type stands for; zero for any other name.
func serialType(n *pg_query.TypeName) base.OID {
	name := strs(n.GetNames())
	if len(name) != 1 || len(n.ArrayBounds) > 0 {
		return 0
	}
	switch name[0] {
	case "serial", "serial4":
		return types.OIDInt4
	case "bigserial", "serial8":
		return types.OIDInt8
	case "smallserial", "serial2":
		return types.OIDInt2
	}
	return 0
}

// column reads one column definition.
func (t *newTable) column(n *pg_query.ColumnDef) error {
	col, err := t.c.columnType(n)
	if err != nil {
		return err
	}
	t.columns = append(t.columns, col)
	if err := t.c.attributes(n.Constraints); err != nil {
		return err
	}
	for _, k := range n.Constraints {
		if err := t.constraint(k.GetConstraint(), col); err != nil {
			return err
		}
	}
	if col.sequence != nil && col.sequence.identity && (col.def != nil || col.gen != nil) {
		return pgerror.Newf(pgerror.SyntaxError, "both default and identity specified for column \"%s\" of table \"%s\"", col.name, t.name)
	}
	return nil
}

// columnType reads the name, type and collation of a column definition.
func (c *Context) columnType(n *pg_query.ColumnDef) (*newColumn, error) {
	col := &newColumn{node: n, attribute: attribute{name: n.Colname, typmod: -1}}
	if typ := serialType(n.TypeName); typ != 0 {
		col.typ, col.notNull = typ, true
		col.sequence = &ownedSequence{typ: typ}
		return col, nil
	}
	var err error
	if col.typ, col.typmod, err = analyze.TypeName(c.options(), n.TypeName); err != nil {
		return nil, err
	}
	col.dims = len(n.TypeName.ArrayBounds)
	t, err := c.View.MustType(col.typ)
	if err != nil {
		return nil, err
	}
	if t.Kind == 'p' && col.typ != types.OIDRecord || col.typ == types.OIDRecord {
		return nil, pgerror.Newf(pgerror.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", n.Colname, types.Name(col.typ))
	}
	col.collation = t.Collation
	if n.CollClause != nil {
		if col.collation, err = analyze.CollationName(c.options(), n.CollClause.Collname); err != nil {
			return nil, err
		}
		if t.Collation == 0 {
			return nil, c.at(pgerror.Newf(pgerror.DatatypeMismatch, "collations are not supported by type %s", types.Name(col.typ)),
				n.CollClause.Location)
		}
	}
	col.compress, err = c.compressionOf(col.typ, n.Compression)
	return col, err
}

// constraint reads a constraint of a column, or of the table when col is nil.
func (t *newTable) constraint(k *pg_query.Constraint, col *newColumn) error {
	c := t.c
	switch k.Contype {
	case pg_query.ConstrType_CONSTR_NULL, pg_query.ConstrType_CONSTR_NOTNULL:
		notNull := k.Contype == pg_query.ConstrType_CONSTR_NOTNULL
		if col.nullSeen && col.notNull != notNull {
			return c.at(pgerror.Newf(pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"",
				col.name, t.name), k.Location)
		}
		col.nullSeen = true
		col.notNull = notNull || col.sequence != nil
	case pg_query.ConstrType_CONSTR_DEFAULT:
		if col.def != nil || col.sequence != nil && !col.sequence.identity {
			return c.at(pgerror.Newf(pgerror.SyntaxError, "multiple default values specified for column \"%s\" of table \"%s\"",
				col.name, t.name), k.Location)
		}
		col.def = k.RawExpr
	case pg_query.ConstrType_CONSTR_IDENTITY:
		switch col.typ {
		case types.OIDInt2, types.OIDInt4, types.OIDInt8:
		default:
			return pgerror.New(pgerror.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
		}
		if col.sequence != nil {
			return c.at(pgerror.Newf(pgerror.SyntaxError, "multiple identity specifications for column \"%s\" of table \"%s\"",
				col.name, t.name), k.Location)
		}
		col.identity, col.notNull = k.GeneratedWhen[0], true
		col.sequence = &ownedSequence{identity: true, options: k.Options, typ: col.typ}
	case pg_query.ConstrType_CONSTR_GENERATED:
		if col.gen != nil || col.def != nil {
			return c.at(pgerror.Newf(pgerror.SyntaxError, "both default and generation expression specified for column \"%s\" of table \"%s\"",
				col.name, t.name), k.Location)
		}
		col.gen, col.generated = k.RawExpr, 's'
	case pg_query.ConstrType_CONSTR_CHECK:
		t.checks = append(t.checks, &newCheck{node: k, name: k.Conname})
	case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE, pg_query.ConstrType_CONSTR_EXCLUSION:
		return t.key(k, col)
	case pg_query.ConstrType_CONSTR_FOREIGN:
		if col != nil {
			k.FkAttrs = []*pg_query.Node{pg_query.MakeStrNode(col.name)}
		}
		t.foreign = append(t.foreign, k)
	}
	return nil
}

// key reads a PRIMARY KEY or UNIQUE constraint.
func (t *newTable) key(k *pg_query.Constraint, col *newColumn) error {
	spec, err := t.c.keySpec(k)
	if err != nil {
		return err
	}
	if col != nil {
		spec.columns = []indexColumn{{name: col.name}}
	}
	if spec.primary {
		for _, other := range t.keys {
			if other.primary {
				return t.c.at(pgerror.Newf(pgerror.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed",
					t.name), k.Location)
			}
		}
	}
	for i := range spec.columns {
		if len(spec.operators) > 0 {
			break // its columns are looked up like an index's
		}
		found := false
		for _, x := range t.columns {
			if x.name == spec.columns[i].name {
				found = true
				x.notNull = x.notNull || spec.primary
			}
		}
		if !found && !isSystemColumn(spec.columns[i].name) {
			return t.c.at(pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" named in key does not exist", spec.columns[i].name), k.Location)
		}
	}
	t.keys = append(t.keys, spec)
	return nil
}

// create makes the table with everything that belongs to it and gives its OID.
func (t *newTable) create(options []string) (base.OID, error) {
	c := t.c
	d := &definition{name: t.name, schema: t.schema, kind: relation.KindTable, persistence: t.persist, space: t.space,
		owner: c.Session.Role, options: options, method: bootstrap.MethodHeap, hasType: true}
	for _, col := range t.columns {
		if col.sequence != nil {
			if err := t.makeSequence(col); err != nil {
				return 0, err
			}
		}
		d.attributes = append(d.attributes, col.attribute)
	}
	oid, err := c.define(d)
	if err != nil {
		return 0, err
	}
	if err := c.lockRelation(oid, lock.AccessExclusive, t.name, false); err != nil {
		return 0, err
	}
	if err := t.addExpressions(oid); err != nil {
		return 0, err
	}
	if err := t.addKeys(oid); err != nil {
		return 0, err
	}
	for _, k := range t.foreign {
		if d, err := c.relation(oid); err != nil {
			return 0, err
		} else if _, err := c.addForeignKey(d, k); err != nil {
			return 0, err
		}
	}
	for i, col := range t.columns {
		if col.sequence == nil {
			continue
		}
		kind := byte(depAuto)
		if col.sequence.identity {
			kind = depInternal
		}
		if err := c.depend(relObject(col.sequence.oid), colObject(oid, i+1), kind); err != nil {
			return 0, err
		}
	}
	return oid, nil
}

// makeSequence makes the sequence of a serial or identity column.
func (t *newTable) makeSequence(col *newColumn) error {
	c := t.c
	name, err := c.chooseRelationName(t.name, col.name, "seq", t.schema)
	if err != nil {
		return err
	}
	p, err := c.sequenceOptions(col.sequence.options, nil, col.sequence.typ)
	if err != nil {
		return err
	}
	if p.name != nil {
		name = p.name[len(p.name)-1]
	}
	col.sequence.oid, err = c.makeSequence(name, t.schema, t.persist, p)
	return err
}

// addExpressions stores defaults, generation expressions and checks.
func (t *newTable) addExpressions(oid base.OID) error {
	c := t.c
	d, err := c.relation(oid)
	if err != nil {
		return err
	}
	for i, col := range t.columns {
		e, err := c.columnExpression(d, i+1, col)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		if err := c.storeDefault(d, i+1, e); err != nil {
			return err
		}
	}
	if d, err = c.relation(oid); err != nil {
		return err
	}
	_, err = c.addChecks(d, t.checks)
	return err
}

// columnExpression gives what a column's definition says of its default or generated value; nil for nothing.
func (c *Context) columnExpression(d *relation.Desc, attr int, col *newColumn) (query.Expr, error) {
	switch {
	case col.stored != "":
		return query.Unmarshal(col.stored)
	case col.gen != nil:
		return c.generation(d, attr, col.gen)
	case col.def != nil:
		return c.defaultExpr(d, attr, col.def)
	case col.sequence != nil && !col.sequence.identity:
		return c.nextvalDefault(d, attr, col.sequence.oid)
	}
	return nil, nil
}

// addKeys makes the indexes of the key constraints, the primary key's first.
func (t *newTable) addKeys(oid base.OID) error {
	for _, primary := range []bool{true, false} {
		for _, k := range t.keys {
			if k.primary != primary {
				continue
			}
			d, err := t.c.relation(oid)
			if err != nil {
				return err
			}
			if _, err := t.c.createIndex(d, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// The options of LIKE, as the grammar's bits.
const (
	likeComments    = 1
	likeConstraints = 1 << 2
	likeDefaults    = 1 << 3
	likeGenerated   = 1 << 4
	likeIdentity    = 1 << 5
	likeIndexes     = 1 << 6
	likeStorage     = 1 << 8
)

// like copies the columns of another table.
func (t *newTable) like(n *pg_query.TableLikeClause) error {
	c := t.c
	d, err := c.open(n.Relation, lock.AccessShare, false)
	if err != nil {
		return err
	}
	if d.Kind != relation.KindTable && d.Kind != relation.KindView {
		return c.at(pgerror.Newf(pgerror.WrongObjectType, "relation \"%s\" is invalid in LIKE clause", d.Name), n.Relation.Location)
	}
	moved := make([]int, len(d.Columns)+1) // by attribute of d: the new one
	for i := range d.Columns {
		x := &d.Columns[i]
		if x.Dropped {
			continue
		}
		col := &newColumn{attribute: attribute{name: x.Name, typ: x.Type, typmod: x.Typmod, collation: x.Collation, notNull: x.NotNull}}
		t.columns = append(t.columns, col)
		moved[i+1] = len(t.columns)
		if n.Options&likeStorage != 0 {
			col.storage = x.Storage
		}
		if x.Identity != 0 && n.Options&likeIdentity != 0 {
			col.identity, col.sequence = x.Identity, &ownedSequence{identity: true, typ: x.Type}
		}
	}
	for i := range d.Columns {
		if err := t.likeDefault(d, i+1, n.Options, moved); err != nil {
			return err
		}
	}
	if n.Options&likeConstraints != 0 {
		for _, k := range d.Checks {
			e, err := moveColumns(k.Expr, moved)
			if err != nil {
				return err
			}
			t.checks = append(t.checks, &newCheck{name: k.Name, stored: e})
		}
	}
	if n.Options&likeIndexes == 0 {
		return nil
	}
	for _, ix := range d.Indexes {
		spec, err := c.likeIndex(d, ix, moved)
		if err != nil {
			return err
		}
		t.keys = append(t.keys, spec)
	}
	return nil
}

func (t *newTable) likeDefault(d *relation.Desc, attr int, options uint32, moved []int) error {
	x := &d.Columns[attr-1]
	if x.Dropped || !x.HasDefault {
		return nil
	}
	want := uint32(likeDefaults)
	if x.Generated != 0 {
		want = likeGenerated
	}
	if options&want == 0 {
		return nil
	}
	text, err := t.c.View.DefaultExpr(d.OID, attr)
	if err != nil || text == "" {
		return err
	}
	e, err := moveColumns(text, moved)
	if err != nil {
		return err
	}
	col := t.columns[moved[attr]-1]
	col.stored, col.generated = query.Marshal(e), x.Generated
	return nil
}

// moveColumns gives a stored expression whose column numbers are mapped.
func moveColumns(text string, moved []int) (query.Expr, error) {
	e, err := query.Unmarshal(text)
	if err != nil {
		return nil, err
	}
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if v, ok := x.(*query.Var); ok && v.Attr > 0 && v.Attr < len(moved) {
			n := *v
			n.Attr = moved[v.Attr]
			return &n, true
		}
		return nil, false
	}), nil
}

// storeDefault writes a column's default or generation expression.
func (c *Context) storeDefault(d *relation.Desc, attr int, e query.Expr) error {
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return err
	}
	r := c.Editor.NewRow(bootstrap.RelAttrdef)
	r.SetOID(bootstrap.ColAttrdefOid, oid)
	r.SetOID(bootstrap.ColAttrdefAdrelid, d.OID)
	r.SetInt(bootstrap.ColAttrdefAdnum, int64(attr))
	r.SetText(bootstrap.ColAttrdefAdbin, query.Marshal(e))
	if _, err := c.Editor.Insert(bootstrap.RelAttrdef, r); err != nil {
		return err
	}
	if err := c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetBool(bootstrap.ColAttributeAtthasdef, true) }); err != nil {
		return err
	}
	own := object{bootstrap.RelAttrdef, oid, 0}
	kind := byte(depAuto)
	if d.Columns[attr-1].Generated != 0 {
		kind = depInternal
	}
	if err := c.depend(own, colObject(d.OID, attr), kind); err != nil {
		return err
	}
	return c.dependAll(own, exprObjects(e, d.OID), depNormal)
}
