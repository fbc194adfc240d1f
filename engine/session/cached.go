package session

import (
	"time"

	"manifold/engine/compression"
	"manifold/engine/txn"
)

// Hot is the settings that every statement reads, taken apart once after each change.
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
	if s.hotStamp == s.Settings.Stamp()+1 {
		return &s.hot
	}
	g := s.Settings
	s.hot = Hot{
		Wait: txn.Wait{Timeout: time.Duration(g.Get("lock_timeout").Int) * time.Millisecond,
			DeadlockTimeout: time.Duration(g.Get("deadlock_timeout").Int) * time.Millisecond},
		WorkMem:  g.Get("work_mem").Int << 10,
		ReadOnly: g.Get("default_transaction_read_only").Bool, Deferrable: g.Get("default_transaction_deferrable").Bool,
	}
	s.hot.Wait.Compress, _ = compression.Named(g.Get("default_toast_compression").Str)
	switch g.Get("synchronous_commit").Str {
	case "off":
		s.hot.Level = txn.LevelOff
	case "local":
		s.hot.Level = txn.LevelLocal
	case "remote_write":
		s.hot.Level = txn.LevelRemoteWrite
	case "remote_apply":
		s.hot.Level = txn.LevelRemoteApply
	}
	switch g.Get("default_transaction_isolation").Str {
	case "repeatable read":
		s.hot.Isolation = RepeatableRead
	case "serializable":
		s.hot.Isolation = Serializable
	}
	if s.Tune != nil {
		s.Tune(g)
	}
	s.hotStamp = s.Settings.Stamp() + 1
	return &s.hot
}
