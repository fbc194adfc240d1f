package crashlab

import (
	"fmt"
	"io"
	"strings"

	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// client is a session with a backend of its own.
type client struct {
	backend.Discard
	s    *session.Session
	b    *backend.Backend
	rows []string
	tag  string
	copy string // what the next COPY FROM STDIN reads
}

func connect(e *engine.Engine) (*client, error) {
	task := activity.NewTask(0, nil)
	s := e.NewSession(task)
	l, err := e.Login(task, "postgres", "postgres")
	if err != nil {
		return nil, err
	}
	if err := e.StartSession(s, l, nil); err != nil {
		return nil, err
	}
	if err := e.Register(s); err != nil {
		return nil, err
	}
	return &client{s: s, b: e.NewBackend()}, nil
}

func (c *client) close(e *engine.Engine) {
	c.b.Release(c.s)
	e.Unregister(c.s)
}

// Rows implements backend.Sink.
func (c *client) Rows(cols []plan.ResultColumn, _ []int16, b *vector.Batch) error {
	for k := range b.Live() {
		var row []string
		for n := range cols {
			d := b.Cols[n].Get(b.Lane(k))
			if d.Null {
				row = append(row, "~")
				continue
			}
			row = append(row, string(types.AppendText(nil, cols[n].Type, d, c.s.Env())))
		}
		c.rows = append(c.rows, strings.Join(row, "|"))
	}
	return nil
}

// Complete implements backend.Sink.
func (c *client) Complete(tag string) error {
	c.tag = tag
	return nil
}

// CopyIn implements backend.Sink.
func (c *client) CopyIn(bool, int) (backend.CopyReader, error) { return &copyText{rest: c.copy}, nil }

// copyText hands out the data of a COPY in pieces that ignore its lines.
type copyText struct{ rest string }

// Next implements backend.CopyReader.
func (t *copyText) Next() ([]byte, error) {
	if t.rest == "" {
		return nil, io.EOF
	}
	n := min(len(t.rest), 5000)
	piece := t.rest[:n]
	t.rest = t.rest[n:]
	return []byte(piece), nil
}

// try runs one statement and waits until its answer may leave. rows and tag then have the answer.
func (c *client) try(sql string) error {
	c.rows, c.tag = nil, ""
	if err := c.b.Simple(c.s, sql, c); err != nil {
		c.b.Fail(c.s, pgerror.From(err))
		if late := c.s.AwaitAnswer(); late != nil {
			return late
		}
		return err
	}
	return c.s.AwaitAnswer()
}

// query is try for a check that must not fail.
func (c *client) query(sql string) ([]string, error) {
	if err := c.try(sql); err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return c.rows, nil
}
