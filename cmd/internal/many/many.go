package many

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"manifold/cmd/internal/drive"
)

// Server is what scenes run against.
type Server struct {
	Addr    string // IP:PORT
	Rows    int    // of pgbench_accounts
	Threads int    // of each fleet
	Yield   bool   // those who come back in a storm leave the processors to the server, as if they were on other machines

	Processes int                        // that clients who think are in; this one alone when it is not more than one
	Member    func(clients int) []string // arguments with which this program calls Serve, where Processes is more than one
}

func (s *Server) dial(clients int) (*drive.Fleet, error) {
	return drive.Dial(drive.Options{Addr: s.Addr, Clients: clients, Threads: max(s.Threads, 1)})
}

// Query runs statements of one client, one after the other, and gives the number of rows of the last.
func (s *Server) Query(texts ...string) (int, error) {
	f, err := s.dial(1)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	c := f.Clients()[0]
	r, err := f.Run(0, func(c *drive.Client, _ *rand.Rand, buf []byte) ([]byte, time.Duration) {
		if c.Step == len(texts) || c.Code != "" {
			return buf, 0
		}
		c.Step++
		return drive.Query(buf, texts[c.Step-1]), 0
	})
	return c.Rows, failed(r, err)
}

// Up waits until the server takes connections.
func (s *Server) Up(limit time.Duration) error {
	for by := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		f, err := s.dial(1)
		if err == nil {
			return f.Close()
		}
		if time.Now().After(by) {
			return err
		}
	}
}

// failed gives the error of a run, or that of a statement in it.
func failed(r *drive.Result, err error) error {
	if err == nil && r.Failed() > 0 {
		return fmt.Errorf("%d statements failed, the first with %s", r.Failed(), r.First)
	}
	return err
}

// Select is pgbench's SELECT of one row, without an end; think is the mean of the time before each.
func (s *Server) Select(think time.Duration) drive.Script {
	return func(_ *drive.Client, r *rand.Rand, buf []byte) ([]byte, time.Duration) {
		return drive.Query(buf, "SELECT abalance FROM pgbench_accounts WHERE aid = "+strconv.Itoa(1+r.IntN(s.Rows))+";"), exponential(r, think)
	}
}

func exponential(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(mean))
}

// Prepare gives every client of a fleet the prepared statement of SelectPrepared.
func Prepare(f *drive.Fleet) error {
	return failed(f.Run(0, func(c *drive.Client, _ *rand.Rand, buf []byte) ([]byte, time.Duration) {
		if c.Step++; c.Step > 1 {
			return buf, 0
		}
		return drive.Prepare(buf, "p", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"), 0
	}))
}

// SelectPrepared is Select by a prepared statement.
func (s *Server) SelectPrepared() drive.Script {
	return func(_ *drive.Client, r *rand.Rand, buf []byte) ([]byte, time.Duration) {
		return drive.Execute(buf, "p", strconv.Itoa(1+r.IntN(s.Rows))), 0
	}
}

// TPCBSteps is how many requests a transaction of TPCB has.
const TPCBSteps = 7

// TPCB is pgbench's TPC-B, a statement at a time, without an end.
func (s *Server) TPCB() drive.Script {
	scale := uint64(s.Rows / 100000)
	return func(c *drive.Client, r *rand.Rand, buf []byte) ([]byte, time.Duration) {
		step := c.Step % TPCBSteps
		if c.Step++; step == 0 {
			c.Memo = r.Uint64()
		}
		m := c.Memo
		aid, delta := 1+m%uint64(s.Rows), int(m>>40%10001)-5000
		bid, tid := 1+(m>>20)%scale, 1+(m>>30)%(10*scale)
		var text string
		switch step {
		case 0:
			text = "BEGIN;"
		case 1:
			text = fmt.Sprintf("UPDATE pgbench_accounts SET abalance = abalance + %d WHERE aid = %d;", delta, aid)
		case 2:
			text = fmt.Sprintf("SELECT abalance FROM pgbench_accounts WHERE aid = %d;", aid)
		case 3:
			text = fmt.Sprintf("UPDATE pgbench_tellers SET tbalance = tbalance + %d WHERE tid = %d;", delta, tid)
		case 4:
			text = fmt.Sprintf("UPDATE pgbench_branches SET bbalance = bbalance + %d WHERE bid = %d;", delta, bid)
		case 5:
			text = fmt.Sprintf("INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (%d, %d, %d, %d, CURRENT_TIMESTAMP);", tid, bid, aid, delta)
		default:
			text = "END;"
		}
		return drive.Query(buf, text), 0
	}
}

// Thinking is clients that think between their statements, so long that the server is loaded as far as wanted.
type Thinking struct {
	Login    time.Duration // of all
	Full     float64       // statements a second without thinking
	Rate     float64
	P50, P99 time.Duration // of a statement
}

// Think loads the server with many clients that think, to a part of what it does when they do not.
func (s *Server) Think(clients int, load float64, d time.Duration) (t Thinking, err error) {
	began := time.Now()
	c, err := s.crowd(clients)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	t.Login = time.Since(began)
	r, err := c.selects(0, d/2)
	if err != nil {
		return t, err
	}
	t.Full = r.Rate()
	return t, t.think(c, clients, load*t.Full, d)
}

// ThinkAt loads the server with many clients that think, with a number of statements a second.
func (s *Server) ThinkAt(clients int, rate float64, d time.Duration) (t Thinking, err error) {
	c, err := s.crowd(clients)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return t, t.think(c, clients, rate, d)
}

func (t *Thinking) think(c crowd, clients int, rate float64, d time.Duration) error {
	pause := time.Duration(float64(clients) / rate * float64(time.Second))
	r, err := c.selects(pause, d)
	if err != nil {
		return err
	}
	t.Rate, t.P50, t.P99 = r.Rate(), r.Latency.Quantile(0.5), r.Latency.Quantile(0.99)
	return nil
}

// Reconnecting is a storm of logins beside clients that work.
type Reconnecting struct {
	Login          time.Duration // of all, in the storm
	Calm50, Calm99 time.Duration // of the working clients' statements before
	P50, P99       time.Duration // and during the storm
}

// Reconnect lets clients hang up and come back all at once while others work, whose time is measured.
func (s *Server) Reconnect(clients, active int, d time.Duration) (t Reconnecting, err error) {
	dial := func() (*drive.Fleet, error) {
		return drive.Dial(drive.Options{Addr: s.Addr, Clients: clients, Threads: max(s.Threads, 1), Modest: s.Yield})
	}
	crowd, err := dial()
	if err != nil {
		return t, err
	}
	workers, err := s.dial(active)
	if err != nil {
		return t, errors.Join(err, crowd.Close())
	}
	defer func() { err = errors.Join(err, workers.Close()) }()
	const think = 10 * time.Millisecond
	r, err := workers.Run(d, s.Select(think))
	if err = failed(r, err); err != nil {
		return t, errors.Join(err, crowd.Close())
	}
	t.Calm50, t.Calm99 = r.Latency.Quantile(0.5), r.Latency.Quantile(0.99)
	storm := make(chan error, 1)
	go func() {
		began := time.Now()
		err := crowd.Close()
		if err == nil {
			crowd, err = dial()
			t.Login = time.Since(began)
		}
		storm <- err
	}()
	r, err = workers.Run(d, s.Select(think))
	if err = errors.Join(failed(r, err), <-storm); err != nil {
		return t, err
	}
	t.P50, t.P99 = r.Latency.Quantile(0.5), r.Latency.Quantile(0.99)
	return t, crowd.Close()
}

// Resting is clients that rest inside of transactions beside others that work.
type Resting struct {
	Alone, Beside float64 // statements a second of those that work, without and with the others
}

// RestInTransactions measures what idle transactions cost others: rounds of both are taken in turn, and the best of each.
func (s *Server) RestInTransactions(clients, active, rounds int, d time.Duration) (t Resting, err error) {
	workers, err := s.dial(active)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, workers.Close()) }()
	crowd, err := s.dial(clients)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, crowd.Close()) }()
	say := func(texts ...string) error {
		for _, c := range crowd.Clients() {
			c.Step = 0
		}
		return failed(crowd.Run(0, func(c *drive.Client, _ *rand.Rand, buf []byte) ([]byte, time.Duration) {
			if c.Step == len(texts) {
				return buf, 0
			}
			c.Step++
			return drive.Query(buf, texts[c.Step-1]), 0
		}))
	}
	for range rounds {
		r, err := workers.Run(d, s.Select(0))
		if err = failed(r, err); err != nil {
			return t, err
		}
		t.Alone = max(t.Alone, r.Rate())
		if err := say("begin", "select count(*) from pg_am"); err != nil {
			return t, err
		}
		if r, err = workers.Run(d, s.Select(0)); failed(r, err) != nil {
			return t, failed(r, err)
		}
		t.Beside = max(t.Beside, r.Rate())
		if err := say("commit"); err != nil {
			return t, err
		}
	}
	return t, nil
}
