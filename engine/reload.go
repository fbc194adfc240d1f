package engine

import (
	"maps"
	"time"

	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/setting"
)

// configured is values of parameters as the configuration gives them. It is not changed once it is in use.
type configured struct {
	generation uint64
	values     map[string]string
	before     map[string]string // of the generation before; a session that missed one takes all values again
}

// SetSettings takes the values of parameters of a configuration that has been read again. Sessions take them up before their
// next transaction (Refresh).
func (e *Engine) SetSettings(values map[string]string) error {
	old := e.configured.Load()
	values = maps.Clone(values)
	if values == nil {
		values = map[string]string{}
	}
	for _, p := range setting.All() { // what needs a restart stays as it is
		if p.Context != setting.Postmaster {
			continue
		}
		if text, was := old.values[p.Name]; was {
			values[p.Name] = text
		} else {
			delete(values, p.Name)
		}
	}
	e.configured.Store(&configured{generation: old.generation + 1, values: values, before: old.values})
	if err := e.tuneLog(values); err != nil {
		return err
	}
	e.loaded.Store(time.Now().UnixNano())
	return nil
}

// Refresh takes what has changed in the configuration since the session last looked. The session must be outside of a
// transaction. When nothing has, it costs two loads.
func (e *Engine) Refresh(s *session.Session) {
	c := e.configured.Load()
	if s.Configured == c.generation {
		return
	}
	before := c.before
	if s.Configured+1 != c.generation { // what stood in those between is not known any more
		before = map[string]string{}
		for _, name := range s.Settings.Configured() {
			if _, is := c.values[name]; !is {
				e.reload(s, name, nil, nil)
			}
		}
	}
	s.Configured = c.generation
	for name, text := range c.values {
		if old, was := before[name]; was && old != text {
			e.reload(s, name, &old, &text)
		} else if !was {
			e.reload(s, name, nil, &text)
		}
	}
	for name, old := range before {
		if _, is := c.values[name]; !is {
			e.reload(s, name, &old, nil)
		}
	}
}

func (e *Engine) reload(s *session.Session, name string, from, to *string) {
	if err := s.Settings.Reload(name, from, to); err != nil {
		e.cfg.Log(pgerror.From(err), "")
	}
}
