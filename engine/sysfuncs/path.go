package sysfuncs

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/session"
)

// Path gives the schemas that a session's search_path names: explicit are those that exist and that the current role may
// use, in order; full adds the temporary schema and pg_catalog, which come first when they are not named.
func Path(v *catalog.View, s *session.Session) (explicit, full []base.OID, err error) {
	temp := s.Temp.Namespace
	hasTemp, hasCatalog := false, false
	for _, name := range splitList(s.Settings.Get("search_path").Str) {
		switch {
		case name == "$user":
			r, err := v.RoleByOID(s.Role)
			if err != nil {
				return nil, nil, err
			}
			if r == nil {
				continue
			}
			name = r.Name
		case name == "pg_temp":
			if temp != 0 && !hasTemp {
				explicit, hasTemp = append(explicit, temp), true
			}
			continue
		}
		ns, err := v.NamespaceByName(name)
		if err != nil {
			return nil, nil, err
		}
		if ns == nil || has(explicit, ns.OID) {
			continue
		}
		ok, err := aclAllows(v, s.Role, ns.ACL, ns.Owner, schemaDefault, PrivUsage)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			hasCatalog = hasCatalog || ns.OID == bootstrap.NamespacePgCatalog
			explicit = append(explicit, ns.OID)
		}
	}
	if temp != 0 && !hasTemp {
		full = append(full, temp)
	}
	if !hasCatalog {
		full = append(full, bootstrap.NamespacePgCatalog)
	}
	return explicit, append(full, explicit...), nil
}

func has(list []base.OID, oid base.OID) bool {
	for _, o := range list {
		if o == oid {
			return true
		}
	}
	return false
}

// splitList takes a list of identifiers apart, as search_path's: quoted ones keep their case.
func splitList(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || c == ',' || c == '\t' || c == '\n' {
			i++
			continue
		}
		var b strings.Builder
		if c == '"' {
			for i++; i < len(text); i++ {
				if text[i] == '"' {
					if i+1 < len(text) && text[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(text[i])
			}
			i++
		} else {
			for ; i < len(text) && text[i] != ',' && text[i] != ' '; i++ {
				b.WriteByte(text[i])
			}
			out = append(out, strings.ToLower(b.String()))
			continue
		}
		out = append(out, b.String())
	}
	return out
}
