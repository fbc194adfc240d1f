package session

import (
	"manifold/engine/backend"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
	"manifold/proxy/wire"
)

// sink takes a statement's answers into the client's output buffer.
type sink struct {
	c *Client
}

// Describe implements backend.Sink.
func (k *sink) Describe(cols []plan.ResultColumn, formats []int16) error {
	c := k.c
	c.notices()
	if !c.extended {
		c.out.RowDescription(cols, formats)
	}
	return c.broken
}

// Rows implements backend.Sink.
func (k *sink) Rows(cols []plan.ResultColumn, formats []int16, b *vector.Batch) error {
	c := k.c
	c.notices()
	env := c.s.Env()
	for i, n := 0, b.Live(); i < n; i++ {
		if err := c.out.Row(cols, formats, b, b.Lane(i), env); err != nil {
			return err
		}
		if c.out.Len() > wire.FlushAt {
			if err := c.push(); err != nil {
				return err
			}
		}
	}
	return c.broken
}

// Complete implements backend.Sink.
func (k *sink) Complete(tag string) error {
	c := k.c
	c.notices()
	if tag == "" {
		c.out.EmptyQueryResponse()
	} else {
		c.out.CommandComplete(tag)
	}
	if !c.extended {
		c.restart()
	}
	return c.broken
}

// Notice implements backend.Sink.
func (k *sink) Notice(n *pgerror.Error) error {
	k.c.notices()
	k.c.notice(n)
	return k.c.broken
}

// CopyIn implements backend.Sink.
func (k *sink) CopyIn(binary bool, columns int) (backend.CopyReader, error) {
	c := k.c
	c.notices()
	c.out.CopyInResponse(binary, columns)
	if err := c.push(); err != nil {
		return nil, err
	}
	return &copyReader{c: c}, nil
}

// CopyOut implements backend.Sink.
func (k *sink) CopyOut(binary bool, columns int) (backend.CopyWriter, error) {
	k.c.notices()
	k.c.out.CopyOutResponse(binary, columns)
	return &copyWriter{c: k.c}, k.c.broken
}
