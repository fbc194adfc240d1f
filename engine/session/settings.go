package session

import (
	"slices"
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/setting"
)

// source says where a value came from, least specific first.
type source uint8

const (
	sourceDefault source = iota
	sourceConfig
	sourceDatabase
	sourceRole
	sourceClient
	sourceSession
)

// entry is a parameter whose value differs from the default.
type entry struct {
	value  setting.Value
	text   string // for parameters of extensions' kind, "a.b", which have no Setting
	reset  setting.Value
	source source
}

// undo restores a parameter when a transaction or subtransaction rolls back, or at its end for SET LOCAL.
type undo struct {
	name  string
	prev  *entry // nil: was default
	depth int    // subtransaction depth of the change
	local bool
}

// Settings is the values of one session's parameters: those of its Base, and what it has changed since. Changes within a
// transaction are undone when it rolls back.
type Settings struct {
	base  *Base
	own   []override
	stamp uint64   // moves with every change
	fresh *changes // nil until the first
}

// changes is what a session has changed and not settled.
type changes struct {
	undos      []undo         // of the transaction, the newest last
	identities []identityUndo // likewise
	report     []string       // what the client is to be told of
}

// changes gives what is not settled, to add to it.
func (s *Settings) changes() *changes {
	if s.fresh == nil {
		s.fresh = &changes{}
	}
	return s.fresh
}

// override is a parameter that a session has changed.
type override struct {
	name  string
	entry *entry // nil: the built-in default again
}

// NewSettings gives the built-in defaults.
func NewSettings() *Settings { return &Settings{base: &Base{}} }

// find gives the value of a parameter unless it is the built-in default.
func (s *Settings) find(name string) *entry {
	for i := range s.own {
		if s.own[i].name == name {
			return s.own[i].entry
		}
	}
	return s.base.values[name]
}

// change gives a parameter another value; nil is the built-in default.
func (s *Settings) change(name string, e *entry) {
	s.stamp++
	same := e == s.base.values[name]
	for i := range s.own {
		if s.own[i].name != name {
			continue
		}
		if s.own[i].entry = e; same {
			s.own = append(s.own[:i], s.own[i+1:]...)
		}
		return
	}
	if !same {
		s.own = append(s.own, override{name, e})
	}
}

// Stamp moves whenever a value changes.
func (s *Settings) Stamp() uint64 { return s.stamp }

// Get gives the value of a parameter that must exist.
func (s *Settings) Get(name string) setting.Value {
	if e := s.find(name); e != nil {
		return e.value
	}
	p, ok := setting.Lookup(name)
	if !ok {
		return setting.Value{}
	}
	return p.Default()
}

// Show gives a parameter's value as SHOW prints it, under its canonical name.
func (s *Settings) Show(name string) (canonical, text string, err error) {
	p, ok := setting.Lookup(name)
	if !ok {
		if e := s.find(strings.ToLower(name)); e != nil {
			return strings.ToLower(name), e.text, nil
		}
		return "", "", unknown(name)
	}
	return p.Name, p.Format(s.Get(p.Name)), nil
}

func unknown(name string) error {
	return pgerror.Newf(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

// Change is one SET or RESET.
type Change struct {
	Name    string
	Text    string
	Default bool // RESET or SET ... TO DEFAULT
	Local   bool
	Depth   int  // subtransaction depth; -1 outside a transaction
	Super   bool // the user is a superuser
	Startup bool // a startup parameter of the client
}

// Set applies a change.
func (s *Settings) Set(c Change) error {
	p, ok := setting.Lookup(c.Name)
	if !ok {
		if strings.Contains(c.Name, ".") {
			name := strings.ToLower(c.Name)
			if e := s.find(name); c.Default && e != nil {
				c.Text = e.reset.Str
			}
			s.put(name, c, setting.Value{Str: c.Text})
			return nil
		}
		return unknown(c.Name)
	}
	if err := allowed(p, c); err != nil {
		return err
	}
	v := s.resetValue(p)
	if !c.Default {
		var err error
		if v, err = p.Parse(c.Text); err != nil {
			return err
		}
		if v, err = s.canonical(p.Name, v); err != nil {
			return err
		}
	}
	s.put(p.Name, c, v)
	if p.Has(setting.Report) {
		s.noteReport(p.Name)
	}
	return nil
}

func (s *Settings) resetValue(p *setting.Setting) setting.Value {
	if e := s.find(p.Name); e != nil && e.source != sourceDefault {
		return e.reset
	}
	return p.Default()
}

func allowed(p *setting.Setting, c Change) error {
	switch p.Context {
	case setting.Internal:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter \"%s\" cannot be changed", p.Name)
	case setting.Postmaster:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter \"%s\" cannot be changed without restarting the server", p.Name)
	case setting.Sighup:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter \"%s\" cannot be changed now", p.Name)
	case setting.Backend, setting.SuperuserBackend:
		if !c.Startup {
			return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter \"%s\" cannot be set after connection start", p.Name)
		}
	}
	if (p.Context == setting.Superuser || p.Context == setting.SuperuserBackend) && !c.Super {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to set parameter \"%s\"", p.Name)
	}
	return nil
}

func (s *Settings) put(name string, c Change, v setting.Value) {
	prev := s.find(name)
	if c.Depth >= 0 {
		f := s.changes()
		f.undos = append(f.undos, undo{name: name, prev: prev, depth: c.Depth, local: c.Local})
	}
	e := &entry{value: v, text: c.Text, source: sourceSession}
	if prev != nil {
		e.reset = prev.reset
	} else if p, ok := setting.Lookup(name); ok {
		e.reset = p.Default()
	}
	if c.Startup {
		e.reset, e.source = v, sourceClient
	}
	s.change(name, e)
}

// Preset gives a parameter the value of the configuration, which it has at connection start and after RESET.
func (s *Settings) Preset(name, text string) error { return s.preset(name, text, sourceConfig) }

// Store gives a parameter the value that is stored for the session's database or role, which goes before the configuration's.
func (s *Settings) Store(name, text string) error { return s.preset(name, text, sourceRole) }

// Reload gives a parameter the configuration's new value, unless something more specific has set it; nil is the default.
// from is the configuration's value before. It must be called outside of transactions.
func (s *Settings) Reload(name string, from, to *string) error {
	p, ok := setting.Lookup(name)
	if !ok || p.Context == setting.Postmaster || p.Context == setting.Internal || p.Context == setting.Backend || p.Context == setting.SuperuserBackend {
		return nil
	}
	old, now := p.Default(), p.Default()
	for _, x := range []struct {
		text *string
		v    *setting.Value
	}{{from, &old}, {to, &now}} {
		if x.text == nil {
			continue
		}
		v, err := p.Parse(*x.text)
		if err != nil {
			return err
		}
		if *x.v, err = s.canonical(p.Name, v); err != nil {
			return err
		}
	}
	switch e := s.find(p.Name); {
	case e == nil || e.source <= sourceConfig:
		s.change(p.Name, &entry{value: now, reset: now, source: sourceConfig})
		if p.Has(setting.Report) {
			s.noteReport(p.Name)
		}
	case e.source == sourceSession && e.reset == old:
		s.change(p.Name, &entry{value: e.value, text: e.text, reset: now, source: sourceSession})
	}
	return nil
}

// Configured gives the parameters that have their value from the configuration.
func (s *Settings) Configured() []string {
	var out []string
	for name, e := range s.all() {
		if e.source == sourceConfig {
			out = append(out, name)
		}
	}
	return out
}

func (s *Settings) preset(name, text string, from source) error {
	p, ok := setting.Lookup(name)
	if !ok && strings.Contains(name, ".") {
		v := setting.Value{Str: text}
		s.change(strings.ToLower(name), &entry{value: v, text: text, reset: v, source: from})
		return nil
	}
	if !ok {
		return unknown(name)
	}
	v, err := p.Parse(text)
	if err == nil {
		v, err = s.canonical(p.Name, v)
	}
	if err != nil {
		return err
	}
	s.change(p.Name, &entry{value: v, reset: v, source: from})
	return nil
}

// ResetAll undoes every SET of the session, as RESET ALL and DISCARD ALL do.
func (s *Settings) ResetAll(depth int) {
	for name, e := range s.all() {
		p, ok := setting.Lookup(name)
		switch {
		case !ok: // it stays known
			s.put(name, Change{Depth: depth, Text: e.reset.Str}, e.reset)
		case e.source == sourceSession && !p.Has(setting.NoReset):
			s.put(name, Change{Depth: depth}, e.reset)
			if p.Has(setting.Report) {
				s.noteReport(name)
			}
		}
	}
	s.stamp++
}

// End settles the changes of a transaction: a rollback undoes them all, a commit only those of SET LOCAL.
func (s *Settings) End(commit bool) {
	f := s.fresh
	if f == nil {
		return
	}
	for i := len(f.undos) - 1; i >= 0; i-- {
		u := f.undos[i]
		if commit && (!u.local || f.setLater(i)) {
			continue
		}
		s.restore(u)
	}
	f.undos = f.undos[:0]
}

// setLater tells whether a plain SET of the transaction came after the SET LOCAL of undo i.
func (f *changes) setLater(i int) bool {
	for _, u := range f.undos[i+1:] {
		if u.name == f.undos[i].name && !u.local {
			return true
		}
	}
	return false
}

// EndSub settles the changes of a subtransaction at depth or deeper.
func (s *Settings) EndSub(depth int, commit bool) {
	f := s.fresh
	if f == nil {
		return
	}
	for i := len(f.undos) - 1; i >= 0 && f.undos[i].depth >= depth; i-- {
		if commit {
			f.undos[i].depth = depth - 1
			continue
		}
		s.restore(f.undos[i])
		f.undos = f.undos[:i]
	}
}

func (s *Settings) restore(u undo) {
	s.change(u.name, u.prev)
	if p, ok := setting.Lookup(u.name); ok && p.Has(setting.Report) {
		s.noteReport(u.name)
	}
}

func (s *Settings) noteReport(name string) {
	f := s.changes()
	if !slices.Contains(f.report, name) {
		f.report = append(f.report, name)
	}
}

// TakeReports calls f with each parameter whose change the client must be told of, and forgets them.
func (s *Settings) TakeReports(f func(name, value string)) {
	if s.fresh == nil {
		return
	}
	for _, name := range s.fresh.report {
		if _, text, err := s.Show(name); err == nil {
			f(name, text)
		}
	}
	s.fresh.report = s.fresh.report[:0]
}

// SetInternal gives a parameter that only the server sets its value.
func (s *Settings) SetInternal(name, text string) {
	p, ok := setting.Lookup(name)
	if !ok {
		return
	}
	v, err := p.Parse(text)
	if err != nil {
		v = setting.Value{Str: text}
	}
	s.change(p.Name, &entry{value: v, reset: v, source: sourceConfig})
}
