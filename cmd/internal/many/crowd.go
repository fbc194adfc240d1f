package many

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"manifold/cmd/internal/drive"
)

// crowd is clients that select with a mean time to think before each statement, in this process or in others.
type crowd interface {
	selects(think, d time.Duration) (*drive.Result, error)
	Close() error
}

// own is a crowd in this process.
type own struct {
	*drive.Fleet
	s *Server
}

func (c own) selects(think, d time.Duration) (*drive.Result, error) {
	r, err := c.Run(d, c.s.Select(think))
	return r, failed(r, err)
}

// crowd logs clients in: in as many processes as the server is to be asked from.
func (s *Server) crowd(clients int) (crowd, error) {
	if s.Processes > 1 {
		return s.members(clients)
	}
	f, err := s.dial(clients)
	return own{f, s}, err
}

// order is what a member of a crowd is told: a line of JSON on its standard input.
type order struct {
	Think, For time.Duration
}

// answer is what it says: first when its clients are in, then after each order.
type answer struct {
	Result *drive.Result
	Failed string
}

// member is a process with a part of a crowd.
type member struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

type squad []*member

// members starts the processes; each is this program again, with Member as its work.
func (s *Server) members(clients int) (squad, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var q squad
	for i := range s.Processes {
		n := clients / s.Processes
		if i < clients%s.Processes {
			n++
		}
		m := &member{cmd: exec.Command(self, s.Member(n)...)}
		m.cmd.Stderr = os.Stderr
		out, err := m.cmd.StdoutPipe()
		if err == nil {
			m.out = json.NewDecoder(out)
			if m.in, err = m.cmd.StdinPipe(); err == nil {
				err = m.cmd.Start()
			}
		}
		if err != nil {
			return nil, errors.Join(err, q.Close())
		}
		q = append(q, m)
	}
	for _, m := range q {
		if _, err := m.listen(); err != nil {
			return nil, errors.Join(err, q.Close())
		}
	}
	return q, nil
}

func (m *member) listen() (*drive.Result, error) {
	var a answer
	if err := m.out.Decode(&a); err != nil {
		return nil, fmt.Errorf("a process of clients: %w", err)
	}
	if a.Failed != "" {
		return nil, errors.New(a.Failed)
	}
	return a.Result, nil
}

func (q squad) selects(think, d time.Duration) (*drive.Result, error) {
	for _, m := range q {
		if err := json.NewEncoder(m.in).Encode(order{think, d}); err != nil {
			return nil, err
		}
	}
	total := &drive.Result{Errors: map[string]int64{}}
	for _, m := range q {
		r, err := m.listen()
		if err != nil {
			return nil, err
		}
		total.Merge(r)
	}
	return total, nil
}

// Close ends the processes.
func (q squad) Close() error {
	var errs []error
	for _, m := range q {
		errs = append(errs, m.in.Close(), m.cmd.Wait())
	}
	return errors.Join(errs...)
}

// Serve is the work of a member: it logs clients in and follows orders from in until there are no more.
func (s *Server) Serve(clients int, in io.Reader, out io.Writer) error {
	say := json.NewEncoder(out)
	f, err := s.dial(clients)
	if err != nil {
		return errors.Join(err, say.Encode(answer{Failed: err.Error()}))
	}
	if err := say.Encode(answer{}); err != nil {
		return errors.Join(err, f.Close())
	}
	orders := json.NewDecoder(in)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, f.Close())
		}
		r, err := own{f, s}.selects(o.Think, o.For)
		a := answer{Result: r}
		if err != nil {
			a = answer{Failed: err.Error()}
		}
		if err := say.Encode(a); err != nil {
			return errors.Join(err, f.Close())
		}
	}
}
