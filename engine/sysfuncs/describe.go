package sysfuncs

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/types"
)

// Describe names an object for messages as pg_describe_object does; empty when there is none.
func Describe(n *catalog.Names, class, oid base.OID, sub int) (string, error) {
	v, key := n.View, types.Int(int64(oid))
	switch class {
	case bootstrap.RelClass:
		return describeRelation(n, oid, sub)
	case bootstrap.RelType:
		name, _ := n.TypeName(oid)
		return prefixed("type ", name), nil
	case bootstrap.RelProc:
		name, _ := n.NameOf(types.RegProcedure, oid)
		return prefixed("function ", name), nil
	case bootstrap.RelNamespace:
		ns, err := v.NamespaceByOID(oid)
		if err != nil || ns == nil {
			return "", err
		}
		return "schema " + ns.Name, nil
	case bootstrap.RelAuthid:
		r, err := v.RoleByOID(oid)
		if err != nil || r == nil {
			return "", err
		}
		return "role " + r.Name, nil
	case bootstrap.RelDatabase:
		d, err := v.DatabaseByOID(oid)
		if err != nil || d == nil {
			return "", err
		}
		return "database " + d.Name, nil
	case bootstrap.RelConstraint:
		r, err := v.Row(class, bootstrap.IdxConstraintOidIndex, key)
		if err != nil || r == nil {
			return "", err
		}
		on, err := describeRelation(n, r.OID(bootstrap.ColConstraintConrelid), 0)
		return fmt.Sprintf("constraint %s on %s", r.Text(bootstrap.ColConstraintConname), on), err
	case bootstrap.RelAttrdef:
		r, err := v.Row(class, bootstrap.IdxAttrdefOidIndex, key)
		if err != nil || r == nil {
			return "", err
		}
		col, err := describeRelation(n, r.OID(bootstrap.ColAttrdefAdrelid), int(r.Int(bootstrap.ColAttrdefAdnum)))
		return "default value for " + col, err
	case bootstrap.RelTrigger:
		r, err := v.Row(class, bootstrap.IdxTriggerOidIndex, key)
		if err != nil || r == nil {
			return "", err
		}
		on, err := describeRelation(n, r.OID(bootstrap.ColTriggerTgrelid), 0)
		return fmt.Sprintf("trigger %s on %s", r.Text(bootstrap.ColTriggerTgname), on), err
	case bootstrap.RelRewrite:
		r, err := v.Row(class, bootstrap.IdxRewriteOidIndex, key)
		if err != nil || r == nil {
			return "", err
		}
		on, err := describeRelation(n, r.OID(bootstrap.ColRewriteEvClass), 0)
		return fmt.Sprintf("rule %s on %s", r.Text(bootstrap.ColRewriteRulename), on), err
	}
	return fmt.Sprintf("object %d of catalog %d", oid, class), nil
}

func prefixed(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + name
}

func describeRelation(n *catalog.Names, oid base.OID, sub int) (string, error) {
	r, err := n.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, types.Int(int64(oid)))
	if err != nil || r == nil {
		return "", err
	}
	name, _ := n.NameOf(types.RegClass, oid)
	text := kindWord(r.Byte(bootstrap.ColClassRelkind)) + " " + name
	if sub == 0 {
		return text, nil
	}
	a, err := n.View.Row(bootstrap.RelAttribute, bootstrap.IdxAttributeRelidAttnumIndex, types.Int(int64(oid)), types.Int(int64(sub)))
	if err != nil || a == nil {
		return "", err
	}
	return fmt.Sprintf("column %s of %s", a.Text(bootstrap.ColAttributeAttname), text), nil
}
