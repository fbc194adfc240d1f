package catalog

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// Names translates the reg types' names, as one statement sees the catalogs. It implements types.Names.
type Names struct {
	View       *View
	SearchPath []base.OID
}

// SplitName takes a possibly qualified and quoted name apart, folding what is not quoted to lower case.
func SplitName(name string) ([]string, error) {
	var parts []string
	bad := pgerror.New(pgerror.InvalidName, "invalid name syntax")
	for i := 0; ; {
		for i < len(name) && name[i] == ' ' {
			i++
		}
		if i >= len(name) {
			return nil, bad
		}
		var b strings.Builder
		if name[i] == '"' {
			i++
			for ; ; i++ {
				if i >= len(name) {
					return nil, bad
				}
				if name[i] == '"' {
					if i+1 < len(name) && name[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(name[i])
			}
			i++
		} else {
			for i < len(name) && name[i] != '.' && name[i] != ' ' && name[i] != '"' {
				b.WriteByte(lower(name[i]))
				i++
			}
		}
		for i < len(name) && name[i] == ' ' {
			i++
		}
		if b.Len() == 0 {
			return nil, bad
		}
		parts = append(parts, b.String())
		if i >= len(name) {
			return parts, nil
		}
		if name[i] != '.' {
			return nil, bad
		}
		i++
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// OIDOf finds the object of a name.
func (n *Names) OIDOf(kind types.RegKind, name string) (base.OID, error) {
	if kind == types.RegType {
		return n.typeOID(name)
	}
	if kind == types.RegOper || kind == types.RegOperator {
		return 0, pgerror.Unsupported("operator names")
	}
	if kind == types.RegProcedure {
		return n.procedure(name)
	}
	parts, err := SplitName(name)
	if err != nil {
		return 0, err
	}
	last := parts[len(parts)-1]
	switch kind {
	case types.RegClass:
		oid, err := n.search(parts, func(ns base.OID) (base.OID, error) { return n.View.RelationByName(ns, last) })
		return oid, missing(oid, err, pgerror.UndefinedTable, "relation \"%s\" does not exist", strings.Join(parts, "."))
	case types.RegNamespace:
		ns, err := n.View.NamespaceByName(last)
		if err != nil || ns == nil {
			return 0, missing(0, err, pgerror.UndefinedSchema, "schema \"%s\" does not exist", last)
		}
		return ns.OID, nil
	case types.RegRole:
		r, err := n.View.RoleByName(last)
		if err != nil || r == nil {
			return 0, missing(0, err, pgerror.UndefinedObject, "role \"%s\" does not exist", last)
		}
		return r.OID, nil
	case types.RegProc:
		return n.proc(parts)
	}
	return 0, pgerror.Unsupported("input of this reg type by name")
}

func missing(oid base.OID, err error, code, format string, args ...any) error {
	if err != nil || oid != 0 {
		return err
	}
	return pgerror.Newf(code, format, args...)
}

// search tries the schema a name is qualified with, or those of the search path in turn.
func (n *Names) search(parts []string, find func(ns base.OID) (base.OID, error)) (base.OID, error) {
	if len(parts) > 1 {
		ns, err := n.View.NamespaceByName(parts[len(parts)-2])
		if err != nil || ns == nil {
			return 0, err
		}
		return find(ns.OID)
	}
	for _, ns := range n.SearchPath {
		if oid, err := find(ns); oid != 0 || err != nil {
			return oid, err
		}
	}
	return 0, nil
}

func (n *Names) proc(parts []string) (base.OID, error) {
	procs, err := n.View.ProcsByName(parts[len(parts)-1])
	if err != nil {
		return 0, err
	}
	var found base.OID
	for _, p := range procs {
		oid, err := n.search(parts, func(ns base.OID) (base.OID, error) {
			if p.Namespace == ns {
				return p.OID, nil
			}
			return 0, nil
		})
		if err != nil {
			return 0, err
		}
		if oid != 0 && found != 0 {
			return 0, pgerror.Newf(pgerror.AmbiguousFunction, "more than one function named \"%s\"", strings.Join(parts, "."))
		}
		if oid != 0 {
			found = oid
		}
	}
	return found, missing(found, nil, pgerror.UndefinedFunction, "function \"%s\" does not exist", strings.Join(parts, "."))
}

func (n *Names) procedure(text string) (base.OID, error) {
	open := strings.IndexByte(text, '(')
	if open < 0 || !strings.HasSuffix(text, ")") {
		return 0, pgerror.New(pgerror.InvalidTextRepresentation, "expected a left parenthesis")
	}
	parts, err := SplitName(text[:open])
	if err != nil {
		return 0, err
	}
	var args []base.OID
	if list := strings.TrimSpace(text[open+1 : len(text)-1]); list != "" {
		for _, a := range strings.Split(list, ",") {
			t, err := n.typeOID(strings.TrimSpace(a))
			if err != nil {
				return 0, err
			}
			args = append(args, t)
		}
	}
	procs, err := n.View.ProcsByName(parts[len(parts)-1])
	if err != nil {
		return 0, err
	}
	oid, err := n.search(parts, func(ns base.OID) (base.OID, error) {
		for _, p := range procs {
			if p.Namespace == ns && equalOIDs(p.Args, args) {
				return p.OID, nil
			}
		}
		return 0, nil
	})
	return oid, missing(oid, err, pgerror.UndefinedFunction, "function \"%s\" does not exist", text)
}

func equalOIDs(a, b []base.OID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// typeWords gives the catalog names of types whose SQL names are several words or differ.
var typeWords = map[string]string{
	"int": "int4", "integer": "int4", "smallint": "int2", "bigint": "int8", "real": "float4", "double precision": "float8",
	"decimal": "numeric", "boolean": "bool", "character varying": "varchar", "character": "bpchar", "char": "bpchar",
	"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
	"time without time zone": "time", "time with time zone": "timetz",
}

func (n *Names) typeOID(text string) (base.OID, error) {
	bare := strings.TrimSpace(text)
	array := strings.HasSuffix(bare, "[]")
	bare = strings.TrimSpace(strings.TrimSuffix(bare, "[]"))
	if i := strings.IndexByte(bare, '('); i > 0 {
		if j := strings.IndexByte(bare, ')'); j > i { // the modifier is dropped, as regtype does
			bare = strings.TrimSpace(bare[:i] + bare[j+1:])
		}
	}
	if w, ok := typeWords[strings.ToLower(bare)]; ok {
		bare = w
	}
	parts, err := SplitName(bare)
	if err != nil {
		return 0, err
	}
	last := parts[len(parts)-1]
	if array {
		last = "_" + last
	}
	oid, err := n.search(parts, func(ns base.OID) (base.OID, error) {
		t, err := n.View.TypeByName(ns, last)
		if err != nil || t == nil {
			return 0, err
		}
		return t.OID, nil
	})
	return oid, missing(oid, err, pgerror.UndefinedObject, "type \"%s\" does not exist", text)
}

// NameOf gives the name an object prints as: qualified when the search path does not find it.
func (n *Names) NameOf(kind types.RegKind, oid base.OID) (string, bool) {
	switch kind {
	case types.RegClass:
		return n.className(oid)
	case types.RegType:
		return n.TypeName(oid)
	case types.RegProc, types.RegProcedure:
		p, err := n.View.ProcByOID(oid)
		if err != nil || p == nil {
			return "", false
		}
		if kind == types.RegProc {
			return n.qualify(p.Namespace, p.Name, n.visible(p.Namespace)), true
		}
		args := make([]string, len(p.Args))
		for i, a := range p.Args {
			args[i], _ = n.TypeName(a)
		}
		return n.qualify(p.Namespace, p.Name, n.visible(p.Namespace)) + "(" + strings.Join(args, ",") + ")", true
	case types.RegNamespace:
		ns, err := n.View.NamespaceByOID(oid)
		if err != nil || ns == nil {
			return "", false
		}
		return QuoteIdent(ns.Name), true
	case types.RegRole:
		r, err := n.View.RoleByOID(oid)
		if err != nil || r == nil {
			return "", false
		}
		return QuoteIdent(r.Name), true
	case types.RegOper, types.RegOperator:
		o, err := n.View.OperatorByOID(oid)
		if err != nil || o == nil {
			return "", false
		}
		return o.Name, true
	}
	return "", false
}

func (n *Names) className(oid base.OID) (string, bool) {
	r, err := n.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(oid))
	if err != nil || r == nil {
		return "", false
	}
	name, ns := r.Text(bootstrap.ColClassRelname), r.OID(bootstrap.ColClassRelnamespace)
	first, err := n.search([]string{name}, func(s base.OID) (base.OID, error) { return n.View.RelationByName(s, name) })
	return n.qualify(ns, name, err == nil && first == oid), true
}

// TypeName prints a type as format_type does, user types by name.
func (n *Names) TypeName(oid base.OID) (string, bool) {
	if _, ok := types.Lookup(oid); ok {
		return types.FormatType(oid, -1), true
	}
	t, err := n.View.TypeByOID(oid)
	if err != nil || t == nil {
		return "", false
	}
	if t.TrueArray() {
		e, ok := n.TypeName(t.Elem)
		return e + "[]", ok
	}
	return n.qualify(t.Namespace, t.Name, n.visible(t.Namespace)), true
}

func (n *Names) visible(ns base.OID) bool {
	for _, s := range n.SearchPath {
		if s == ns {
			return true
		}
	}
	return false
}

func (n *Names) qualify(ns base.OID, name string, visible bool) string {
	if visible {
		return QuoteIdent(name)
	}
	x, err := n.View.NamespaceByOID(ns)
	if err != nil || x == nil {
		return QuoteIdent(name)
	}
	return QuoteIdent(x.Name) + "." + QuoteIdent(name)
}

// QuoteIdent quotes a name unless it is a plain lower-case identifier that is no reserved word.
func QuoteIdent(name string) string {
	plain := name != "" && (name[0] >= 'a' && name[0] <= 'z' || name[0] == '_')
	for i := range len(name) {
		c := name[i]
		plain = plain && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if plain && !reserved[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
