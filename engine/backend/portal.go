package backend

import (
	"time"

	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// portalRun is the running half of a portal: its parameters, its execution, and for a cursor the rows fetched so far, so
// that it can move backwards and outlive its transaction.
type portalRun struct {
	run    run
	params []types.Datum
	bytes  []byte // the parameters'
	rows   [][]types.Datum
	pos    int // rows[pos-1] is the current row; zero is before the first
	done   bool
	place  place
}

// Close implements session.Runner. The backend that closes portals does what needs one.
func (p *portalRun) Close(bool) {}

// newPortal makes a portal, or takes the unnamed one again.
func (b *Backend) newPortal(name string) *session.Portal {
	s := b.s
	if po, ok := s.Portals[name]; ok && name == "" {
		b.closeRun(po)
		r := po.Run.(*portalRun)
		formats := po.Formats[:0]
		*po = session.Portal{Formats: formats, Run: r, Depth: s.Proc.Tx().Depth()}
		r.rows, r.pos, r.done = nil, 0, false
		return po
	}
	po := &session.Portal{Name: name, Run: &portalRun{}, Depth: s.Proc.Tx().Depth(), CreatedAt: time.Now()}
	s.PutPortal(name, po)
	return po
}

// closeRun ends the execution of a portal.
func (b *Backend) closeRun(po *session.Portal) {
	if r, ok := po.Run.(*portalRun); ok && r.run.running {
		b.stop(&r.run)
	}
}

// dropPortal closes a portal and forgets it.
func (b *Backend) dropPortal(name string) {
	if po, ok := b.s.Portals[name]; ok {
		b.closeRun(po)
		if name != "" {
			delete(b.s.Portals, name)
			return
		}
		// The unnamed portal's memory serves the next Bind.
		po.Statement, po.Done, po.Result = nil, true, nil
		r := po.Run.(*portalRun)
		r.rows, r.done = nil, true
		if cap(r.bytes) > 1<<16 {
			r.bytes, r.params = nil, nil
		}
	}
}

// closePortals closes the portals of a transaction that ends; cursors WITH HOLD that were made by it stay after a commit.
func (b *Backend) closePortals(committed bool) {
	for name, po := range b.s.Portals {
		b.closeRun(po)
		if po.Hold && (committed || po.Held) {
			po.Held = true
			continue
		}
		b.dropPortal(name)
	}
}

// closePortalsFrom closes the portals made at or below a savepoint.
func (b *Backend) closePortalsFrom(depth int) {
	for name, po := range b.s.Portals {
		if po.Depth >= depth && !po.Held {
			b.dropPortal(name)
		}
	}
}

// holdCursors reads the cursors WITH HOLD to their ends before the transaction commits.
func (b *Backend) holdCursors() error {
	for _, po := range b.s.Portals {
		if r, ok := po.Run.(*portalRun); ok && po.Hold && !po.Held && !r.done {
			if err := b.readAhead(po, -1); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAhead makes sure that a cursor has n rows in memory (all when negative), as far as there are so many.
func (b *Backend) readAhead(po *session.Portal, n int) error {
	r := po.Run.(*portalRun)
	if r.done || n >= 0 && len(r.rows) >= n {
		return nil
	}
	b.rebind(&r.run)
	for !r.done && (n < 0 || len(r.rows) < n) {
		want := vector.BatchSize
		if n >= 0 {
			want = min(want, n-len(r.rows))
		}
		batch, err := r.run.in.Next(r.run.x, want)
		if err != nil {
			b.stop(&r.run)
			r.done = true
			return err
		}
		if batch == nil {
			r.done = true
			b.stop(&r.run)
			break
		}
		for k := range batch.Live() {
			i := batch.Lane(k)
			row := make([]types.Datum, len(batch.Cols))
			for c := range batch.Cols {
				row[c] = batch.Cols[c].Get(i).Clone()
			}
			r.rows = append(r.rows, row)
		}
		if err := b.s.Task.Interrupted(); err != nil {
			return err
		}
	}
	return nil
}

// fetchPortal is Execute on a cursor that DECLARE made: it fetches forward.
func (b *Backend) fetchPortal(po *session.Portal, max int, out Sink) (bool, error) {
	n := max
	if n == 0 {
		n = -1
	}
	rows, err := b.move(po, forward, n)
	if err != nil {
		return false, err
	}
	if err := sendRows(out, po, rows); err != nil {
		return false, err
	}
	b.s.Told = b.s.Told || len(rows) > 0
	if max > 0 && len(rows) == max {
		return true, nil
	}
	return false, b.complete(out, commandTag("SELECT", int64(len(rows))))
}

func sendRows(out Sink, po *session.Portal, rows [][]types.Datum) error {
	return sendText(out, po.Result, po.Formats, rows)
}

// direction says how FETCH and MOVE count.
type direction uint8

const (
	forward direction = iota
	backward
	absolute
	relative
)

// move moves a cursor and gives the rows it passes (FORWARD, BACKWARD; all when n is negative) or lands on (ABSOLUTE,
// RELATIVE).
func (b *Backend) move(po *session.Portal, d direction, n int) ([][]types.Datum, error) {
	r := po.Run.(*portalRun)
	if !po.Scroll && (d == backward && n != 0 || d == relative && n < 0 || d == absolute && n != 0 && n < r.pos) {
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "cursor can only scan forward").
			WithHint("Declare it with SCROLL option to enable backward scan.")
	}
	switch d {
	case forward:
		return b.moveForward(po, n)
	case backward:
		return r.moveBackward(n), nil
	case relative:
		n += r.pos
		if n < 0 {
			n = 0
		}
	case absolute:
		if n < 0 {
			if err := b.readAhead(po, -1); err != nil {
				return nil, err
			}
			n = max(len(r.rows)+1+n, 0)
		}
	}
	if err := b.readAhead(po, n); err != nil {
		return nil, err
	}
	if n > len(r.rows) {
		r.pos = len(r.rows) + 1
		return nil, nil
	}
	r.pos = n
	if n == 0 {
		return nil, nil
	}
	return r.rows[n-1 : n], nil
}

func (b *Backend) moveForward(po *session.Portal, n int) ([][]types.Datum, error) {
	r := po.Run.(*portalRun)
	if n == 0 { // the current row again
		if r.pos >= 1 && r.pos <= len(r.rows) {
			return r.rows[r.pos-1 : r.pos], nil
		}
		return nil, nil
	}
	target := -1
	if n > 0 {
		target = r.pos + n
	}
	if err := b.readAhead(po, target); err != nil {
		return nil, err
	}
	start := min(r.pos, len(r.rows))
	end := len(r.rows)
	if n > 0 {
		end = min(end, r.pos+n)
	}
	if n < 0 || end < r.pos+n {
		r.pos = len(r.rows) + 1
	} else {
		r.pos = end
	}
	if start >= end {
		return nil, nil
	}
	return r.rows[start:end], nil
}

// moveBackward gives the rows before the current one, nearest first.
func (r *portalRun) moveBackward(n int) [][]types.Datum {
	var out [][]types.Datum
	for i := r.pos - 1; i >= 1 && (n < 0 || len(out) < n); i-- {
		out = append(out, r.rows[i-1])
	}
	if n < 0 || len(out) < n {
		r.pos = 0
	} else {
		r.pos -= n
	}
	return out
}
