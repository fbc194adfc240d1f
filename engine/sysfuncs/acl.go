package sysfuncs

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// Priv is a set of privileges; the bits are those of package analyze where it has them.
type Priv uint32

// The privileges, in the order of their letters in an access control item.
const (
	PrivInsert Priv = 1 << iota
	PrivSelect
	PrivUpdate
	PrivDelete
	PrivTruncate
	PrivReferences
	PrivTrigger
	PrivExecute
	PrivUsage
	PrivCreate
	PrivTemporary
	PrivConnect
	PrivSet
	PrivAlterSystem
)

// privLetters gives each privilege its letter; privOrder the order items are printed in.
const privLetters = "arwdDxtXUCTcsA"

// privNames gives each privilege the keyword of GRANT.
func privNames() []string {
	return []string{"INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "EXECUTE", "USAGE", "CREATE",
		"TEMPORARY", "CONNECT", "SET", "ALTER SYSTEM"}
}

// PrivByName gives the privilege of a keyword, zero when there is none.
func PrivByName(name string) Priv {
	name = strings.ToUpper(name)
	if name == "TEMP" {
		name = "TEMPORARY"
	}
	for i, n := range privNames() {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// Names lists the keywords of the privileges in a set.
func (p Priv) Names() []string {
	var out []string
	for i, n := range privNames() {
		if p&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// The privileges that exist for each kind of object.
const (
	AllTable    = PrivInsert | PrivSelect | PrivUpdate | PrivDelete | PrivTruncate | PrivReferences | PrivTrigger
	AllColumn   = PrivInsert | PrivSelect | PrivUpdate | PrivReferences
	AllSequence = PrivUsage | PrivSelect | PrivUpdate
	AllSchema   = PrivUsage | PrivCreate
	AllDatabase = PrivCreate | PrivTemporary | PrivConnect
	AllFunction = PrivExecute

	schemaDefault   = Priv(0) // what PUBLIC has of an object without a list
	databaseDefault = PrivTemporary | PrivConnect
	functionDefault = PrivExecute
)

// ACLItem is an entry of an access control list; an empty Grantee is PUBLIC.
type ACLItem struct {
	Grantee string
	Grantor string
	Priv    Priv
	Grant   Priv // with grant option
}

// ParseACL reads an aclitem[]; nil for a null.
func ParseACL(d types.Datum) ([]ACLItem, error) {
	if d.Null {
		return nil, nil
	}
	a := types.OpenArray(d)
	out := make([]ACLItem, 0, a.Len())
	for i := range a.Len() {
		it, ok := parseItem(string(a.At(i).B))
		if !ok {
			return nil, pgerror.Corrupt("access control item \"%s\" is not readable", a.At(i).B)
		}
		out = append(out, it)
	}
	return out, nil
}

func parseItem(s string) (ACLItem, bool) {
	var it ACLItem
	var ok bool
	if it.Grantee, s, ok = itemName(s, '='); !ok {
		return it, false
	}
	slash := strings.IndexByte(s, '/')
	if slash < 0 {
		return it, false
	}
	last := Priv(0)
	for i := range slash {
		if s[i] == '*' {
			it.Grant |= last
			continue
		}
		k := strings.IndexByte(privLetters, s[i])
		if k < 0 {
			return it, false
		}
		last = 1 << k
		it.Priv |= last
	}
	it.Grantor, _, ok = itemName(s[slash+1:], 0)
	return it, ok
}

// itemName reads a role's name up to end (zero: the end of the text).
func itemName(s string, end byte) (name, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			if s[i] != '"' {
				b.WriteByte(s[i])
				continue
			}
			if i+1 < len(s) && s[i+1] == '"' {
				b.WriteByte('"')
				i++
				continue
			}
			rest = s[i+1:]
			if end == 0 {
				return b.String(), rest, rest == ""
			}
			return b.String(), strings.TrimPrefix(rest, string(end)), strings.HasPrefix(rest, string(end))
		}
		return "", "", false
	}
	if end == 0 {
		return s, "", true
	}
	return strings.Cut(s, string(end))
}

func quoteItem(name string) string {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c < 0x80 {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}

// String prints the item as PostgreSQL does: grantee=privileges/grantor.
func (it ACLItem) String() string {
	var b strings.Builder
	b.WriteString(quoteItem(it.Grantee))
	b.WriteByte('=')
	for i := range len(privLetters) {
		if it.Priv&(1<<i) != 0 {
			b.WriteByte(privLetters[i])
			if it.Grant&(1<<i) != 0 {
				b.WriteByte('*')
			}
		}
	}
	b.WriteByte('/')
	b.WriteString(quoteItem(it.Grantor))
	return b.String()
}

// FormatACL makes an aclitem[].
func FormatACL(items []ACLItem) types.Datum {
	elems := make([]types.Datum, len(items))
	for i, it := range items {
		elems[i] = types.Text(it.String())
	}
	return types.MakeArray(types.OIDACLItem, elems)
}

// aclAllows tells whether a role has all of the privileges on an object: by its list, or without one by the default
// (everything for the owner, public for everybody).
func aclAllows(v *catalog.View, role base.OID, acl types.Datum, owner base.OID, public, want Priv) (bool, error) {
	if want == 0 {
		return true, nil
	}
	if owns, err := v.MemberOf(role, owner); err != nil || owns && acl.Null {
		return owns, err
	}
	r, err := v.RoleByOID(role)
	if err != nil {
		return false, err
	}
	if r != nil && r.Super {
		return true, nil
	}
	if acl.Null {
		return public&want == want, nil
	}
	items, err := ParseACL(acl)
	if err != nil {
		return false, err
	}
	have := Priv(0)
	for _, it := range items {
		if it.Grantee != "" {
			g, err := v.RoleByName(it.Grantee)
			if err != nil {
				return false, err
			}
			if g == nil {
				continue
			}
			if ok, err := v.MemberOf(role, g.OID); err != nil {
				return false, err
			} else if !ok {
				continue
			}
		}
		have |= it.Priv
	}
	return have&want == want, nil
}

// SchemaAllows tells whether a role has privileges on a schema.
func SchemaAllows(v *catalog.View, role, schema base.OID, want Priv) (bool, error) {
	ns, err := v.NamespaceByOID(schema)
	if err != nil || ns == nil {
		return false, err
	}
	return aclAllows(v, role, ns.ACL, ns.Owner, schemaDefault, want)
}

// DatabaseAllows tells whether a role has privileges on a database.
func DatabaseAllows(v *catalog.View, role, database base.OID, want Priv) (bool, error) {
	r, err := v.Row(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex, types.Int(int64(database)))
	if err != nil || r == nil {
		return false, err
	}
	return aclAllows(v, role, r[bootstrap.ColDatabaseDatacl-1], r.OID(bootstrap.ColDatabaseDatdba), databaseDefault, want)
}

// relationAllows tells whether a role has privileges on a relation as a whole.
func relationAllows(v *catalog.View, role base.OID, class catalog.Row, want Priv) (bool, error) {
	return aclAllows(v, role, class[bootstrap.ColClassRelacl-1], class.OID(bootstrap.ColClassRelowner), 0, want)
}

// columnAllows tells whether a role has privileges on a column by a grant on it.
func columnAllows(v *catalog.View, role, rel base.OID, attr int, want Priv) (bool, error) {
	r, err := v.Row(bootstrap.RelAttribute, bootstrap.IdxAttributeRelidAttnumIndex, types.Int(int64(rel)), types.Int(int64(attr)))
	if err != nil || r == nil || r.Null(bootstrap.ColAttributeAttacl) {
		return false, err
	}
	return aclAllows(v, role, r[bootstrap.ColAttributeAttacl-1], 0, 0, want)
}

func denied(class catalog.Row) error {
	return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for %s %s",
		kindWord(class.Byte(bootstrap.ColClassRelkind)), class.Text(bootstrap.ColClassRelname))
}

// kindWord names a kind of relation in messages.
func kindWord(kind byte) string {
	switch kind {
	case relation.KindIndex:
		return "index"
	case relation.KindSequence:
		return "sequence"
	case relation.KindView:
		return "view"
	case relation.KindToast:
		return "toast table"
	case 'm':
		return "materialized view"
	case 'c':
		return "composite type"
	case 'f':
		return "foreign table"
	}
	return "table"
}
