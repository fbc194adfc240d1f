package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/compression"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
	"manifold/engine/txn"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// ToastThreshold is the size of a row in bytes beyond which its values are made smaller: four rows fit a page.
const ToastThreshold = 2032

// maxBatchValues bounds the bytes of values out of line that a scan puts in one batch.
const maxBatchValues = 16 << 20

// Change is on whose behalf something is written.
type Change struct {
	Task   *activity.Task
	Tx     *txn.Tx
	Wait   txn.Wait
	Method compression.Method // for columns without one of their own
}

// Toaster keeps the values of a table that are too wide for their row.
type Toaster interface {
	// Shrink gives the values of a row with the widest compressed or moved out of line until the row is small. old is the
	// version that it replaces, if any: values that have not changed keep their chunks. What it gives lives until the next
	// call for the same change.
	Shrink(c Change, old tuple.Tuple, values []types.Datum) ([]types.Datum, error)
	// Fetch appends the value that a pointer leads to.
	Fetch(task *activity.Task, p tuple.Pointer, dst []byte) ([]byte, error)
	// Remove deletes the chunks of a value; undo tells that the running command itself wrote them.
	Remove(c Change, p tuple.Pointer, undo bool) error
	// Check verifies what rows and chunks say of each other.
	Check(main *Table, v mvcc.View, report func(error)) error
}

// CheckWide verifies the values that rows of the table keep compressed or out of line.
func (t *Table) CheckWide(v mvcc.View, report func(error)) error {
	if t.toast == nil {
		return nil
	}
	return t.toast.Check(t, v, report)
}

// SetToaster joins the table with what keeps its wide values, before the table is shared. Without one a row must fit a page.
func (t *Table) SetToaster(x Toaster) { t.toast = x }

// Value gives the value of a Datum as Layout.Get gave it: itself, decompressed, or fetched.
func (t *Table) Value(task *activity.Task, d types.Datum) (types.Datum, error) {
	switch tuple.FormOf(d) {
	case tuple.Plain:
		return d, nil
	case tuple.Compressed:
		b, err := tuple.Decompress(nil, d.B)
		return types.Datum{B: b}, err
	}
	b, err := t.fetch(task, nil, d.B)
	return types.Datum{B: b}, err
}

func (t *Table) fetch(task *activity.Task, dst, pointer []byte) ([]byte, error) {
	p, err := tuple.ReadPointer(pointer)
	if err != nil {
		return dst, err
	}
	if t.toast == nil {
		return dst, pgerror.Corrupt("relation %s has a value out of line and no TOAST relation", t.file)
	}
	return t.toast.Fetch(task, p, dst)
}

// Deform gives all columns of a row in dst, which must have room for them. Bytes alias the row, but for values that the row
// does not hold itself. Nothing may be latched.
func (t *Table) Deform(task *activity.Task, dst []types.Datum, row tuple.Tuple) ([]types.Datum, error) {
	return t.DeformSome(task, dst, row, nil)
}

// DeformSome is Deform; columns that need leaves out, when it is not nil, may be given in their stored form (tuple.FormOf).
func (t *Table) DeformSome(task *activity.Task, dst []types.Datum, row tuple.Tuple, need []bool) ([]types.Datum, error) {
	dst = t.Layout.Deform(dst, row)
	if row.Mask()&tuple.Toasted == 0 {
		return dst, nil
	}
	for i := range dst {
		if t.Layout.Variable(i) && (need == nil || need[i]) {
			var err error
			if dst[i], err = t.Value(task, dst[i]); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// rawSize gives the length of a value from its stored form.
func rawSize(form tuple.Form, stored []byte) int {
	if form == tuple.Compressed {
		raw, _, _ := tuple.CompressedSizes(stored) // what is damaged is told when it is read
		return raw
	}
	p, _ := tuple.ReadPointer(stored)
	return p.Raw
}

// detoast replaces the bytes of stored forms in the batch by the values', but for values of more than most bytes, if most is
// not zero: these stay as they are, with their Form. Nothing may be latched.
func (t *Table) detoast(task *activity.Task, b *vector.Batch, cols []int, most int) error {
	for k := range cols {
		v := &b.Cols[k]
		for i := range v.Stored {
			s := &v.Stored[i]
			if most > 0 && rawSize(tuple.Form(s.Form), v.Bytes(int(s.Lane))) > most {
				continue
			}
			stored := append([]byte(nil), v.Bytes(int(s.Lane))...)
			start := len(v.Data)
			var err error
			if tuple.Form(s.Form) == tuple.Compressed {
				_, m, _ := tuple.CompressedSizes(stored)
				s.Method, s.Size = 1+uint8(m), int32(len(stored)+tuple.CompressedHead)
				v.Data, err = tuple.Decompress(v.Data, stored)
			} else {
				if p, e := tuple.ReadPointer(stored); e == nil {
					if s.Size = int32(p.Stored); p.Compressed() {
						s.Method = 1 + uint8(p.Method)
					}
				}
				v.Data, err = t.fetch(task, v.Data, stored)
			}
			if err != nil {
				return err
			}
			if len(v.Data) > 1<<32-1 {
				return pgerror.New(pgerror.ProgramLimitExceeded, "values of a batch of rows exceed 4 GB")
			}
			s.Form = uint8(tuple.Plain)
			v.Spans[s.Lane] = vector.Span{Off: uint32(start), Len: uint32(len(v.Data) - start)}
		}
	}
	return nil
}

// affordable cuts a list of rows to those whose values out of line in the columns do not exceed room bytes, but at least
// one, and gives how many stay and the bytes of these.
func (t *Table) affordable(rows []tuple.Tuple, cols []int, room, most int) (n, size int) {
	for i, row := range rows {
		if row.Mask()&tuple.Toasted != 0 {
			for _, c := range cols {
				if c < 0 || !t.Layout.Variable(c) {
					continue
				}
				d := t.Layout.Get(row, c)
				if form := tuple.FormOf(d); form != tuple.Plain {
					if raw := rawSize(form, d.B); most == 0 || raw <= most {
						size += raw
					}
				}
			}
		}
		if size > room && i > 0 {
			return i, size
		}
	}
	return len(rows), size
}

func (w *Writer) change() Change { return Change{w.task, w.tx, w.wait, w.wait.Compress} }

// formRow appends the row of the values to dst. old is the version that it replaces, when that is known: nil is none.
func (w *Writer) formRow(dst []byte, old tuple.Tuple, values []types.Datum) ([]byte, error) {
	t := w.t
	if t.toast != nil && (t.Layout.Size(values) > ToastThreshold || old != nil && old.Mask()&tuple.Toasted != 0) {
		var err error
		if values, err = t.toast.Shrink(w.change(), old, values); err != nil {
			return dst, err
		}
	}
	return t.Layout.Form(dst, values, MaxTuple)
}

// replaced removes the chunks of the values of an old version that a new one, if any, does not share.
func (w *Writer) replaced(old, now tuple.Tuple, undo bool) error {
	if old == nil || old.Mask()&tuple.Toasted == 0 {
		return nil
	}
	l := w.t.Layout
	for i := range l.Columns() {
		if !l.Variable(i) {
			continue
		}
		d := l.Get(old, i)
		if d.Null || tuple.FormOf(d) != tuple.External || now != nil && l.Equal(old, now, i) {
			continue
		}
		p, err := tuple.ReadPointer(d.B)
		if err != nil {
			return err
		}
		if w.t.toast == nil {
			return pgerror.Corrupt("relation %s has a value out of line and no TOAST relation", w.t.file)
		}
		if err := w.t.toast.Remove(w.change(), p, undo); err != nil {
			return err
		}
	}
	return nil
}

// keepOld copies a row with values out of line while it is latched, for replaced.
func (w *Writer) keepOld(t tuple.Tuple) tuple.Tuple {
	if t.Mask()&tuple.Toasted == 0 {
		return nil
	}
	w.old = appendTuple(w.old[:0], t)
	return w.old
}

// EachWide calls f for every row that the view sees and that has values compressed or out of line; a row lives until f returns.
func (t *Table) EachWide(v mvcc.View, f func(tid base.TID, row tuple.Tuple) error) error {
	s, err := t.NewScan(v)
	if err != nil {
		return err
	}
	type found struct {
		tid base.TID
		row tuple.Tuple
	}
	for s.next < s.end {
		if err := v.Task.Interrupted(); err != nil {
			return err
		}
		buf, err := t.s.pool.Pin(v.Task, t.tag(s.next))
		if err != nil {
			return err
		}
		s.v.Refresh()
		buf.RLock()
		n, _, err := s.collect(buf.Page(), MaxLines)
		if err != nil {
			buf.RUnlockRelease()
			return err
		}
		var rows []found
		for i, row := range s.rows[:n] {
			if row.Mask()&tuple.Toasted != 0 {
				rows = append(rows, found{s.at[i], appendTuple(nil, row)})
			}
		}
		buf.RUnlockRelease()
		for _, r := range rows {
			if err := f(r.tid, r.row); err != nil {
				return err
			}
		}
	}
	return nil
}
