package session

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
)

// Identity is on whose behalf a session acts.
type Identity struct {
	User     *catalog.Role // session_user
	UserName string        // of current_user
	Role     base.OID      // current_user; User.OID unless SET ROLE
	Super    bool          // current_user is a superuser
}

// identityUndo restores an identity, as undo restores a parameter.
type identityUndo struct {
	prev  Identity
	depth int
	local bool
}

// SetIdentity is SET ROLE and SET SESSION AUTHORIZATION, undone as a SET at that depth of subtransactions is.
func (s *Session) SetIdentity(id Identity, depth int, local bool) {
	f := s.Settings.changes()
	f.identities = append(f.identities, identityUndo{prev: s.Identity, depth: depth, local: local})
	s.become(id)
}

// become changes the identity and what the client is told of it.
func (s *Session) become(id Identity) {
	old := s.Identity
	s.Identity = id
	if old.Super != id.Super {
		s.Settings.SetInternal("is_superuser", onOff(id.Super))
		s.Settings.noteReport("is_superuser")
	}
	if old.User == nil || old.User.OID != id.User.OID {
		s.Settings.SetInternal("session_authorization", id.User.Name)
		s.Settings.noteReport("session_authorization")
	}
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

// EndSettings settles the changes of settings and identity that a transaction made: a rollback undoes all, a commit those of
// SET LOCAL.
func (s *Session) EndSettings(commit bool) {
	s.Settings.End(commit)
	f := s.Settings.fresh
	if f == nil || len(f.identities) == 0 {
		return
	}
	id := s.Identity
	for i := len(f.identities) - 1; i >= 0; i-- {
		u := &f.identities[i]
		if commit && !u.local {
			break
		}
		id = u.prev
	}
	clear(f.identities)
	f.identities = f.identities[:0]
	s.become(id)
}

// EndSubSettings settles those of the subtransactions at depth or deeper.
func (s *Session) EndSubSettings(depth int, commit bool) {
	s.Settings.EndSub(depth, commit)
	f := s.Settings.fresh
	if f == nil || len(f.identities) == 0 {
		return
	}
	id := s.Identity
	for i := len(f.identities) - 1; i >= 0 && f.identities[i].depth >= depth; i-- {
		if commit {
			f.identities[i].depth = depth - 1
			continue
		}
		id = f.identities[i].prev
		f.identities = f.identities[:i]
	}
	s.become(id)
}
