package session

import (
	"sync/atomic"

	"manifold/engine/base"
)

// Progress is how far a long command has come, as the views pg_stat_progress_... show it. Its session sets it, others read it. A nil
// one takes what it is told and shows it to nobody.
type Progress struct {
	Command  string // as pg_stat_get_progress_info knows it
	Relation base.OID
	params   [ProgressParams]atomic.Int64
}

// ProgressParams is how many numbers a command can show.
const ProgressParams = 20

// Report shows the progress of a command until Reported. It gives nil when another command, of which this one is a part, shows its
// own.
func (s *Session) Report(command string, relation base.OID) *Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.info.Progress != nil {
		return nil
	}
	s.info.Progress = &Progress{Command: command, Relation: relation}
	return s.info.Progress
}

// Reported ends what Report began.
func (s *Session) Reported(p *Progress) {
	if p != nil {
		s.Update(func(i *Info) { i.Progress = nil })
	}
}

// Set sets the numbers from the i-th, counted from zero.
func (p *Progress) Set(i int, v ...int64) {
	if p != nil {
		for k, n := range v {
			p.params[i+k].Store(n)
		}
	}
}

// Add adds to the i-th number.
func (p *Progress) Add(i int, n int64) {
	if p != nil {
		p.params[i].Add(n)
	}
}

// Param gives the i-th number.
func (p *Progress) Param(i int) int64 { return p.params[i].Load() }
