package session

import (
	"errors"
	"io"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/proxy/wire"
)

// copyReader gives the messages of COPY FROM STDIN.
type copyReader struct {
	c    *Client
	done bool
}

// Next implements backend.CopyReader.
func (r *copyReader) Next() ([]byte, error) {
	for !r.done {
		kind, body, err := r.c.readInside()
		if err != nil {
			return nil, err
		}
		switch kind {
		case wire.KindCopyData:
			return body, nil
		case wire.KindCopyDone:
			r.done = true
		case wire.KindCopyFail:
			r.done = true
			reason, err := wire.DecodeCopyFail(body)
			if err != nil {
				return nil, err
			}
			return nil, pgerror.Newf(pgerror.QueryCanceled, "COPY from stdin failed: %s", reason)
		case wire.KindFlush, wire.KindSync:
			// Clients that send them after Execute do not know yet that it is a COPY.
		default:
			return nil, pgerror.Newf(pgerror.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", kind)
		}
	}
	return nil, io.EOF
}

// readInside reads a message in the middle of a statement; the slot is given up unless it is there already.
func (c *Client) readInside() (byte, []byte, error) {
	if err := c.task.Interrupted(); err != nil {
		return 0, nil, err
	}
	wait := !c.in.Ready()
	if wait {
		if err := c.push(); err != nil {
			return 0, nil, err
		}
		c.task.BeginWait(activity.EventClientRead)
		if c.task.Terminated() {
			c.sock.Wake(false)
		}
	}
	kind, body, err := c.in.Next()
	if wait {
		c.task.EndWait()
	}
	if err == nil {
		return kind, body, nil
	}
	if c.task.Terminated() {
		return 0, nil, c.task.Interrupted()
	}
	var e *pgerror.Error
	if errors.As(err, &e) {
		return 0, nil, e
	}
	c.broken = errGone
	return 0, nil, pgerror.New(pgerror.ConnectionFailure, "unexpected EOF on client connection with an open transaction")
}

// copyWriter takes the rows of COPY TO STDOUT.
type copyWriter struct{ c *Client }

// Write implements backend.CopyWriter.
func (w *copyWriter) Write(row []byte) error {
	c := w.c
	c.out.CopyData(row)
	if c.out.Len() > wire.FlushAt {
		return c.push()
	}
	return c.broken
}

// Close implements backend.CopyWriter.
func (w *copyWriter) Close() error {
	w.c.out.CopyDone()
	return w.c.broken
}
