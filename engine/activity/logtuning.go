package activity

import "time"

// LogTuning is how a session wants its records made and flushed. It does not change once a task has it.
type LogTuning struct {
	Checks   uint32        // resource managers, a bit for each number, whose records carry images to check redo by (wal_consistency_checking)
	Packing  uint8         // how images are compressed (wal_compression), as wal.Packing gives it
	Delay    time.Duration // how long to wait for others before a flush (commit_delay)
	Siblings int           // others at work that make it worth while (commit_siblings)
	NoImages bool          // full_page_writes is off; only the server's own counts
}

// SetLogTuning gives the task's own way with the log; nil is the server's.
func (t *Task) SetLogTuning(l *LogTuning) { t.tuning = l }

// LogTuning gives what SetLogTuning has set; nil without a task.
func (t *Task) LogTuning() *LogTuning {
	if t == nil {
		return nil
	}
	return t.tuning
}
