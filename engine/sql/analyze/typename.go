package analyze

import (
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// TypeName resolves the name of a type with its modifiers and array bounds, for utility statements.
func TypeName(opt *Options, n *pg_query.TypeName) (base.OID, int32, error) {
	a := &analyzer{opt: opt, view: opt.View, read: make([]bool, len(opt.Literals))}
	return a.TypeName(n)
}

// CollationName resolves the name of a collation, for utility statements.
func CollationName(opt *Options, name []*pg_query.Node) (base.OID, error) {
	a := &analyzer{opt: opt, view: opt.View}
	return a.Collation(names(name), -1)
}

// findType gives the type of a possibly qualified name, or nil.
func (a *analyzer) findType(name []string) (*catalog.Type, error) {
	if len(name) > 1 {
		ns, err := a.view.NamespaceByName(name[len(name)-2])
		if err != nil || ns == nil {
			return nil, err
		}
		return a.view.TypeByName(ns.OID, name[len(name)-1])
	}
	all, err := a.view.TypesByName(name[0])
	if err != nil {
		return nil, err
	}
	var found *catalog.Type
	rank := 0
	for _, t := range all {
		if r := a.pathRank(t.Namespace); r >= 0 && (found == nil || r < rank) {
			found, rank = t, r
		}
	}
	return found, nil
}

// TypeName resolves a type name of the grammar.
func (a *analyzer) TypeName(n *pg_query.TypeName) (base.OID, int32, error) {
	name := names(n.Names)
	if n.PctType {
		return 0, 0, a.errorf(pgerror.FeatureNotSupported, n.Location, "%%TYPE is not supported yet")
	}
	if n.Setof {
		return 0, 0, a.errorf(pgerror.SyntaxError, n.Location, "type reference \"%s\" cannot be SETOF", strings.Join(name, "."))
	}
	t, err := a.findType(name)
	if err != nil {
		return 0, 0, err
	}
	if t == nil {
		shown := strings.Join(name, ".")
		if len(n.ArrayBounds) > 0 {
			shown += "[]"
		}
		return 0, 0, a.errorf(pgerror.UndefinedObject, n.Location, "type \"%s\" does not exist", shown)
	}
	if !t.Defined {
		return 0, 0, a.errorf(pgerror.UndefinedObject, n.Location, "type \"%s\" is only a shell", t.Name)
	}
	mod, err := a.typmod(n, t)
	if err != nil {
		return 0, 0, err
	}
	if len(n.ArrayBounds) == 0 {
		return t.OID, mod, nil
	}
	arr, err := a.arrayOf(t.OID)
	if err != nil {
		return 0, 0, a.at(pgerror.From(err), n.Location)
	}
	return arr, mod, nil
}

func (a *analyzer) typmod(n *pg_query.TypeName, t *catalog.Type) (int32, error) {
	if len(n.Typmods) == 0 {
		if n.Typemod != 0 {
			return n.Typemod, nil
		}
		return -1, nil
	}
	if t.TypmodIn == 0 {
		return 0, a.errorf(pgerror.SyntaxError, n.Location, "type modifier is not allowed for type \"%s\"", a.typeName(t.OID))
	}
	var mods []string
	for _, m := range n.Typmods {
		switch v := m.GetNode().(type) {
		case *pg_query.Node_AConst:
			if s := v.AConst.GetSval(); s != nil {
				mods = append(mods, s.Sval)
			} else if f := v.AConst.GetFval(); f != nil {
				mods = append(mods, f.Fval)
			} else {
				mods = append(mods, strconv.Itoa(int(v.AConst.GetIval().GetIval())))
			}
		case *pg_query.Node_ColumnRef:
			mods = append(mods, strings.Join(names(v.ColumnRef.Fields), "."))
		default:
			return 0, a.errorf(pgerror.SyntaxError, n.Location, "type modifiers must be simple constants or identifiers")
		}
	}
	mod, err := types.TypmodIn(t.OID, mods)
	if err != nil {
		return 0, a.at(pgerror.From(err), n.Location)
	}
	return mod, nil
}

// Collation resolves the name of a collation.
func (a *analyzer) Collation(name []string, loc int32) (base.OID, error) {
	want := name[len(name)-1]
	var found base.OID
	err := a.view.Scan(bootstrap.RelCollation, 0, nil, func(_ base.TID, r catalog.Row) error {
		ns := r.OID(bootstrap.ColCollationCollnamespace)
		if r.Text(bootstrap.ColCollationCollname) == want && (len(name) > 1 || a.pathRank(ns) >= 0) {
			found = r.OID(bootstrap.ColCollationOid)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if found == 0 {
		return 0, a.errorf(pgerror.UndefinedObject, loc, "collation \"%s\" for encoding \"UTF8\" does not exist", strings.Join(name, "."))
	}
	return found, nil
}
