package command

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// command runs one sub-command.
func (a *alteration) command(cmd *pg_query.AlterTableCmd) error {
	c := a.c
	d, err := c.relation(a.oid)
	if err != nil {
		return err
	}
	switch cmd.Subtype {
	case pg_query.AlterTableType_AT_AddColumn:
		return a.addColumn(d, cmd)
	case pg_query.AlterTableType_AT_DropColumn:
		return a.dropColumn(d, cmd)
	case pg_query.AlterTableType_AT_AlterColumnType:
		return a.alterType(d, cmd)
	case pg_query.AlterTableType_AT_AddConstraint:
		return a.addConstraint(d, cmd.Def.GetConstraint())
	case pg_query.AlterTableType_AT_DropConstraint:
		return a.dropConstraint(d, cmd)
	case pg_query.AlterTableType_AT_AlterConstraint:
		return a.alterConstraint(d, cmd.Def.GetConstraint())
	case pg_query.AlterTableType_AT_ValidateConstraint:
		return a.validateConstraint(d, cmd.Name)
	case pg_query.AlterTableType_AT_ChangeOwner:
		to, err := c.role(cmd.Newowner)
		if err == nil {
			err = c.mayGive(to)
		}
		if err != nil {
			return err
		}
		return c.giveRelation(d.OID, to)
	case pg_query.AlterTableType_AT_ClusterOn:
		ix, err := c.clusterIndex(d, cmd.Name)
		if err != nil {
			return err
		}
		return c.markClustered(d, ix)
	case pg_query.AlterTableType_AT_DropCluster:
		return c.markClustered(d, nil)
	case pg_query.AlterTableType_AT_SetTableSpace:
		return c.setSpace(d, cmd.Name)
	case pg_query.AlterTableType_AT_SetLogged:
		return a.setPersistence(d, relation.Permanent)
	case pg_query.AlterTableType_AT_SetUnLogged:
		return a.setPersistence(d, relation.Unlogged)
	case pg_query.AlterTableType_AT_SetRelOptions, pg_query.AlterTableType_AT_ResetRelOptions:
		return a.setOptions(d, cmd)
	}
	if firing(cmd.Subtype) != 0 {
		return c.enableTriggers(d, cmd)
	}
	attr := 0
	if cmd.Name != "" {
		if attr, err = column(d, cmd.Name); err != nil {
			return err
		}
	}
	return a.columnCommand(d, cmd, attr)
}

// columnCommand runs a sub-command about one existing column.
func (a *alteration) columnCommand(d *relation.Desc, cmd *pg_query.AlterTableCmd, attr int) error {
	c := a.c
	switch cmd.Subtype {
	case pg_query.AlterTableType_AT_ColumnDefault:
		return a.columnDefault(d, attr, cmd.Def)
	case pg_query.AlterTableType_AT_SetNotNull:
		a.notNull = append(a.notNull, attr)
		return c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetBool(bootstrap.ColAttributeAttnotnull, true) })
	case pg_query.AlterTableType_AT_DropNotNull:
		return a.dropNotNull(d, attr)
	case pg_query.AlterTableType_AT_AddIdentity:
		return a.addIdentity(d, attr, cmd.Def.GetConstraint())
	case pg_query.AlterTableType_AT_SetIdentity:
		return a.setIdentity(d, attr, cmd.Def.GetList().GetItems())
	case pg_query.AlterTableType_AT_DropIdentity:
		return a.dropIdentity(d, attr, cmd.MissingOk)
	case pg_query.AlterTableType_AT_DropExpression:
		return a.dropExpression(d, attr, cmd.MissingOk)
	case pg_query.AlterTableType_AT_SetStatistics:
		n := cmd.Def.GetInteger().GetIval()
		return c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetInt(bootstrap.ColAttributeAttstattarget, int64(n)) })
	case pg_query.AlterTableType_AT_SetStorage:
		return c.setStorage(d, attr, cmd.Def.GetString_().GetSval())
	case pg_query.AlterTableType_AT_SetCompression:
		return c.setCompression(d, attr, cmd.Def.GetString_().GetSval())
	}
	return pgerror.Unsupported("ALTER TABLE sub-command %s", strings.TrimPrefix(cmd.Subtype.String(), "AT_"))
}

// columnDefault is SET DEFAULT and DROP DEFAULT.
func (a *alteration) columnDefault(d *relation.Desc, attr int, def *pg_query.Node) error {
	c, col := a.c, &d.Columns[attr-1]
	if col.Identity != 0 {
		e := pgerror.Newf(pgerror.SyntaxError, "column \"%s\" of relation \"%s\" is an identity column", col.Name, d.Name)
		if def == nil {
			return e.WithHint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.")
		}
		return e
	}
	if col.Generated != 0 {
		e := pgerror.Newf(pgerror.SyntaxError, "column \"%s\" of relation \"%s\" is a generated column", col.Name, d.Name)
		if def == nil {
			return e.WithHint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead.")
		}
		return e
	}
	if err := c.dropDefault(d.OID, attr); err != nil || def == nil {
		return err
	}
	e, err := c.defaultExpr(d, attr, def)
	if err != nil {
		return err
	}
	return c.storeDefault(d, attr, e)
}

// dropDefault removes a column's default, if it has one.
func (c *Context) dropDefault(rel base.OID, attr int) error {
	r, err := c.View.Row(bootstrap.RelAttrdef, bootstrap.IdxAttrdefAdrelidAdnumIndex, oidKey(rel), types.Int(int64(attr)))
	if err != nil || r == nil {
		return err
	}
	return c.remove(object{bootstrap.RelAttrdef, r.OID(bootstrap.ColAttrdefOid), 0})
}

func (a *alteration) dropNotNull(d *relation.Desc, attr int) error {
	col := &d.Columns[attr-1]
	if col.Identity != 0 {
		return pgerror.Newf(pgerror.SyntaxError, "column \"%s\" of relation \"%s\" is an identity column", col.Name, d.Name)
	}
	for _, ix := range d.Indexes {
		for _, k := range ix.Keys {
			if ix.Primary && int(k.Attr) == attr {
				return pgerror.Newf(pgerror.InvalidTableDefinition, "column \"%s\" is in a primary key", col.Name)
			}
		}
	}
	return a.c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetBool(bootstrap.ColAttributeAttnotnull, false) })
}

// identityOf gives the sequence of an identity column.
func (c *Context) identityOf(rel base.OID, attr int) (base.OID, error) {
	deps, err := c.dependents(colObject(rel, attr))
	if err != nil {
		return 0, err
	}
	for _, d := range deps {
		if d.kind == depInternal && d.object.class == bootstrap.RelClass {
			return d.object.oid, nil
		}
	}
	return 0, nil
}

func (a *alteration) addIdentity(d *relation.Desc, attr int, k *pg_query.Constraint) error {
	c, col := a.c, &d.Columns[attr-1]
	switch {
	case !col.NotNull:
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState,
			"column \"%s\" of relation \"%s\" must be declared NOT NULL before identity can be added", col.Name, d.Name)
	case col.Identity != 0:
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is already an identity column", col.Name, d.Name)
	case col.HasDefault:
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" already has a default value", col.Name, d.Name)
	}
	t := &newTable{c: c, name: d.Name, schema: d.Namespace, persist: d.Persistence}
	n := &newColumn{attribute: attribute{name: col.Name, typ: col.Type}, sequence: &ownedSequence{identity: true, options: k.Options, typ: col.Type}}
	if err := t.makeSequence(n); err != nil {
		return err
	}
	if err := c.editAttribute(d.OID, attr, func(r catalog.Row) {
		r.SetByte(bootstrap.ColAttributeAttidentity, k.GeneratedWhen[0])
	}); err != nil {
		return err
	}
	return c.depend(relObject(n.sequence.oid), colObject(d.OID, attr), depInternal)
}

func (a *alteration) setIdentity(d *relation.Desc, attr int, options []*pg_query.Node) error {
	c, col := a.c, &d.Columns[attr-1]
	if col.Identity == 0 {
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is not an identity column", col.Name, d.Name)
	}
	var rest []*pg_query.Node
	for _, n := range options {
		e := n.GetDefElem()
		if e.Defname != "generated" {
			rest = append(rest, n)
			continue
		}
		when := byte(e.Arg.GetInteger().GetIval())
		if err := c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetByte(bootstrap.ColAttributeAttidentity, when) }); err != nil {
			return err
		}
	}
	if len(rest) == 0 {
		return nil
	}
	seq, err := c.identityOf(d.OID, attr)
	if err != nil || seq == 0 {
		return err
	}
	s, err := c.relation(seq)
	if err != nil {
		return err
	}
	return c.changeSequence(s, rest)
}

func (a *alteration) dropIdentity(d *relation.Desc, attr int, missingOK bool) error {
	c, col := a.c, &d.Columns[attr-1]
	if col.Identity == 0 {
		if missingOK {
			c.notice(pgerror.SuccessfulCompletion, "column \"%s\" of relation \"%s\" is not an identity column, skipping", col.Name, d.Name)
			return nil
		}
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is not an identity column", col.Name, d.Name)
	}
	seq, err := c.identityOf(d.OID, attr)
	if err != nil {
		return err
	}
	if err := c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetByte(bootstrap.ColAttributeAttidentity, 0) }); err != nil || seq == 0 {
		return err
	}
	if err := c.forget(relObject(seq), bootstrap.RelClass, depInternal); err != nil {
		return err
	}
	return c.drop([]object{relObject(seq)}, dropOptions{quiet: true})
}

func (a *alteration) dropExpression(d *relation.Desc, attr int, missingOK bool) error {
	c, col := a.c, &d.Columns[attr-1]
	if col.Generated == 0 {
		if missingOK {
			c.notice(pgerror.SuccessfulCompletion, "column \"%s\" of relation \"%s\" is not a stored generated column, skipping", col.Name, d.Name)
			return nil
		}
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is not a stored generated column", col.Name, d.Name)
	}
	return c.dropDefault(d.OID, attr)
}

// setOptions is SET and RESET of storage parameters.
func (a *alteration) setOptions(d *relation.Desc, cmd *pg_query.AlterTableCmd) error {
	c := a.c
	known := heapOptions()
	switch d.Kind {
	case relation.KindIndex:
		known = indexOptions()
	case relation.KindView:
		known = viewOptions()
	}
	reset := cmd.Subtype == pg_query.AlterTableType_AT_ResetRelOptions
	list, toast := cmd.Def.GetList().GetItems(), []*pg_query.Node(nil)
	if d.Kind == relation.KindTable {
		list, toast = splitToast(list)
	}
	if err := c.editOptions(d.OID, list, known, reset); err != nil {
		return err
	}
	if d.Toast != 0 {
		if err := c.editOptions(d.Toast, toast, toastOptions(), reset); err != nil {
			return err
		}
		if _, err := c.reread(d.OID); err != nil {
			return err
		}
	} else if _, err := relOptions(toast, toastOptions()); err != nil && !reset {
		return err
	}
	if d.Index != nil {
		_, err := c.reread(d.Index.Table)
		return err
	}
	return nil
}

// editOptions sets or resets storage parameters of a relation.
func (c *Context) editOptions(oid base.OID, list []*pg_query.Node, known map[string]option, reset bool) error {
	if len(list) == 0 {
		return nil
	}
	var set []string
	if reset && slices.ContainsFunc(list, func(n *pg_query.Node) bool { return n.GetDefElem().Arg != nil }) {
		return pgerror.New(pgerror.SyntaxError, "RESET must not include values for parameters")
	}
	if !reset {
		var err error
		if set, err = relOptions(list, known); err != nil {
			return err
		}
	}
	return c.editClass(oid, func(r catalog.Row) {
		var kept []string
		for _, o := range r.Texts(bootstrap.ColClassReloptions) {
			name, _, _ := strings.Cut(o, "=")
			named := false
			for _, n := range list {
				named = named || n.GetDefElem().Defname == name
			}
			if !named {
				kept = append(kept, o)
			}
		}
		kept = append(kept, set...)
		r.Set(bootstrap.ColClassReloptions, types.Null)
		if len(kept) > 0 {
			r.Set(bootstrap.ColClassReloptions, textArray(kept))
		}
	})
}
