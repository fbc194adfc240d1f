package session

import (
	"maps"
	"sync/atomic"

	"manifold/engine/types"
)

// Base is the parameters of sessions that logged in alike. Many share one; it never changes.
type Base struct {
	values map[string]*entry // those that differ from the built-in defaults
	hot    atomic.Pointer[Hot]
	env    atomic.Pointer[types.Env]
	memo   atomic.Pointer[any]
}

// Share makes a base of all that has been set so far, for this session and others.
func (s *Settings) Share() *Base {
	s.base, s.own = &Base{values: s.all()}, nil
	return s.base
}

// OnBase gives the settings of a session that begins with those of others.
func OnBase(b *Base) *Settings { return &Settings{base: b} }

// all gives a copy of the parameters that differ from the built-in defaults.
func (s *Settings) all() map[string]*entry {
	all := maps.Clone(s.base.values)
	if all == nil {
		all = map[string]*entry{}
	}
	for _, o := range s.own {
		if o.entry == nil {
			delete(all, o.name)
		} else {
			all[o.name] = o.entry
		}
	}
	return all
}

// Memo gives what make derives from the settings. Sessions that have changed none of those they share get the same; one caller
// uses it, with one make.
func (s *Settings) Memo(make func() any) any {
	if len(s.own) > 0 {
		return make()
	}
	if v := s.base.memo.Load(); v != nil {
		return *v
	}
	v := make()
	s.base.memo.Store(&v)
	return v
}
