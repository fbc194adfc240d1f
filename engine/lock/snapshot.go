package lock

import "time"

// Info is a row of pg_locks.
type Info struct {
	Tag      Tag
	Mode     Mode
	PID      uint32
	Granted  bool
	FastPath bool
	Since    time.Time // of the wait
}

// Snapshot gives all locks held and awaited; parts of it may be a moment apart.
func (m *Manager) Snapshot() []Info {
	var out []Info
	m.mu.RLock()
	for o := range m.owners {
		o.mu.Lock()
		for _, s := range o.fast {
			out = appendModes(out, Info{Tag: s.tag, PID: o.PID(), Granted: true, FastPath: true}, s.modes)
		}
		o.mu.Unlock()
	}
	m.mu.RUnlock()
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		for _, e := range p.entries {
			for _, h := range e.holds {
				out = appendModes(out, Info{Tag: e.tag, PID: h.owner.PID(), Granted: true}, h.modes)
			}
			for _, w := range e.queue {
				out = append(out, Info{Tag: e.tag, Mode: w.mode, PID: w.owner.PID(), Since: time.Unix(0, w.since.Load())})
			}
		}
		p.mu.Unlock()
	}
	return out
}

func appendModes(out []Info, i Info, modes modeMask) []Info {
	for mode := AccessShare; mode < modeCount; mode++ {
		if modes&mode.mask() != 0 {
			i.Mode = mode
			out = append(out, i)
		}
	}
	return out
}

// Conflicting gives the pids of other sessions that hold a lock in conflict with a mode on a tag.
func (m *Manager) Conflicting(self *Owner, tag Tag, mode Mode) []uint32 {
	var out []uint32
	c := mode.conflicts()
	m.mu.RLock()
	for o := range m.owners {
		if o == self || tag.Kind != KindRelation {
			continue
		}
		o.mu.Lock()
		for _, s := range o.fast {
			if s.tag == tag && s.modes&c != 0 {
				out = appendOnce(out, o.PID())
			}
		}
		o.mu.Unlock()
	}
	m.mu.RUnlock()
	p := m.part(tag)
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.entries[tag]; e != nil {
		for _, h := range e.holds {
			if h.owner != self && h.modes&c != 0 {
				out = appendOnce(out, h.owner.PID())
			}
		}
	}
	return out
}
