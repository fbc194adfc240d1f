package session

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/compression"
	"manifold/engine/rmgr"
	"manifold/engine/txn"
	"manifold/engine/wal"
)

// Hot is the settings that every statement reads, taken apart once after each change. Sessions share it; it never changes.
type Hot struct {
	Wait       txn.Wait
	WorkMem    int64 // bytes
	Level      txn.Level
	ReadOnly   bool
	Isolation  Isolation
	Deferrable bool
	Log        activity.LogTuning
	Replica    bool // session_replication_role
}

// Hot gives the settings that every statement reads.
func (s *Session) Hot() *Hot {
	g := s.Settings
	if s.hotStamp == g.Stamp()+1 {
		return s.hot
	}
	s.hotStamp = g.Stamp() + 1
	if len(g.own) > 0 {
		s.hot = readHot(g)
	} else if s.hot = g.base.hot.Load(); s.hot == nil {
		s.hot = readHot(g)
		g.base.hot.Store(s.hot)
	}
	if s.Task != nil {
		s.Task.SetLogTuning(&s.hot.Log)
	}
	return s.hot
}

// LogTuning gives what settings want of the log.
func (g *Settings) LogTuning() activity.LogTuning {
	t := activity.LogTuning{Packing: wal.Packing(g.Get("wal_compression").Str), Siblings: int(g.Get("commit_siblings").Int),
		Delay: time.Duration(g.Get("commit_delay").Int) * time.Microsecond, NoImages: !g.Get("full_page_writes").Bool}
	t.Checks, _ = rmgr.ParseChecks(g.Get("wal_consistency_checking").Str) // checked when it was set
	return t
}

func readHot(g *Settings) *Hot {
	h := &Hot{
		Wait: txn.Wait{Timeout: time.Duration(g.Get("lock_timeout").Int) * time.Millisecond,
			DeadlockTimeout: time.Duration(g.Get("deadlock_timeout").Int) * time.Millisecond},
		WorkMem:  g.Get("work_mem").Int << 10,
		ReadOnly: g.Get("default_transaction_read_only").Bool, Deferrable: g.Get("default_transaction_deferrable").Bool,
	}
	h.Log = g.LogTuning()
	h.Replica = g.Get("session_replication_role").Str == "replica"
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
