package pool

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"manifold/engine/activity"
)

// player is a session of the model.
type player struct {
	l                      *Lease
	holds, waiting, parked bool
	open                   bool
	long                   bool // holds a slot as Long
	extra                  bool // holds a slot of the reserve
}

// model plays grants against simple rules in one goroutine: the queues are driven through their internals.
type model struct {
	t      *rapid.T
	p      *Pool
	limits Limits
	all    []*player
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{t: t, limits: Limits{Slots: rapid.IntRange(1, 5).Draw(t, "slots"), Parked: rapid.IntRange(1, 3).Draw(t, "parked"),
			Reserve: rapid.IntRange(0, 1).Draw(t, "reserve"), Users: map[string]UserLimits{"a": {Slots: rapid.IntRange(1, 2).Draw(t, "a")}}}}
		p, err := New("model", m.limits, func() (Backend, error) { return nil, errors.New("never asked") })
		if err != nil {
			t.Fatal(err)
		}
		m.p = p
		for i := range 9 {
			name := string(rune('a' + i%3))
			m.all = append(m.all, &player{l: p.NewLease(activity.NewTask(uint32(i), nil), name, name == "c")})
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			m.step(rapid.IntRange(0, 11).Draw(t, "what"))
			m.settle()
			m.check()
		}
	})
}

func (m *model) step(what int) {
	switch what {
	case 0:
		m.p.Resume()
		return
	case 1:
		if m.p.Gate() == Open {
			m.p.Pause()
		}
		return
	case 2:
		if m.p.Gate() == Open {
			m.p.Suspend()
		}
		return
	case 3:
		m.limits.Slots = rapid.IntRange(1, 5).Draw(m.t, "slots")
		m.p.SetLimits(m.limits)
		return
	}
	s := m.all[rapid.IntRange(0, len(m.all)-1).Draw(m.t, "who")]
	switch {
	case s.waiting && s.l.class >= Holder && what == 4:
		m.p.mu.Lock()
		m.p.removeLocked(s.l)
		m.p.mu.Unlock()
		s.waiting = false
	case s.waiting:
	case s.parked, !s.holds:
		m.enter(s)
	case what%2 == 0:
		m.leave(s, true)
	default:
		s.open = what < 7
		s.l.rests = s.open
		m.leave(s, false)
	}
}

func (m *model) enter(s *player) {
	c := Resumed
	switch {
	case s.parked:
	case s.open:
		c = Holder
	default:
		c = Class(rapid.IntRange(int(Normal), int(Long)).Draw(m.t, "class"))
	}
	now, err := m.p.enter(s.l, c)
	if err != nil {
		m.t.Fatal(err)
	}
	s.waiting = !now
	if now {
		m.grant(s)
	}
}

func (m *model) grant(s *player) {
	s.holds, s.parked, s.waiting = true, false, false
	s.long, s.extra = s.l.class == Long, s.l.extra
}

func (m *model) leave(s *player, parking bool) {
	s.holds, s.parked, s.long, s.extra = false, parking, false, false
	m.p.leave(s.l, parking, true)
}

func (m *model) settle() {
	for _, s := range m.all {
		select {
		case <-s.l.ready:
			m.grant(s)
		default:
		}
	}
}

// counts are what the pool should have counted.
type counts struct{ slots, extra, longs, inside, open, held int }

func (m *model) count() counts {
	var c counts
	for _, s := range m.all {
		switch {
		case s.extra:
			c.extra++
		case s.holds:
			c.slots++
		case s.parked:
			c.inside++
		}
		if s.long {
			c.longs++
		}
		if s.open {
			c.open++
		}
		if s.waiting && s.l.held {
			c.held++
		}
	}
	return c
}

func (m *model) check() {
	p, c := m.p, m.count()
	got := counts{p.limits.Slots - p.free, p.extra, p.longs, p.inside, p.open, p.held}
	if got != c {
		m.t.Fatalf("counted %+v, want %+v", got, c)
	}
	if c.extra > m.limits.Reserve {
		m.t.Fatalf("%d slots of the reserve", c.extra)
	}
	for _, s := range m.all {
		u := s.l.user
		if !s.waiting {
			continue
		}
		if s.l.held && u.slots+u.ready < u.limits.Slots {
			m.t.Fatalf("%s is held with %d slots and %d ready", u.name, u.slots, u.ready)
		}
		if p.free > 0 && !s.l.held && p.admitsLocked(s.l.class) {
			m.t.Fatalf("%d slots free while one of class %d waits at a gate that is %s", p.free, s.l.class, p.gate)
		}
	}
	if p.gate == Paused && (c.slots+c.extra+c.inside+c.open > 0) {
		m.t.Fatalf("paused with %+v", c)
	}
	if p.gate == Pausing && c.slots+c.extra+c.inside+c.open == 0 {
		m.t.Fatal("pauses for nobody")
	}
	if p.gate == Suspended && isClosed(p.settled) != (c.slots+c.extra == 0) {
		m.t.Fatalf("suspended with %+v", c)
	}
}
