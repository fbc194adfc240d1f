package catalog

import (
	"cmp"
	"slices"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// TypeByOID gives a type, or nil when there is none.
func (v *View) TypeByOID(oid base.OID) (*Type, error) {
	t, err := v.typeTable()
	if err != nil {
		return nil, err
	}
	return t.byOID[oid], nil
}

// MustType gives a type that has to exist: its absence is PostgreSQL's "cache lookup failed".
func (v *View) MustType(oid base.OID) (*Type, error) {
	t, err := v.TypeByOID(oid)
	if err == nil && t == nil {
		err = pgerror.Newf(pgerror.InternalError, "cache lookup failed for type %d", oid)
	}
	return t, err
}

// TypesByName gives the types of a name in all schemas.
func (v *View) TypesByName(name string) ([]*Type, error) {
	t, err := v.typeTable()
	if err != nil {
		return nil, err
	}
	return t.byName[name], nil
}

// TypeByName gives the type of a name in a schema, or nil.
func (v *View) TypeByName(namespace base.OID, name string) (*Type, error) {
	l, err := v.TypesByName(name)
	for _, t := range l {
		if t.Namespace == namespace {
			return t, err
		}
	}
	return nil, err
}

// ProcByOID gives a function, or nil when there is none.
func (v *View) ProcByOID(oid base.OID) (*Proc, error) {
	t, err := v.procTable()
	if err != nil {
		return nil, err
	}
	return t.byOID[oid], nil
}

// MustProc gives a function that has to exist.
func (v *View) MustProc(oid base.OID) (*Proc, error) {
	p, err := v.ProcByOID(oid)
	if err == nil && p == nil {
		err = pgerror.Newf(pgerror.InternalError, "cache lookup failed for function %d", oid)
	}
	return p, err
}

// ProcsByName gives the functions of a name in all schemas.
func (v *View) ProcsByName(name string) ([]*Proc, error) {
	t, err := v.procTable()
	if err != nil {
		return nil, err
	}
	return t.byName[name], nil
}

// AggregateOf gives the aggregate facts of a function, or nil when it is none.
func (v *View) AggregateOf(proc base.OID) (*Aggregate, error) {
	t, err := v.procTable()
	if err != nil {
		return nil, err
	}
	return t.aggregates[proc], nil
}

// OperatorByOID gives an operator, or nil when there is none.
func (v *View) OperatorByOID(oid base.OID) (*Operator, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	return t.byOID[oid], nil
}

// OperatorsByName gives the operators of a name in all schemas.
func (v *View) OperatorsByName(name string) ([]*Operator, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	return t.byName[name], nil
}

// CastBetween gives the row of pg_cast from source to target, or nil.
func (v *View) CastBetween(source, target base.OID) (*Cast, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	return t.casts[castKey{source, target}], nil
}

// OpclassByOID gives an operator class, or nil.
func (v *View) OpclassByOID(oid base.OID) (*Opclass, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	return t.classes[oid], nil
}

// Opclasses gives every operator class of an access method.
func (v *View) Opclasses(method base.OID) ([]*Opclass, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	var out []*Opclass
	for _, c := range t.classList {
		if c.Method == method {
			out = append(out, c)
		}
	}
	return out, nil
}

// AmopsOf gives the places of an operator in operator families.
func (v *View) AmopsOf(operator base.OID) ([]Amop, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	return t.amops[operator], nil
}

// FamilyOperator gives the operator of a family for two types and a strategy, or zero.
func (v *View) FamilyOperator(family, left, right base.OID, strategy int) (base.OID, error) {
	t, err := v.operatorTable()
	if err != nil {
		return 0, err
	}
	for _, a := range t.families[family] {
		if a.Left == left && a.Right == right && a.Strategy == strategy && a.Purpose == 's' {
			return a.Operator, nil
		}
	}
	return 0, nil
}

// Support gives the support function of a family, or zero.
func (v *View) Support(family, left, right base.OID, number int) (base.OID, error) {
	t, err := v.operatorTable()
	if err != nil {
		return 0, err
	}
	return t.support[supportKey{family, left, right, number}], nil
}

// SupportFunction is a support function of an operator family that takes a second type Right.
type SupportFunction struct {
	Right    base.OID
	Function base.OID
}

// SupportOver gives the support functions of a family with a given number and first type, in the order of their second.
func (v *View) SupportOver(family, left base.OID, number int) ([]SupportFunction, error) {
	t, err := v.operatorTable()
	if err != nil {
		return nil, err
	}
	var out []SupportFunction
	for k, f := range t.support {
		if k.family == family && k.left == left && k.number == number {
			out = append(out, SupportFunction{Right: k.right, Function: f})
		}
	}
	slices.SortFunc(out, func(a, b SupportFunction) int { return cmp.Compare(a.Right, b.Right) })
	return out, nil
}

// NamespaceByName gives a schema, or nil.
func (v *View) NamespaceByName(name string) (*Namespace, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	return t.namespacesByName[name], nil
}

// NamespaceByOID gives a schema, or nil.
func (v *View) NamespaceByOID(oid base.OID) (*Namespace, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	return t.namespaces[oid], nil
}

// RoleByName gives a role, or nil.
func (v *View) RoleByName(name string) (*Role, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	return t.rolesByName[name], nil
}

// RoleByOID gives a role, or nil.
func (v *View) RoleByOID(oid base.OID) (*Role, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	return t.roles[oid], nil
}

// DatabaseByName gives a database, or nil.
func (v *View) DatabaseByName(name string) (*Database, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	return t.databasesByName[name], nil
}

// DatabaseByOID gives a database, or nil.
func (v *View) DatabaseByOID(oid base.OID) (*Database, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	return t.databases[oid], nil
}

// Databases gives every database, by OID.
func (v *View) Databases() ([]*Database, error) {
	t, err := v.nameTable()
	if err != nil {
		return nil, err
	}
	out := make([]*Database, 0, len(t.databases))
	for _, d := range t.databases {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *Database) int { return cmp.Compare(a.OID, b.OID) })
	return out, nil
}

// MemberOf tells whether role has the privileges of group, by inheriting memberships or by being it; a superuser has all.
func (v *View) MemberOf(role, group base.OID) (bool, error) {
	t, err := v.nameTable()
	if err != nil {
		return false, err
	}
	if r := t.roles[role]; role == group || r != nil && r.Super {
		return true, nil
	}
	seen := map[base.OID]bool{role: true}
	for queue := []base.OID{role}; len(queue) > 0; queue = queue[1:] {
		for _, g := range t.memberships[queue[0]] {
			if g == group {
				return true, nil
			}
			if !seen[g] {
				seen[g] = true
				queue = append(queue, g)
			}
		}
	}
	return false, nil
}
