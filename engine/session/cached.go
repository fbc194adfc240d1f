package session

import (
	"time"

	"manifold/engine/compression"
	"manifold/engine/txn"
)

// Hot is the settings that every statement reads, taken apart once after each change. Sessions share it; it never changes.
type Hot struct {
	Wait       txn.Wait
	WorkMem    int64 // bytes
	Level      txn.Level
	ReadOnly   bool
	Isolation  Isolation
	Deferrable bool
}

// Hot gives the settings that every statement reads.
func (s *Session) Hot() *Hot {
	g := s.Settings
	if s.hotStamp == g.Stamp()+1 {
		return s.hot
	}
	s.hotStamp = g.Stamp() + 1
	if s.Tune != nil {
		s.Tune(s)
	}
	if len(g.own) > 0 {
		s.hot = readHot(g)
		return s.hot
	}
	if s.hot = g.base.hot.Load(); s.hot == nil {
		s.hot = readHot(g)
		g.base.hot.Store(s.hot)
	}
	return s.hot
}

func readHot(g *Settings) *Hot {
	h := &Hot{
		Wait: txn.Wait{Timeout: time.Duration(g.Get("lock_timeout").Int) * time.Millisecond,
			DeadlockTimeout: time.Duration(g.Get("deadlock_timeout").Int) * time.Millisecond},
		WorkMem:  g.Get("work_mem").Int << 10,
		ReadOnly: g.Get("default_transaction_read_only").Bool, Deferrable: g.Get("default_transaction_deferrable").Bool,
	}
	h.Wait.Compress, _ = compression.Named(g.Get("default_toast_compression").Str)
	switch g.Get("synchronous_commit").Str {
	case "off":
		h.Level = txn.LevelOff
	case "local":
		h.Level = txn.LevelLocal
	case "remote_write":
		h.Level = txn.LevelRemoteWrite
	case "remote_apply":
		h.Level = txn.LevelRemoteApply
	}
	switch g.Get("default_transaction_isolation").Str {
	case "repeatable read":
		h.Isolation = RepeatableRead
	case "serializable":
		h.Isolation = Serializable
	}
	return h
}
