package engine

import (
	"sync"
	"time"

	"manifold/engine/compression"
	"manifold/engine/rmgr"
	"manifold/engine/session"
	"manifold/engine/wal"
)

// logTuning joins what sessions and the configuration want of the log. The log serves all sessions at once: what one of them
// sets holds for everybody until it sets it back or ends.
type logTuning struct {
	mu   sync.Mutex // guards all below
	log  *wal.Log
	busy func(others int) bool // whether so many transactions that write run
	base logWish
	own  map[uint32]logWish // of sessions that want something else than base
}

// logWish is the settings that the log obeys.
type logWish struct {
	checks   uint32 // wal_consistency_checking
	pack     string // wal_compression
	delay    int64  // commit_delay, microseconds
	siblings int64  // commit_siblings
}

func wishOf(g *session.Settings) logWish {
	w := logWish{pack: g.Get("wal_compression").Str, delay: g.Get("commit_delay").Int, siblings: g.Get("commit_siblings").Int}
	w.checks, _ = rmgr.ParseChecks(g.Get("wal_consistency_checking").Str) // checked when it was set
	return w
}

// compressionOf reads a value of wal_compression.
func compressionOf(name string) (on bool, m compression.Method) {
	switch name {
	case "pglz", "on":
		return true, compression.PGLZ
	case "lz4":
		return true, compression.LZ4
	case "zstd":
		return true, compression.Zstd
	}
	return false, compression.PGLZ
}

// start takes the configuration's wishes, at first and whenever it has changed.
func (t *logTuning) start(log *wal.Log, busy func(others int) bool, preset map[string]string) error {
	g := session.NewSettings()
	for name, text := range preset {
		if err := g.Preset(name, text); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log, t.busy, t.base = log, busy, wishOf(g)
	if t.own == nil {
		t.own = map[uint32]logWish{}
	}
	t.applyLocked()
	return nil
}

// session takes a session's wishes after a change of its settings.
func (t *logTuning) session(id uint32, g *session.Settings) {
	w := wishOf(g)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.own[id]; w == t.base && !known {
		return
	}
	t.own[id] = w
	if w == t.base {
		delete(t.own, id)
	}
	t.applyLocked()
}

// forget ends what a session wanted.
func (t *logTuning) forget(id uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.own[id]; known {
		delete(t.own, id)
		t.applyLocked()
	}
}

func (t *logTuning) applyLocked() {
	all := t.base
	for _, w := range t.own {
		all.checks |= w.checks
		if w.pack != t.base.pack {
			all.pack = w.pack
		}
		if w.delay != t.base.delay || w.siblings != t.base.siblings {
			all.delay, all.siblings = w.delay, w.siblings
		}
	}
	t.log.SetChecks(all.checks)
	t.log.SetCompression(compressionOf(all.pack))
	t.log.SetGroupDelay(time.Duration(all.delay)*time.Microsecond, func() bool { return t.busy(int(all.siblings)) })
}
