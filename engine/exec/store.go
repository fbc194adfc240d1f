package exec

import (
	"encoding/binary"
	"io"

	"manifold/engine/types"
	"manifold/engine/vector"
)

// TempFiles makes temporary files for what exceeds work_mem.
type TempFiles interface {
	Create() (TempFile, error)
}

// TempFile is a file that vanishes when it is closed.
type TempFile interface {
	io.ReaderAt
	io.Writer
	Close() error
}

// rowStore keeps rows in order: each in a flat form (a null bitmap, eight bytes per fixed column, length and bytes per
// variable one), in memory up to a budget and behind that in a temporary file. A row is known by its number.
type rowStore struct {
	variable []bool
	budget   int64
	temp     TempFiles

	data  []byte
	ends  []int64 // of each row, from the beginning of the store
	file  TempFile
	base  int64 // where data begins, in bytes of the store: what is before is in the file
	bytes []byte
}

func (s *rowStore) init(cols []bool, x *Context) {
	s.variable, s.budget, s.temp = cols, x.WorkMem, x.TempDir
	s.clear()
}

func (s *rowStore) clear() {
	s.data, s.ends, s.base = s.data[:0], s.ends[:0], 0
	if s.file != nil {
		_ = s.file.Close() // a temporary file that cannot be closed is of no more use either way
		s.file = nil
	}
}

func (s *rowStore) len() int { return len(s.ends) }

// size gives the bytes the rows take.
func (s *rowStore) size() int64 { return s.base + int64(len(s.data)) }

// add appends lane i of a batch.
func (s *rowStore) add(b *vector.Batch, i int) error {
	if s.budget > 0 && int64(len(s.data)) > s.budget && s.temp != nil {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.data = appendRow(s.data, b.Cols, i)
	s.ends = append(s.ends, s.base+int64(len(s.data)))
	return nil
}

// spill moves the rows in memory to the file.
func (s *rowStore) spill() error {
	if s.file == nil {
		f, err := s.temp.Create()
		if err != nil {
			return err
		}
		s.file = f
	}
	if _, err := s.file.Write(s.data); err != nil {
		return err
	}
	s.base += int64(len(s.data))
	s.data = s.data[:0]
	return nil
}

// appendRow appends the flat form of one lane.
func appendRow(dst []byte, cols []vector.Vector, i int) []byte {
	start := len(dst)
	for range (len(cols) + 7) / 8 {
		dst = append(dst, 0)
	}
	for c := range cols {
		v := &cols[c]
		switch {
		case v.IsNull(i):
			dst[start+c/8] |= 1 << (c % 8)
		case v.Var:
			b := v.Bytes(i)
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
			dst = append(dst, b...)
		default:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Fixed[i]))
		}
	}
	return dst
}

// row gives the flat bytes of a row; from a file they live until the next call.
func (s *rowStore) row(n int) ([]byte, error) {
	start := int64(0)
	if n > 0 {
		start = s.ends[n-1]
	}
	end := s.ends[n]
	if start >= s.base {
		return s.data[start-s.base : end-s.base], nil
	}
	if cap(s.bytes) < int(end-start) {
		s.bytes = make([]byte, end-start)
	}
	b := s.bytes[:end-start]
	_, err := s.file.ReadAt(b, start)
	return b, err
}

// load puts a row into lane i of the columns from first on.
func (s *rowStore) load(n int, cols []vector.Vector, i int) error {
	b, err := s.row(n)
	if err != nil {
		return err
	}
	loadRow(b, s.variable, cols, i)
	return nil
}

func loadRow(b []byte, variable []bool, cols []vector.Vector, i int) {
	nulls := b
	b = b[(len(variable)+7)/8:]
	for c, isVar := range variable {
		v := &cols[c]
		switch {
		case nulls[c/8]&(1<<(c%8)) != 0:
			v.Set(i, types.Null)
		case isVar:
			n := binary.LittleEndian.Uint32(b)
			v.SetBytes(i, b[4:4+n])
			b = b[4+n:]
		default:
			v.Fixed[i] = int64(binary.LittleEndian.Uint64(b))
			b = b[8:]
		}
	}
}

// batchOf resets the columns of a batch for n rows of the store's types.
func resetBatch(b *vector.Batch, variable []bool, n int) {
	if len(b.Cols) != len(variable) {
		b.Cols = make([]vector.Vector, len(variable))
	}
	for c, v := range variable {
		b.Cols[c].Reset(v, n)
	}
	b.N, b.Sel = n, nil
}

// reader reads a store from the front.
type storeReader struct {
	store *rowStore
	next  int
	batch vector.Batch
}

func (r *storeReader) rewind(s *rowStore) { r.store, r.next = s, 0 }

func (r *storeReader) read(want int) (*vector.Batch, error) {
	n := min(want, vector.BatchSize, r.store.len()-r.next)
	if n <= 0 {
		return nil, nil
	}
	resetBatch(&r.batch, r.store.variable, n)
	for i := range n {
		if err := r.store.load(r.next+i, r.batch.Cols, i); err != nil {
			return nil, err
		}
	}
	r.next += n
	return &r.batch, nil
}

// fill reads an operator to its end into a store.
func (s *rowStore) fill(x *Context, op operator) error {
	for {
		b, err := op.next(x, vector.BatchSize)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		for k := range b.Live() {
			if err := s.add(b, b.Lane(k)); err != nil {
				return err
			}
		}
	}
}
