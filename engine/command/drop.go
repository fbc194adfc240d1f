package command

import (
	"fmt"
	"sort"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

// dropOptions says how a drop goes about dependent objects.
type dropOptions struct {
	cascade bool
	quiet   bool
	locked  bool // whoever calls keeps others away from the tables
}

// The reasons for which an object is dropped.
const (
	byName = 1 << iota // it was named
	byLink             // an internal or automatic dependency
	byNeed             // a normal dependency: needs CASCADE
)

// victim is an object to be dropped.
type victim struct {
	object
	why int
	on  object // the object it was found by
}

// dropPlan collects what goes with some objects, dependents first.
type dropPlan struct {
	c    *Context
	o    dropOptions
	list []*victim
	at   map[object]*victim
	open map[object]bool
}

// drop removes objects and what depends on them.
func (c *Context) drop(named []object, o dropOptions) error {
	p := &dropPlan{c: c, o: o, at: map[object]*victim{}, open: map[object]bool{}}
	for _, obj := range named {
		p.open[obj] = true
	}
	for _, obj := range named {
		delete(p.open, obj)
		if err := p.visit(obj, byName, object{}); err != nil {
			return err
		}
	}
	if err := p.report(named, o); err != nil {
		return err
	}
	for _, v := range p.list {
		if err := c.remove(v.object); err != nil {
			return err
		}
	}
	return nil
}

// visit adds an object and all that depends on it.
func (p *dropPlan) visit(o object, why int, on object) error {
	if v := p.covering(o); v != nil {
		v.why |= why
		return nil
	}
	if p.open[o] { // in progress, or named and yet to come
		return nil
	}
	if err := p.lock(o); err != nil {
		return err
	}
	owner, err := p.owner(o, why)
	if err != nil {
		return err
	}
	if owner != (object{}) {
		return p.visit(owner, why, on)
	}
	p.open[o] = true
	deps, err := p.c.dependents(o)
	if err != nil {
		return err
	}
	sort.SliceStable(deps, func(i, j int) bool { return deps[i].object.oid > deps[j].object.oid }) // newer objects first
	for _, d := range deps {
		if d.object == o || d.object.class == o.class && d.object.oid == o.oid && o.sub == 0 {
			continue
		}
		next := byLink
		if d.kind == depNormal {
			next = byNeed
		}
		if err := p.visit(d.object, next, o); err != nil {
			return err
		}
	}
	delete(p.open, o)
	v := &victim{object: o, why: why, on: on}
	p.at[o] = v
	p.list = append(p.list, v)
	return nil
}

// lock keeps others away from a relation; from an index's table too, and from the tables of a constraint: their writers must
// not go on with what is gone.
func (p *dropPlan) lock(o object) error {
	c := p.c
	var list []base.OID
	switch o.class {
	case bootstrap.RelClass:
		d, err := c.View.Relation(o.oid)
		if err != nil {
			return err
		}
		if d != nil && d.Kind == relation.KindIndex && d.Index != nil && !p.o.locked {
			list = append(list, d.Index.Table)
		}
		list = append(list, o.oid)
	case bootstrap.RelConstraint:
		r, err := c.View.Row(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, oidKey(o.oid))
		if err != nil || r == nil {
			return err
		}
		list = append(list, r.OID(bootstrap.ColConstraintConrelid), r.OID(bootstrap.ColConstraintConfrelid))
	}
	for _, oid := range list {
		if oid == 0 {
			continue
		}
		if err := c.lockRelation(oid, lock.AccessExclusive, itoa(int(oid)), false); err != nil {
			return err
		}
	}
	return nil
}

// covering gives the victim that an object is or is a column of.
func (p *dropPlan) covering(o object) *victim {
	if v := p.at[o]; v != nil {
		return v
	}
	return p.at[object{o.class, o.oid, 0}]
}

// owner gives the object that o is an internal part of and that has to go in its place; an error when o was named itself.
func (p *dropPlan) owner(o object, why int) (object, error) {
	needs, err := p.c.needs(o)
	if err != nil {
		return object{}, err
	}
	for _, d := range needs {
		whole := object{d.on.class, d.on.oid, 0}
		if d.kind != depInternal || p.covering(d.on) != nil || p.open[d.on] || p.open[whole] {
			continue
		}
		if o.class == bootstrap.RelAttrdef {
			continue // the expression of a generated column goes with its column only, which asks for it
		}
		if why&byName == 0 {
			return d.on, nil
		}
		what, err := p.describe(o)
		if err != nil {
			return object{}, err
		}
		by, err := p.describe(d.on)
		if err != nil {
			return object{}, err
		}
		return object{}, pgerror.Newf(pgerror.DependentObjectsStillExist, "cannot drop %s because %s requires it", what, by).
			WithHint("You can drop %s instead.", by)
	}
	return object{}, nil
}

func (p *dropPlan) describe(o object) (string, error) {
	return sysfuncs.Describe(p.c.names(), o.class, o.oid, o.sub)
}

// report refuses or announces what goes beside the named objects.
func (p *dropPlan) report(named []object, o dropOptions) error {
	var lines []string
	for i := len(p.list) - 1; i >= 0; i-- {
		v := p.list[i]
		if v.why&(byName|byLink) != 0 {
			continue
		}
		what, err := p.describe(v.object)
		if err != nil {
			return err
		}
		if o.cascade {
			lines = append(lines, "drop cascades to "+what)
			continue
		}
		on, err := p.describe(v.on)
		if err != nil {
			return err
		}
		lines = append(lines, what+" depends on "+on)
	}
	if len(lines) == 0 || o.quiet {
		return nil
	}
	if o.cascade {
		return p.announce(lines)
	}
	e := pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop desired object(s) because other objects depend on them")
	if len(named) == 1 {
		what, err := p.describe(named[0])
		if err != nil {
			return err
		}
		e.Message = fmt.Sprintf("cannot drop %s because other objects depend on it", what)
	}
	e.Detail = detail(lines)
	return e.WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
}

func (p *dropPlan) announce(lines []string) error {
	if len(lines) == 1 {
		p.c.notice(pgerror.SuccessfulCompletion, "%s", lines[0])
		return nil
	}
	n := pgerror.Notice(pgerror.SeverityNotice, pgerror.SuccessfulCompletion, "drop cascades to %d other objects", len(lines))
	n.Detail = detail(lines)
	p.c.Session.Notice(n)
	return nil
}

// detail joins lines, at most a hundred.
func detail(lines []string) string {
	const most = 100
	if len(lines) <= most {
		return strings.Join(lines, "\n")
	}
	return fmt.Sprintf("%s\nand %d other objects (see server log for list)", strings.Join(lines[:most], "\n"), len(lines)-most)
}

// remove drops one object; nothing depends on it any more.
func (c *Context) remove(o object) error {
	var err error
	key := oidKey(o.oid)
	switch o.class {
	case bootstrap.RelClass:
		if o.sub != 0 {
			err = c.removeColumn(o.oid, o.sub)
		} else {
			err = c.removeRelation(o.oid)
		}
	case bootstrap.RelType:
		err = c.Editor.DeleteAll(o.class, bootstrap.IdxTypeOidIndex, []types.Datum{key}, nil)
	case bootstrap.RelNamespace:
		err = c.Editor.DeleteAll(o.class, bootstrap.IdxNamespaceOidIndex, []types.Datum{key}, nil)
	case bootstrap.RelConstraint:
		err = c.removeConstraint(o.oid)
	case bootstrap.RelAttrdef:
		err = c.removeDefault(o.oid)
	case bootstrap.RelTrigger:
		err = c.Editor.DeleteAll(o.class, bootstrap.IdxTriggerOidIndex, []types.Datum{key}, nil)
	case bootstrap.RelRewrite:
		err = c.Editor.DeleteAll(o.class, bootstrap.IdxRewriteOidIndex, []types.Datum{key}, nil)
	default:
		return pgerror.Unsupported("dropping an object of catalog %d", o.class)
	}
	if err != nil {
		return err
	}
	if err := c.forget(o, 0, 0); err != nil {
		return err
	}
	if err := c.removeComments(o); err != nil {
		return err
	}
	return c.forgetShared(o, 0)
}

func (c *Context) removeRelation(oid base.OID) error {
	d, err := c.relation(oid)
	if err != nil {
		return err
	}
	if d.Kind == relation.KindIndex {
		if err := c.Editor.DeleteAll(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
			return err
		}
	}
	if d.Kind == relation.KindSequence {
		if err := c.Editor.DeleteAll(bootstrap.RelSequence, bootstrap.IdxSequenceSeqrelidIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
			return err
		}
		delete(c.Session.Sequences, oid)
	}
	if d.Kind == relation.KindTable {
		if err := c.Editor.DeleteAll(bootstrap.RelStatistic, bootstrap.IdxStatisticRelidAttInhIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
			return err
		}
	}
	if d.Kind != relation.KindView {
		c.Tx.DropOnCommit(d.File)
		c.Builder.Stats.Dropped(d.File.Database, oid)
	}
	if err := c.dropAttributes(oid); err != nil {
		return err
	}
	return c.Editor.DeleteAll(bootstrap.RelClass, bootstrap.IdxClassOidIndex, []types.Datum{oidKey(oid)}, nil)
}

// dropAttributes removes a relation's columns with what they depend on.
func (c *Context) dropAttributes(oid base.OID) error {
	if err := c.Editor.DeleteAll(bootstrap.RelAttribute, bootstrap.IdxAttributeRelidAttnumIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
		return err
	}
	return c.Editor.DeleteAll(bootstrap.RelDepend, bootstrap.IdxDependDependerIndex, []types.Datum{oidKey(bootstrap.RelClass), oidKey(oid)},
		func(r catalog.Row) bool { return r.Int(bootstrap.ColDependObjsubid) != 0 })
}

// removeColumn marks a column dropped.
func (c *Context) removeColumn(rel base.OID, attr int) error {
	err := c.editAttribute(rel, attr, func(r catalog.Row) {
		typ := r.OID(bootstrap.ColAttributeAtttypid)
		if n := types.Len(typ); n > 0 { // rows keep the width they were written with
			r.SetInt(bootstrap.ColAttributeAttlen, int64(n))
			r.SetBool(bootstrap.ColAttributeAttbyval, true)
		}
		r.SetOID(bootstrap.ColAttributeAtttypid, 0)
		r.SetText(bootstrap.ColAttributeAttname, fmt.Sprintf("........pg.dropped.%d........", attr))
		r.SetBool(bootstrap.ColAttributeAttisdropped, true)
		r.SetBool(bootstrap.ColAttributeAttnotnull, false)
		r.SetBool(bootstrap.ColAttributeAtthasdef, false)
		r.SetBool(bootstrap.ColAttributeAtthasmissing, false)
		r.SetByte(bootstrap.ColAttributeAttgenerated, 0)
		r.SetByte(bootstrap.ColAttributeAttidentity, 0)
		r.SetInt(bootstrap.ColAttributeAttstattarget, 0)
		r.Set(bootstrap.ColAttributeAttmissingval, types.Null)
		r.Set(bootstrap.ColAttributeAttacl, types.Null)
		r.Set(bootstrap.ColAttributeAttoptions, types.Null)
	})
	if err != nil {
		return err
	}
	return c.Editor.DeleteAll(bootstrap.RelStatistic, bootstrap.IdxStatisticRelidAttInhIndex,
		[]types.Datum{oidKey(rel), types.Int(int64(attr))}, nil)
}

func (c *Context) removeConstraint(oid base.OID) error {
	r, err := c.View.Row(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, oidKey(oid))
	if err != nil || r == nil {
		return err
	}
	if err := c.Editor.DeleteAll(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
		return err
	}
	rel := r.OID(bootstrap.ColConstraintConrelid)
	if r.Byte(bootstrap.ColConstraintContype) != 'c' || rel == 0 {
		return nil
	}
	return c.editClass(rel, func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelchecks, max(0, r.Int(bootstrap.ColClassRelchecks)-1))
	})
}

func (c *Context) removeDefault(oid base.OID) error {
	r, err := c.View.Row(bootstrap.RelAttrdef, bootstrap.IdxAttrdefOidIndex, oidKey(oid))
	if err != nil || r == nil {
		return err
	}
	if err := c.Editor.DeleteAll(bootstrap.RelAttrdef, bootstrap.IdxAttrdefOidIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
		return err
	}
	return c.editAttribute(r.OID(bootstrap.ColAttrdefAdrelid), int(r.Int(bootstrap.ColAttrdefAdnum)), func(r catalog.Row) {
		r.SetBool(bootstrap.ColAttributeAtthasdef, false)
		r.SetByte(bootstrap.ColAttributeAttgenerated, 0)
	})
}

func (c *Context) removeComments(o object) error {
	return c.Editor.DeleteAll(bootstrap.RelDescription, bootstrap.IdxDescriptionOCOIndex, []types.Datum{oidKey(o.oid), oidKey(o.class)},
		func(r catalog.Row) bool { return o.sub == 0 || int(r.Int(bootstrap.ColDescriptionObjsubid)) == o.sub })
}

// dropKind says what DROP of a kind of relation is about.
type dropKind struct {
	kind byte
	tag  string
	noun string
}

func dropKinds(t pg_query.ObjectType) (dropKind, bool) {
	switch t {
	case pg_query.ObjectType_OBJECT_TABLE:
		return dropKind{relation.KindTable, "TABLE", "table"}, true
	case pg_query.ObjectType_OBJECT_INDEX:
		return dropKind{relation.KindIndex, "INDEX", "index"}, true
	case pg_query.ObjectType_OBJECT_SEQUENCE:
		return dropKind{relation.KindSequence, "SEQUENCE", "sequence"}, true
	case pg_query.ObjectType_OBJECT_VIEW:
		return dropKind{relation.KindView, "VIEW", "view"}, true
	}
	return dropKind{}, false
}

func dropStmt(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetDropStmt()
	o := dropOptions{cascade: s.Behavior == pg_query.DropBehavior_DROP_CASCADE}
	if s.RemoveType == pg_query.ObjectType_OBJECT_SCHEMA {
		return "DROP SCHEMA", c.dropSchemas(s, o)
	}
	k, ok := dropKinds(s.RemoveType)
	if !ok {
		return "", pgerror.Unsupported("DROP %s", objectWords(s.RemoveType))
	}
	if s.Concurrent {
		switch {
		case len(s.Objects) > 1:
			return "", pgerror.New(pgerror.FeatureNotSupported, "DROP INDEX CONCURRENTLY does not support dropping multiple objects")
		case o.cascade:
			return "", pgerror.New(pgerror.FeatureNotSupported, "DROP INDEX CONCURRENTLY does not support CASCADE")
		}
		if err := c.topLevel("DROP INDEX CONCURRENTLY"); err != nil {
			return "", err
		}
	}
	var list []object
	for _, n := range s.Objects {
		rv := rangeVar(strs(n.GetList().GetItems()))
		if err := c.lockTableOf(rv, k, s.Concurrent); err != nil {
			return "", err
		}
		oid, err := c.dropTarget(rv, k, s.MissingOk)
		if err != nil {
			return "", err
		}
		if oid != 0 {
			list = append(list, relObject(oid))
		}
	}
	if s.Concurrent && len(list) == 1 {
		d, err := c.relation(list[0].oid)
		if err != nil {
			return "", err
		}
		if d.Persistence != relation.Temporary {
			return "DROP INDEX", c.dropConcurrently(list[0].oid)
		}
	}
	return "DROP " + k.tag, c.drop(list, o)
}

// objectWords gives the SQL words of a kind of object.
func objectWords(t pg_query.ObjectType) string {
	return strings.ReplaceAll(strings.TrimPrefix(t.String(), "OBJECT_"), "_", " ")
}

// lockTableOf locks the table of an index that is to be dropped, before the index, as everybody does.
func (c *Context) lockTableOf(rv *pg_query.RangeVar, k dropKind, concurrent bool) error {
	if k.kind != relation.KindIndex {
		return nil
	}
	oid, err := c.findRelation(rv)
	if err != nil || oid == 0 {
		return err
	}
	d, err := c.View.Relation(oid)
	if err != nil || d == nil || d.Index == nil {
		return err
	}
	mode := lock.AccessExclusive
	if concurrent {
		mode = lock.ShareUpdateExclusive
	}
	return c.lockRelation(d.Index.Table, mode, d.Name, false)
}

// dropTarget finds and locks a relation to be dropped; zero when it is missing and may be.
func (c *Context) dropTarget(rv *pg_query.RangeVar, k dropKind, missingOK bool) (base.OID, error) {
	if rv.Schemaname != "" {
		ns, err := c.schemaOID(rv.Schemaname)
		if err != nil {
			return 0, err
		}
		if ns == 0 && missingOK {
			c.notice(pgerror.SuccessfulCompletion, "schema \"%s\" does not exist, skipping", rv.Schemaname)
			return 0, nil
		}
	}
	d, err := c.open(rv, lock.AccessExclusive, true)
	if err != nil {
		return 0, err
	}
	if d == nil {
		if missingOK {
			c.notice(pgerror.SuccessfulCompletion, "%s \"%s\" does not exist, skipping", k.noun, rv.Relname)
			return 0, nil
		}
		if rv.Schemaname != "" {
			if ns, err := c.schemaOID(rv.Schemaname); err != nil || ns == 0 {
				return 0, pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", rv.Schemaname)
			}
		}
		code := pgerror.UndefinedTable
		if k.kind == relation.KindIndex {
			code = pgerror.UndefinedObject
		}
		return 0, pgerror.Newf(code, "%s \"%s\" does not exist", k.noun, shown(rv))
	}
	if d.Kind == relation.KindTable {
		if err := c.notPending(d, "DROP TABLE"); err != nil {
			return 0, err
		}
	}
	if d.Kind != k.kind {
		real := strings.ToUpper(kindName(d.Kind))
		e := pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not %s", d.Name, article(k.kind))
		return 0, e.WithHint("Use DROP %s to remove %s.", real, article(d.Kind))
	}
	if ns, err := c.View.NamespaceByOID(d.Namespace); err != nil {
		return 0, err
	} else if ns != nil {
		if owns, err := c.View.MemberOf(c.Session.Role, ns.Owner); err == nil && owns {
			if d.System && d.OID < base.FirstNormalOID {
				return 0, c.mustOwn(d)
			}
			return d.OID, nil
		}
	}
	return d.OID, c.mustOwn(d)
}

func (c *Context) dropSchemas(s *pg_query.DropStmt, o dropOptions) error {
	var list []object
	for _, n := range s.Objects {
		name := n.GetString_().GetSval()
		ns, err := c.View.NamespaceByName(name)
		if err != nil {
			return err
		}
		if ns == nil {
			if !s.MissingOk {
				return pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", name)
			}
			c.notice(pgerror.SuccessfulCompletion, "schema \"%s\" does not exist, skipping", name)
			continue
		}
		if err := c.ownsSchema(ns); err != nil {
			return err
		}
		if ns.OID < firstUnpinned && ns.OID != bootstrap.NamespacePublic {
			return pgerror.Newf(pgerror.DependentObjectsStillExist, "cannot drop schema %s because it is required by the database system", name)
		}
		if err := c.lockObject(bootstrap.RelNamespace, ns.OID, lock.AccessExclusive); err != nil {
			return err
		}
		list = append(list, object{bootstrap.RelNamespace, ns.OID, 0})
	}
	return c.drop(list, o)
}
