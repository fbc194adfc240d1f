package toast

import (
	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/compression"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
	"manifold/engine/types"
)

// shrinking is the work on one row.
type shrinking struct {
	t      *Table
	c      heap.Change
	values []types.Datum
	state  []state
	excess int // bytes of the row beyond what is aimed at
}

// state says what may still be done to a value.
type state uint8

const (
	open  state = iota // nothing was tried
	tried              // does not get smaller in the row
	fixed              // stays as it is
)

// Shrink makes a row small. See heap.Toaster.
func (t *Table) Shrink(c heap.Change, old tuple.Tuple, values []types.Datum) ([]types.Datum, error) {
	s := &shrinking{t: t, c: c, values: append([]types.Datum(nil), values...), state: make([]state, len(values))}
	target := heap.ToastThreshold
	if n := t.desc.ToastTarget; n > 0 {
		target = n
	}
	if err := s.begin(old); err != nil {
		return nil, err
	}
	s.excess = t.layout.Size(s.values) - target
	// What may be moved is compressed, widest first; what alone would fill the row is moved at once.
	for s.excess > 0 {
		i := s.widest(open, 'x', 'e')
		if i < 0 {
			break
		}
		if t.column(i) == 'x' {
			s.compress(i)
		}
		s.state[i] = max(s.state[i], tried)
		if t.chunks != nil && len(s.values[i].B) > target {
			if err := s.move(i); err != nil {
				return nil, err
			}
		}
	}
	for s.excess > 0 && t.chunks != nil {
		i := s.widest(tried, 'x', 'e')
		if i < 0 {
			break
		}
		if err := s.move(i); err != nil {
			return nil, err
		}
	}
	for s.excess > 0 {
		i := s.widest(open, 'm', 'm')
		if i < 0 {
			break
		}
		s.compress(i)
		s.state[i] = max(s.state[i], tried)
	}
	s.excess += target - heap.MaxTuple // MAIN values leave the row only when it does not fit a page
	for s.excess > 0 && t.chunks != nil {
		i := s.widest(tried, 'm', 'm')
		if i < 0 {
			break
		}
		if err := s.move(i); err != nil {
			return nil, err
		}
	}
	return s.values, nil
}

// column gives the storage of a column, 'p' for one that stays in the row as it is.
func (t *Table) column(i int) byte {
	c := &t.desc.Columns[i]
	switch {
	case c.Dropped || c.Fixed():
		return 'p'
	case c.Storage == 0: // catalogs
		return 'x'
	}
	return c.Storage
}

// begin finds the values that the old version keeps out of line already, and brings other stored forms into the open.
func (s *shrinking) begin(old tuple.Tuple) error {
	for i := range s.values {
		d := &s.values[i]
		if d.Null || !s.t.layout.Variable(i) {
			s.state[i] = fixed
			continue
		}
		form := tuple.FormOf(*d)
		if form != tuple.Plain {
			s.state[i] = fixed
			continue
		}
		d.I = 0
		if len(d.B) >= tuple.MaxValue {
			return pgerror.Newf(pgerror.ProgramLimitExceeded, "invalid memory alloc request size %d", len(d.B)+4)
		}
		if old == nil {
			continue
		}
		was := s.t.layout.Get(old, i)
		if was.Null || tuple.FormOf(was) != tuple.External {
			continue
		}
		same, err := s.same(was.B, d.B)
		if err != nil {
			return err
		}
		if same {
			*d = tuple.MarkStored(append([]byte(nil), was.B...), tuple.External)
			s.state[i] = fixed
		}
	}
	return nil
}

// same tells whether a pointer leads to a value.
func (s *shrinking) same(pointer, value []byte) (bool, error) {
	p, err := tuple.ReadPointer(pointer)
	if err != nil || p.Raw != len(value) {
		return false, err
	}
	b, err := s.t.Fetch(s.c.Task, p, nil)
	return string(b) == string(value), err
}

// widest gives the widest value in a state whose column has one of two storages, -1 for none. Values no wider than a pointer
// are left alone.
func (s *shrinking) widest(st state, a, b byte) int {
	best, size := -1, tuple.PointerSize
	for i := range s.values {
		if k := s.t.column(i); s.state[i] <= st && s.state[i] != fixed && (k == a || k == b) && len(s.values[i].B) > size {
			best, size = i, len(s.values[i].B)
		}
	}
	return best
}

// compress replaces a value by its compressed form when that is smaller.
func (s *shrinking) compress(i int) {
	m := s.method(i)
	d := s.values[i]
	b, ok := compression.Append(tuple.AppendCompressedHead(nil, len(d.B), m), d.B, m)
	if !ok || len(b) >= len(d.B) {
		return
	}
	s.excess -= len(d.B) - len(b)
	s.values[i] = tuple.MarkStored(b, tuple.Compressed)
}

func (s *shrinking) method(i int) compression.Method {
	switch s.t.desc.Columns[i].Compression {
	case 'l':
		return compression.LZ4
	case 'p':
		return compression.PGLZ
	}
	return s.c.Method
}

// move writes a value, as it is stored now, to the TOAST relation and leaves a pointer.
func (s *shrinking) move(i int) error {
	d := s.values[i]
	p := tuple.Pointer{Raw: len(d.B), Stored: len(d.B), Table: s.t.chunks.Desc.OID}
	data := d.B
	if tuple.FormOf(d) == tuple.Compressed {
		var err error
		if p.Raw, p.Method, err = tuple.CompressedSizes(d.B); err != nil {
			return err
		}
		data = d.B[tuple.CompressedHead:]
		p.Stored = len(data)
	}
	var err error
	if p.Value, err = s.t.newValue(s.c); err != nil {
		return err
	}
	if err := s.t.write(s.c, p.Value, data); err != nil {
		return err
	}
	s.excess -= len(d.B) - tuple.PointerSize
	s.values[i] = tuple.MarkStored(p.Append(nil), tuple.External)
	s.state[i] = fixed
	return nil
}

// newValue gives an id that no entry of the index has.
func (t *Table) newValue(c heap.Change) (base.OID, error) {
	for {
		oid, err := c.Tx.Manager().NewOID()
		if err != nil {
			return 0, err
		}
		r, err := t.reader(c.Task, oid)
		if err != nil {
			return 0, err
		}
		tids, err := r.scan.Next()
		used := len(tids) > 0
		t.readers.Put(r)
		if err != nil || !used {
			return oid, err
		}
	}
}

// write inserts the chunks of a value, a batch of rows at a time.
func (t *Table) write(c heap.Change, value base.OID, data []byte) error {
	const most = 64
	w := t.chunks.NewWriter(c.Task, c.Tx, c.Wait)
	ix := t.index.NewWriter(c.Task)
	var rows [most][]types.Datum
	var slab [most * 3]types.Datum
	var tids [most]base.TID
	var key []byte
	for seq := 0; len(data) > 0; {
		if err := c.Task.Interrupted(); err != nil {
			return err
		}
		n, first := 0, seq
		for ; n < most && len(data) > 0; n++ {
			row := slab[3*n : 3*n+3]
			size := min(len(data), ChunkSize)
			row[colID], row[colSeq], row[colData] = types.Int(int64(value)), types.Int(int64(seq)), types.Bytes(data[:size])
			data, rows[n] = data[size:], row
			seq++
		}
		if err := w.MultiInsert(rows[:n], tids[:n]); err != nil {
			return err
		}
		for i, tid := range tids[:n] {
			var err error
			if key, err = t.key(key[:0], value, first+i); err != nil {
				return err
			}
			if err := insertKey(ix, key, tid); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertKey(ix *btree.Writer, key []byte, tid base.TID) error {
	_, err := ix.Insert(key, tid, nil, nil)
	return err
}

// decompress appends the value whose compressed bytes the chunks of a pointer held.
func decompress(dst, data []byte, p tuple.Pointer) ([]byte, error) {
	start := len(dst)
	if need := start + p.Raw; cap(dst) < need {
		dst = append(make([]byte, 0, max(need, min(2*cap(dst), 1<<26))), dst...)
	}
	dst = dst[:start+p.Raw]
	return dst, compression.Decode(dst[start:], data, p.Method)
}
