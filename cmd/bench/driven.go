package main

import (
	"errors"
	"fmt"
	"time"

	"manifold/cmd/internal/drive"
	"manifold/cmd/internal/many"
)

// rowsPerScale is the accounts that pgbench makes for each unit of its scale.
const rowsPerScale = 100000

// driveThreads is how many threads drive the clients, as many as pgbench is given.
const driveThreads = 2

// driven is pgbench's SELECT by clients that cost less than pgbench's, whose polling of thousands of sockets takes more of the
// machine than the server does.
func driven(o *options, clients int, prepared bool) func(*server) (outcome, error) {
	return func(s *server) (out outcome, err error) {
		to := many.Server{Addr: s.addr(), Rows: rowsPerScale * o.scale, Threads: driveThreads}
		f, err := drive.Dial(drive.Options{Addr: to.Addr, Clients: clients, Threads: driveThreads})
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		script := to.Select(0)
		if prepared {
			script = to.SelectPrepared()
			if err := many.Prepare(f); err != nil {
				return out, err
			}
		}
		cpu := s.cpu()
		r, err := f.Run(time.Duration(o.seconds)*time.Second, script)
		if err == nil && r.Failed() > 0 {
			err = fmt.Errorf("%d statements failed: %s", r.Failed(), r.First)
		}
		if err != nil {
			return out, err
		}
		return outcome{tps: r.Rate(), latency: float64(clients) * 1000 / r.Rate(), count: float64(r.Answers), cpu: s.cpu() - cpu}, nil
	}
}
