package exec

import (
	"bytes"
	"container/heap"
	"encoding/binary"

	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/quicksort"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// sortOp orders its input by normalised keys: byte strings whose order is that of the rows. What exceeds work_mem is
// sorted in runs on temporary files, which are merged (Knuth, volume 3, section 5.4).
type sortOp struct {
	*emitter
	child    operator
	keys     []plan.SortKey
	types    []base.OID
	variable []bool
	bound    eval.Node

	store   rowStore
	arena   []byte // keys
	order   []sortRef
	limit   int
	ready   bool
	at      int
	batch   vector.Batch
	runs    []*sortRun
	merge   mergeHeap
	workMem int64
}

// sortRef is a row being sorted: the first eight bytes of its key, where the key is, and the row's number.
type sortRef struct {
	head     uint64
	off, len uint32
	row      uint32
}

func (in *Instance) sortOp(p *plan.Sort) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	s := &sortOp{emitter: e, keys: p.Keys, variable: variables(p.Child)}
	for _, k := range p.Keys {
		s.types = append(s.types, p.Child.Common().Out[k.Column].Type)
	}
	if p.Bound != nil {
		if s.bound, err = in.c.Compile(p.Bound); err != nil {
			return nil, err
		}
	}
	s.child, err = in.build(p.Child)
	return s, err
}

// variables tells which output columns of a node are of variable width.
func variables(n plan.Node) []bool {
	out := n.Common().Out
	v := make([]bool, len(out))
	for i, c := range out {
		v[i] = !c.Fixed
	}
	return v
}

func (s *sortOp) open(x *Context) error {
	s.reset()
	s.ready, s.at = false, 0
	s.release()
	s.store.init(s.variable, x)
	s.store.budget = 0 // runs are spilt sorted, not row by row
	s.workMem = x.WorkMem
	s.arena, s.order = s.arena[:0], s.order[:0]
	s.limit = -1
	if s.bound != nil {
		s.frame.Env = x.Eval
		v, err := s.bound.Eval(&s.frame, nil, 1)
		if err != nil {
			return err
		}
		if d := v.Get(0); !d.Null && d.I >= 0 && d.I < 1<<20 {
			s.limit = int(d.I)
		}
	}
	return s.child.open(x)
}

func (s *sortOp) load(x *Context) error {
	for {
		b, err := s.child.next(x, vector.BatchSize)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		if err := s.addBatch(b); err != nil {
			return err
		}
		used := s.store.size() + int64(len(s.arena)) + int64(len(s.order))*24
		switch {
		case s.limit >= 0 && len(s.order) > 2*s.limit+vector.BatchSize:
			if err := s.keepTop(x); err != nil {
				return err
			}
		case used > s.workMem && x.TempDir != nil || len(s.arena) > 1<<31:
			if err := s.writeRun(x); err != nil {
				return err
			}
		}
	}
	if err := s.sortRefs(x); err != nil {
		return err
	}
	if s.instr != nil {
		s.note()
	}
	if len(s.runs) > 0 {
		if err := s.writeRun(x); err != nil {
			return err
		}
		return s.startMerge()
	}
	return nil
}

func (s *sortOp) note() {
	s.instr.SortMethod, s.instr.SortSpace = "quicksort", (s.store.size()+int64(len(s.arena)))/1024+25
	if s.limit >= 0 {
		s.instr.SortMethod = "top-N heapsort"
	}
	if len(s.runs) > 0 {
		s.instr.SortMethod, s.instr.SortDisk = "external merge", true
		s.instr.SortSpace = 0
		for _, r := range s.runs {
			s.instr.SortSpace += r.size / 1024
		}
	}
}

func (s *sortOp) addBatch(b *vector.Batch) error {
	for k := range b.Live() {
		i := b.Lane(k)
		start := len(s.arena)
		var err error
		for c, key := range s.keys {
			d := b.Cols[key.Column].Get(i)
			if s.arena, err = types.AppendKey(s.arena, s.types[c], d, key.Descending, key.NullsFirst); err != nil {
				return err
			}
		}
		r := sortRef{off: uint32(start), len: uint32(len(s.arena) - start), row: uint32(s.store.len())}
		r.head = head(s.arena[start:])
		if err := s.store.add(b, i); err != nil {
			return err
		}
		s.order = append(s.order, r)
	}
	return nil
}

// head packs the first bytes of a key so that comparing numbers compares keys.
func head(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func (s *sortOp) key(r *sortRef) []byte { return s.arena[r.off : r.off+r.len] }

func (s *sortOp) sortRefs(x *Context) error {
	return quicksort.Sort(s.order, func(a, b sortRef) int {
		if a.head != b.head {
			if a.head < b.head {
				return -1
			}
			return 1
		}
		if c := bytes.Compare(s.key(&a), s.key(&b)); c != 0 {
			return c
		}
		return int(a.row) - int(b.row)
	}, x.Task.Breathe)
}

// keepTop drops what cannot be among the first limit rows.
func (s *sortOp) keepTop(x *Context) error {
	if err := s.sortRefs(x); err != nil {
		return err
	}
	kept := rowStore{variable: s.variable}
	var arena []byte
	var order []sortRef
	for _, r := range s.order[:min(s.limit, len(s.order))] {
		off := len(arena)
		arena = append(arena, s.key(&r)...)
		b, err := s.store.row(int(r.row))
		if err != nil {
			return err
		}
		kept.data = append(kept.data, b...)
		kept.ends = append(kept.ends, int64(len(kept.data)))
		order = append(order, sortRef{head: r.head, off: uint32(off), len: r.len, row: uint32(len(order))})
	}
	s.store, s.arena, s.order = kept, arena, order
	return nil
}

func (s *sortOp) next(x *Context, want int) (*vector.Batch, error) {
	if !s.ready {
		if err := s.load(x); err != nil {
			return nil, err
		}
		s.ready = true
	}
	return s.pull(x, want, s.read)
}

func (s *sortOp) read(_ *Context, want int) (*vector.Batch, error) {
	want = min(want, vector.BatchSize)
	if len(s.runs) > 0 {
		return s.readMerged(want)
	}
	end := len(s.order)
	if s.limit >= 0 {
		end = min(end, s.limit)
	}
	n := min(want, end-s.at)
	if n <= 0 {
		return nil, nil
	}
	resetBatch(&s.batch, s.variable, n)
	for i := range n {
		if err := s.store.load(int(s.order[s.at+i].row), s.batch.Cols, i); err != nil {
			return nil, err
		}
	}
	s.at += n
	return &s.batch, nil
}

func (s *sortOp) close() {
	s.child.close()
	s.release()
	s.store.clear()
	if cap(s.arena) > 1<<20 {
		s.arena, s.order, s.store.data, s.store.ends = nil, nil, nil, nil
	}
}

func (s *sortOp) release() {
	for _, r := range s.runs {
		_ = r.file.Close() // a temporary file
	}
	s.runs, s.merge = nil, nil
}

// sortRun is a sorted run on a file: for each row the lengths of key and row, then their bytes.
type sortRun struct {
	file TempFile
	size int64
	pos  int64
	buf  []byte
	off  int
	key  []byte
	row  []byte
}

// writeRun sorts what is in memory and moves it to a new run.
func (s *sortOp) writeRun(x *Context) error {
	if len(s.order) == 0 {
		return nil
	}
	if err := s.sortRefs(x); err != nil {
		return err
	}
	f, err := x.TempDir.Create()
	if err != nil {
		return err
	}
	run := &sortRun{file: f}
	s.runs = append(s.runs, run)
	var out []byte
	for i := range s.order {
		r := &s.order[i]
		row, err := s.store.row(int(r.row))
		if err != nil {
			return err
		}
		out = binary.LittleEndian.AppendUint32(out, r.len)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(row)))
		out = append(out, s.key(r)...)
		out = append(out, row...)
		if len(out) > 1<<18 || i == len(s.order)-1 {
			if _, err := f.Write(out); err != nil {
				return err
			}
			if err := x.Task.Breathe(); err != nil {
				return err
			}
			run.size += int64(len(out))
			out = out[:0]
		}
	}
	s.store.clear()
	s.arena, s.order = s.arena[:0], s.order[:0]
	return nil
}

// advance reads the next row of a run; false at its end.
func (r *sortRun) advance() (bool, error) {
	need := func(n int) error {
		for len(r.buf)-r.off < n {
			rest := copy(r.buf, r.buf[r.off:])
			r.buf, r.off = r.buf[:rest], 0
			want := max(n-rest, 1<<16)
			want = int(min(int64(want), r.size-r.pos))
			start := len(r.buf)
			r.buf = append(r.buf, make([]byte, want)...)
			if _, err := r.file.ReadAt(r.buf[start:], r.pos); err != nil {
				return err
			}
			r.pos += int64(want)
		}
		return nil
	}
	if r.pos == r.size && r.off == len(r.buf) {
		return false, nil
	}
	if err := need(8); err != nil {
		return false, err
	}
	k := int(binary.LittleEndian.Uint32(r.buf[r.off:]))
	n := int(binary.LittleEndian.Uint32(r.buf[r.off+4:]))
	if err := need(8 + k + n); err != nil {
		return false, err
	}
	at := r.off + 8
	r.key, r.row = r.buf[at:at+k], r.buf[at+k:at+k+n]
	r.off = at + k + n
	return true, nil
}

// mergeHeap orders runs by their current keys, earlier runs first among equals.
type mergeHeap []*sortRun

func (h mergeHeap) Len() int           { return len(h) }
func (h mergeHeap) Less(i, j int) bool { return bytes.Compare(h[i].key, h[j].key) < 0 }
func (h mergeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap) Push(v any)        { *h = append(*h, v.(*sortRun)) }
func (h *mergeHeap) Pop() any {
	old := *h
	r := old[len(old)-1]
	*h = old[:len(old)-1]
	return r
}

func (s *sortOp) startMerge() error {
	s.merge = s.merge[:0]
	for _, r := range s.runs {
		more, err := r.advance()
		if err != nil {
			return err
		}
		if more {
			s.merge = append(s.merge, r)
		}
	}
	heap.Init(&s.merge)
	return nil
}

func (s *sortOp) readMerged(want int) (*vector.Batch, error) {
	n := 0
	resetBatch(&s.batch, s.variable, want)
	for n < want && len(s.merge) > 0 && (s.limit < 0 || s.at < s.limit) {
		r := s.merge[0]
		loadRow(r.row, s.variable, s.batch.Cols, n)
		n++
		s.at++
		more, err := r.advance()
		if err != nil {
			return nil, err
		}
		if more {
			heap.Fix(&s.merge, 0)
		} else {
			heap.Pop(&s.merge)
		}
	}
	if n == 0 {
		return nil, nil
	}
	trim(&s.batch, n)
	return &s.batch, nil
}

// trim cuts a batch to its first n lanes.
func trim(b *vector.Batch, n int) {
	b.N = n
	for c := range b.Cols {
		if v := &b.Cols[c]; v.Var {
			v.Spans = v.Spans[:n]
		} else {
			v.Fixed = v.Fixed[:n]
		}
	}
}
