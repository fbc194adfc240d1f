package command

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// object names a thing that others may depend on: a row of a catalog, or with sub a column of a relation.
type object struct {
	class base.OID
	oid   base.OID
	sub   int
}

func relObject(oid base.OID) object           { return object{bootstrap.RelClass, oid, 0} }
func colObject(oid base.OID, attr int) object { return object{bootstrap.RelClass, oid, attr} }

// The kinds of dependencies, as pg_depend.deptype.
const (
	depNormal   = 'n'
	depAuto     = 'a'
	depInternal = 'i'
)

// firstUnpinned is the first OID of an object that is not part of a fresh cluster; dependencies on those before it are
// not recorded, except on schema public.
const firstUnpinned base.OID = 12000

// depend records that from depends on to.
func (c *Context) depend(from, to object, kind byte) error {
	if to.oid < firstUnpinned && (to.class != bootstrap.RelNamespace || to.oid != bootstrap.NamespacePublic) {
		return nil
	}
	r := c.Editor.NewRow(bootstrap.RelDepend)
	r.SetOID(bootstrap.ColDependClassid, from.class)
	r.SetOID(bootstrap.ColDependObjid, from.oid)
	r.SetInt(bootstrap.ColDependObjsubid, int64(from.sub))
	r.SetOID(bootstrap.ColDependRefclassid, to.class)
	r.SetOID(bootstrap.ColDependRefobjid, to.oid)
	r.SetInt(bootstrap.ColDependRefobjsubid, int64(to.sub))
	r.SetByte(bootstrap.ColDependDeptype, kind)
	_, err := c.Editor.Insert(bootstrap.RelDepend, r)
	return err
}

// dependAll records several dependencies of one kind, each once.
func (c *Context) dependAll(from object, to []object, kind byte) error {
	seen := map[object]bool{}
	for _, o := range to {
		if seen[o] {
			continue
		}
		seen[o] = true
		if err := c.depend(from, o, kind); err != nil {
			return err
		}
	}
	return nil
}

// dependents gives what depends on an object; of a whole relation also what depends on its columns.
func (c *Context) dependents(o object) (out []dependency, err error) {
	keys := []types.Datum{oidKey(o.class), oidKey(o.oid)}
	if o.sub != 0 {
		keys = append(keys, types.Int(int64(o.sub)))
	}
	err = c.View.Scan(bootstrap.RelDepend, bootstrap.IdxDependReferenceIndex, keys, func(_ base.TID, r catalog.Row) error {
		out = append(out, dependency{
			object: object{r.OID(bootstrap.ColDependClassid), r.OID(bootstrap.ColDependObjid), int(r.Int(bootstrap.ColDependObjsubid))},
			on:     object{o.class, o.oid, int(r.Int(bootstrap.ColDependRefobjsubid))},
			kind:   r.Byte(bootstrap.ColDependDeptype)})
		return nil
	})
	return out, err
}

// dependency is one row of pg_depend.
type dependency struct {
	object object
	on     object
	kind   byte
}

// needs gives what an object depends on.
func (c *Context) needs(o object) (out []dependency, err error) {
	keys := []types.Datum{oidKey(o.class), oidKey(o.oid), types.Int(int64(o.sub))}
	err = c.View.Scan(bootstrap.RelDepend, bootstrap.IdxDependDependerIndex, keys, func(_ base.TID, r catalog.Row) error {
		out = append(out, dependency{
			object: o,
			on: object{r.OID(bootstrap.ColDependRefclassid), r.OID(bootstrap.ColDependRefobjid),
				int(r.Int(bootstrap.ColDependRefobjsubid))},
			kind: r.Byte(bootstrap.ColDependDeptype)})
		return nil
	})
	return out, err
}

// forget removes the records of what an object depends on; kind zero is all of them, class zero any class.
func (c *Context) forget(o object, refClass base.OID, kind byte) error {
	keys := []types.Datum{oidKey(o.class), oidKey(o.oid), types.Int(int64(o.sub))}
	return c.Editor.DeleteAll(bootstrap.RelDepend, bootstrap.IdxDependDependerIndex, keys, func(r catalog.Row) bool {
		return (kind == 0 || r.Byte(bootstrap.ColDependDeptype) == kind) &&
			(refClass == 0 || r.OID(bootstrap.ColDependRefclassid) == refClass)
	})
}

// dependOwner records the owner of an object; the bootstrap superuser is pinned.
func (c *Context) dependOwner(o object, role base.OID) error { return c.sharedDepend(o, role, 'o') }

func (c *Context) sharedDepend(o object, role base.OID, kind byte) error {
	if role == 0 || role < firstUnpinned {
		return nil
	}
	r := c.Editor.NewRow(bootstrap.RelShdepend)
	r.SetOID(bootstrap.ColShdependDbid, c.sharedDatabase(o.class))
	r.SetOID(bootstrap.ColShdependClassid, o.class)
	r.SetOID(bootstrap.ColShdependObjid, o.oid)
	r.SetInt(bootstrap.ColShdependObjsubid, int64(o.sub))
	r.SetOID(bootstrap.ColShdependRefclassid, bootstrap.RelAuthid)
	r.SetOID(bootstrap.ColShdependRefobjid, role)
	r.SetByte(bootstrap.ColShdependDeptype, kind)
	_, err := c.Editor.Insert(bootstrap.RelShdepend, r)
	return err
}

// sharedDatabase gives what pg_shdepend.dbid says of objects of a class.
func (c *Context) sharedDatabase(class base.OID) base.OID {
	if d, ok := bootstrap.Relation(class); ok && d.Shared {
		return 0
	}
	return c.database()
}

// forgetShared removes the records of an object's roles; kind zero is all of them.
func (c *Context) forgetShared(o object, kind byte) error {
	keys := []types.Datum{oidKey(c.sharedDatabase(o.class)), oidKey(o.class), oidKey(o.oid)}
	return c.Editor.DeleteAll(bootstrap.RelShdepend, bootstrap.IdxShdependDependerIndex, keys, func(r catalog.Row) bool {
		return (kind == 0 || r.Byte(bootstrap.ColShdependDeptype) == kind) &&
			(o.sub == 0 || int(r.Int(bootstrap.ColShdependObjsubid)) == o.sub)
	})
}

// exprObjects lists what an expression over a relation's row refers to: columns of the relation, and objects of users.
func exprObjects(e query.Expr, rel base.OID) []object {
	var out []object
	query.Walk(e, func(x query.Expr) bool {
		switch x := x.(type) {
		case *query.Var:
			if rel != 0 && x.RTE == 1 && x.Attr > 0 && x.Up == 0 {
				out = append(out, colObject(rel, x.Attr))
			}
		default:
			out = append(out, nodeObjects(x)...)
		}
		return true
	})
	return out
}

// nodeObjects lists what one expression node refers to beside columns.
func nodeObjects(e query.Expr) []object {
	var out []object
	switch x := e.(type) {
	case *query.Const:
		if x.Typ == types.OIDRegClass && !x.Value.Null {
			out = append(out, relObject(base.OID(uint32(x.Value.I))))
		}
		out = append(out, object{bootstrap.RelType, x.Typ, 0})
	case *query.NextValue:
		out = append(out, relObject(x.Sequence))
	case *query.FuncExpr:
		out = append(out, object{bootstrap.RelProc, x.Func, 0})
	}
	return out
}

// exprColumns gives the attribute numbers an expression over a relation's row reads, ascending.
func exprColumns(e query.Expr) []int {
	seen := map[int]bool{}
	query.Walk(e, func(x query.Expr) bool {
		if v, ok := x.(*query.Var); ok && v.RTE == 1 && v.Attr > 0 {
			seen[v.Attr] = true
		}
		return true
	})
	var out []int
	for a := 1; len(out) < len(seen); a++ {
		if seen[a] {
			out = append(out, a)
		}
	}
	return out
}

// queryObjects lists the relations and columns a stored query reads.
func queryObjects(q *query.Query) []object {
	var out []object
	var visit func(q *query.Query, outer []*query.Query)
	visit = func(q *query.Query, outer []*query.Query) {
		levels := append([]*query.Query{q}, outer...)
		for _, r := range q.Range {
			if r.RelOID != 0 {
				out = append(out, relObject(r.RelOID))
				for _, a := range r.SelectedCols {
					if a > 0 {
						out = append(out, colObject(r.RelOID, a))
					}
				}
			}
		}
		q.EachExpr(func(e *query.Expr) {
			query.Walk(*e, func(x query.Expr) bool {
				if v, ok := x.(*query.Var); ok {
					if v.Up < len(levels) && v.RTE > 0 && v.RTE <= len(levels[v.Up].Range) && v.Attr > 0 {
						if r := levels[v.Up].Range[v.RTE-1]; r.RelOID != 0 {
							out = append(out, colObject(r.RelOID, v.Attr))
						}
					}
					return true
				}
				out = append(out, nodeObjects(x)...)
				return true
			})
		})
		for _, r := range q.Range {
			if r.RelOID != 0 {
				r.Sub = nil
			}
		}
		q.EachQuery(func(sub *query.Query) { visit(sub, levels) })
	}
	visit(q, nil)
	return dropCovered(out)
}

// dropCovered removes whole relations of which columns are listed too, as PostgreSQL records only the columns then.
func dropCovered(in []object) []object {
	columns := map[base.OID]bool{}
	for _, o := range in {
		if o.class == bootstrap.RelClass && o.sub > 0 {
			columns[o.oid] = true
		}
	}
	out := in[:0]
	for _, o := range in {
		if o.class == bootstrap.RelClass && o.sub == 0 && columns[o.oid] {
			continue
		}
		out = append(out, o)
	}
	return out
}
