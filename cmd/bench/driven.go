package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"manifold/cmd/internal/drive"
	"manifold/cmd/internal/many"
)

// rowsPerScale is the accounts that pgbench makes for each unit of its scale.
const rowsPerScale = 100000

// driveThreads is how many threads drive the clients, as many as pgbench is given.
const driveThreads = 2

// thinkProcesses is how many processes the clients who think are in.
const thinkProcesses = 4

// driven is pgbench's SELECT by clients that cost less than pgbench's, whose polling of thousands of sockets takes more of the
// machine than the server does.
func driven(o *options, clients int, prepared bool) func(*server) (outcome, error) {
	return func(s *server) (outcome, error) {
		to := s.many(o)
		if !prepared {
			return s.drive(o, clients, 1, to.Select(0), nil)
		}
		return s.drive(o, clients, 1, to.SelectPrepared(), many.Prepare)
	}
}

// drivenTPCB is pgbench's TPC-B by such clients.
func drivenTPCB(o *options, clients int) func(*server) (outcome, error) {
	return func(s *server) (outcome, error) {
		to := s.many(o)
		return s.drive(o, clients, many.TPCBSteps, to.TPCB(), nil)
	}
}

// many gives the server as package many knows it.
func (s *server) many(o *options) many.Server {
	rows := rowsPerScale * o.scale
	return many.Server{Addr: s.addr(), Rows: rows, Threads: driveThreads, Yield: true, Processes: thinkProcesses, Member: func(clients int) []string {
		return []string{"-crowd", s.addr(), "-crowd-clients", strconv.Itoa(clients), "-crowd-rows", strconv.Itoa(rows)}
	}}
}

// drive runs a script whose transactions have a number of steps.
func (s *server) drive(o *options, clients, steps int, script drive.Script, prepare func(*drive.Fleet) error) (out outcome, err error) {
	f, err := drive.Dial(drive.Options{Addr: s.addr(), Clients: clients, Threads: driveThreads})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if prepare != nil {
		if err := prepare(f); err != nil {
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
	rate := r.Rate() / float64(steps)
	return outcome{tps: rate, latency: float64(clients) * 1000 / rate, count: float64(r.Answers) / float64(steps), cpu: s.cpu() - cpu}, nil
}
