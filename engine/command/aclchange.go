package command

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sysfuncs"
)

// aclChange changes an access control list by one GRANT or REVOKE.
type aclChange struct {
	c       *Context
	items   []sysfuncs.ACLItem
	owner   string // of the object; whose grant options are never taken away
	cascade bool   // take away what a role has granted when it loses the grant option
}

// give adds privileges. Grant options do not go back to those they came from: the grantor must keep them when the grantee has
// none.
func (a *aclChange) give(to, by string, p sysfuncs.Priv, option bool) error {
	if option && by != a.owner {
		without := aclChange{c: a.c, items: append([]sysfuncs.ACLItem(nil), a.items...), owner: a.owner, cascade: true}
		for _, it := range a.items {
			if it.Grantee == to && it.Grant != 0 {
				if err := without.take(to, it.Grantor, it.Grant, false); err != nil {
					return err
				}
			}
		}
		kept, err := without.options(by)
		if err != nil {
			return err
		}
		if p&^kept != 0 {
			return pgerror.New(pgerror.InvalidGrantOperation, "grant options cannot be granted back to your own grantor")
		}
	}
	a.items = addPrivileges(a.items, to, by, p, option)
	return nil
}

// take removes privileges, or only their grant options, and what depends on them.
func (a *aclChange) take(from, by string, p sysfuncs.Priv, optionOnly bool) error {
	var lost sysfuncs.Priv
	out := make([]sysfuncs.ACLItem, 0, len(a.items))
	for _, it := range a.items {
		if it.Grantee == from && it.Grantor == by {
			lost |= it.Grant & p
			it.Grant &^= p
			if !optionOnly {
				it.Priv &^= p
			}
			if it.Priv == 0 {
				continue
			}
		}
		out = append(out, it)
	}
	a.items = out
	if lost == 0 || from == "" || from == a.owner {
		return nil
	}
	return a.abandon(from, lost)
}

// abandon removes what a role has granted by options that it lost, if it does not have them from elsewhere.
func (a *aclChange) abandon(by string, lost sysfuncs.Priv) error {
	kept, err := a.options(by)
	if err != nil {
		return err
	}
	lost &^= kept
	for i := 0; i < len(a.items); i++ {
		it := a.items[i]
		if it.Grantor != by || it.Priv&lost == 0 {
			continue
		}
		if !a.cascade {
			return pgerror.New(pgerror.DependentObjectsStillExist, "dependent privileges exist").
				WithHint("Use CASCADE to revoke them too.")
		}
		if err := a.take(it.Grantee, by, lost, false); err != nil {
			return err
		}
		i = -1 // the list is another
	}
	return nil
}

// options gives the privileges that a role may grant, by itself or as a member of others.
func (a *aclChange) options(role string) (sysfuncs.Priv, error) {
	if role == a.owner {
		return ^sysfuncs.Priv(0), nil
	}
	me, err := a.c.View.RoleByName(role)
	if err != nil || me == nil {
		return 0, err
	}
	var out sysfuncs.Priv
	for _, it := range a.items {
		if it.Grant == 0 || it.Grantee == "" {
			continue
		}
		member := it.Grantee == role
		if !member {
			if member, err = a.memberOf(me.OID, it.Grantee); err != nil {
				return 0, err
			}
		}
		if member {
			out |= it.Grant
		}
	}
	return out, nil
}

func (a *aclChange) memberOf(role base.OID, name string) (bool, error) {
	r, err := a.c.View.RoleByName(name)
	if err != nil || r == nil {
		return false, err
	}
	return a.c.View.MemberOf(role, r.OID)
}

func addPrivileges(items []sysfuncs.ACLItem, to, by string, p sysfuncs.Priv, option bool) []sysfuncs.ACLItem {
	for i := range items {
		if items[i].Grantee == to && items[i].Grantor == by {
			items[i].Priv |= p
			if option {
				items[i].Grant |= p
			}
			return items
		}
	}
	it := sysfuncs.ACLItem{Grantee: to, Grantor: by, Priv: p}
	if option {
		it.Grant = p
	}
	return append(items, it)
}

// mergeACL joins entries of the same grantee and grantor.
func mergeACL(items []sysfuncs.ACLItem) []sysfuncs.ACLItem {
	var out []sysfuncs.ACLItem
	for _, it := range items {
		out = addPrivileges(out, it.Grantee, it.Grantor, it.Priv, false)
		for i := range out {
			if out[i].Grantee == it.Grantee && out[i].Grantor == it.Grantor {
				out[i].Grant |= it.Grant
			}
		}
	}
	return out
}
