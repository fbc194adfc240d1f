package exec

import (
	"sort"

	"manifold/engine/access/btree"
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/tuple"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// indexScan reads a table in the order of an index.
type indexScan struct {
	*rowSource
	keys     *keyRanges
	index    *btree.Index
	scan     *btree.Scan
	recheck  []eval.Node
	rowKey   *rowKeys
	backward bool
	nextR    int // of keys.ranges
	active   bool
	tids     []base.TID
	done     int
	from     [vector.BatchSize]int32
	at       [vector.BatchSize]base.TID
	sel2     [vector.BatchSize]int32
	miss     []byte
	only     *indexOnly // nil unless rows may be read from the index alone
	entries  reads
}

func (in *Instance) indexScan(p *plan.IndexScan) (operator, error) {
	r, err := in.rowSource(&p.Scan)
	if err != nil {
		return nil, err
	}
	s := &indexScan{rowSource: r, backward: p.Backward, index: in.b.Index(p.Index, p.Rel.Logged()), entries: in.reads(p.Rel.File.Database, p.Index.OID)}
	if s.keys, err = in.keyRanges(p.Index, p.Conds); err != nil {
		return nil, err
	}
	if s.recheck, err = in.c.All(p.Recheck); err != nil {
		return nil, err
	}
	if p.Only {
		s.only = newIndexOnly(s.table, p.Index, r.cols)
	}
	s.rowKey, err = in.rowKeys(p.Rel, p.Index)
	return s, err
}

func (s *indexScan) open(x *Context) error {
	s.reset()
	s.once, s.active, s.nextR, s.tids, s.done = false, false, 0, nil, 0
	return s.keys.compute(x)
}

func (s *indexScan) next(x *Context, want int) (*vector.Batch, error) {
	if s.rechecked(x) {
		return s.pull(x, want, s.recheckOne)
	}
	return s.pull(x, want, s.read)
}

// recheckOne gives the row of a re-check if it satisfies the conditions of the index too.
func (s *indexScan) recheckOne(x *Context, _ int) (*vector.Batch, error) {
	b, err := s.recheckRow(x)
	if b == nil || err != nil {
		return nil, err
	}
	if len(s.keys.conds) > 0 {
		row, err := s.table.FetchVersion(x.Task, x.recheck[s.rte].tid, &s.buf)
		if err != nil || row == nil {
			return nil, err
		}
		key, ok, err := s.rowKey.ofTuple(x, s.table, row)
		if err != nil || !ok || !s.keys.covers(key) {
			return nil, err
		}
	}
	return s.checked(x, b)
}

// checked applies the conditions that keys do not decide.
func (s *indexScan) checked(x *Context, b *vector.Batch) (*vector.Batch, error) {
	if len(s.recheck) == 0 {
		return b, nil
	}
	s.frame.Env, s.frame.Outer = x.Eval, b
	sel, err := eval.Filter(&s.frame, s.recheck, b.Sel, b.N, s.sel2[:])
	if err != nil {
		s.failed = err
	}
	b.Sel = sel
	if len(sel) == 0 {
		b.Sel = s.sel2[:0]
	}
	return b, nil
}

// read gives the next rows of the scan.
func (s *indexScan) read(x *Context, want int) (*vector.Batch, error) {
	want = min(want, vector.BatchSize)
	for {
		if s.done >= len(s.tids) {
			more, err := s.advance(x)
			if err != nil || !more {
				return nil, err
			}
		}
		chunk := s.tids[s.done:min(len(s.tids), s.done+want)]
		s.count.begin(x)
		n, err := s.fetch(x, chunk)
		s.count.end(x)
		if err != nil {
			return nil, err
		}
		if n < len(chunk) {
			if err := s.killDead(x, chunk, n); err != nil {
				return nil, err
			}
		}
		s.done += len(chunk)
		if n == 0 {
			continue
		}
		s.batch.N, s.batch.Sel = n, nil
		s.finish()
		b, err := s.checked(x, &s.batch)
		if err != nil || b.Live() > 0 || s.failed != nil {
			return b, err
		}
	}
}

// fetch reads the rows of a chunk of the entries at hand into the batch.
func (s *indexScan) fetch(x *Context, chunk []base.TID) (int, error) {
	if s.only != nil {
		if n, ok, err := s.only.fetch(s, x, chunk); ok || err != nil {
			return n, err
		}
	}
	n, err := s.table.FetchBatch(&x.view, chunk, &s.batch, s.cols, s.from[:], s.at[:])
	s.count.Fetched += int64(n)
	s.entries.Fetched += int64(n)
	return n, err
}

// killDead tells the index of entries whose rows nobody can see any more.
func (s *indexScan) killDead(x *Context, chunk []base.TID, n int) error {
	k := 0
	for i := range chunk {
		if k < n && int(s.from[k]) == i {
			k++
			continue
		}
		dead, err := s.table.AllDead(&x.view, chunk[i])
		if err != nil {
			return err
		}
		if dead {
			s.scan.Kill(s.done + i)
		}
	}
	return nil
}

// advance reads the next leaf, or begins the next range.
func (s *indexScan) advance(x *Context) (bool, error) {
	for {
		if !s.active {
			if s.nextR >= len(s.keys.ranges) {
				return false, nil
			}
			r := s.keys.ranges[s.nextR]
			if s.backward {
				r = s.keys.ranges[len(s.keys.ranges)-1-s.nextR]
			}
			s.nextR++
			if s.scan == nil {
				s.scan = s.index.NewScan(x.Task)
			}
			s.scan.SetTask(x.Task)
			s.scan.SetSerial(x.Snapshot.Serial)
			s.scan.Reset(r, s.backward, s.only != nil)
			s.active = true
			s.entries.Scans++
		}
		s.entries.begin(x)
		tids, err := s.nextEntries(x)
		s.entries.end(x)
		s.entries.Returned += int64(len(tids))
		if err != nil {
			return false, err
		}
		if len(tids) > 0 {
			s.tids, s.done = tids, 0
			return true, nil
		}
		s.active = false
	}
}

func (s *indexScan) close() {
	if s.scan != nil && s.active {
		s.active = false
		_ = s.scan.FlushKills() // hints only: the next scan finds the same entries dead
	}
	s.tids = nil
	s.count.tell()
	s.entries.tell()
}

// bitmapHeap fetches the rows whose addresses its source yields, in physical order.
type bitmapHeap struct {
	*rowSource
	source  plan.Bitmap
	scans   map[*plan.BitmapIndex]*bitmapIndex
	recheck []eval.Node
	tids    []base.TID
	done    int
	from    [vector.BatchSize]int32
	at      [vector.BatchSize]base.TID
	sel2    [vector.BatchSize]int32
}

type bitmapIndex struct {
	keys  *keyRanges
	index *btree.Index
	scan  *btree.Scan
	reads reads
}

func (in *Instance) bitmapHeap(p *plan.BitmapHeap) (operator, error) {
	r, err := in.rowSource(&p.Scan)
	if err != nil {
		return nil, err
	}
	s := &bitmapHeap{rowSource: r, source: p.Source, scans: map[*plan.BitmapIndex]*bitmapIndex{}}
	if s.recheck, err = in.c.All(p.Recheck); err != nil {
		return nil, err
	}
	return s, in.bitmapSource(p.Source, s, p.Rel)
}

func (in *Instance) bitmapSource(b plan.Bitmap, s *bitmapHeap, rel *relation.Desc) error {
	switch b := b.(type) {
	case *plan.BitmapIndex:
		k, err := in.keyRanges(b.Index, b.Conds)
		s.scans[b] = &bitmapIndex{keys: k, index: in.b.Index(b.Index, rel.Logged()), reads: in.reads(rel.File.Database, b.Index.OID)}
		return err
	case *plan.BitmapAnd:
		for _, c := range b.Sources {
			if err := in.bitmapSource(c, s, rel); err != nil {
				return err
			}
		}
	case *plan.BitmapOr:
		for _, c := range b.Sources {
			if err := in.bitmapSource(c, s, rel); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *bitmapHeap) open(x *Context) error {
	s.reset()
	s.once, s.done = false, 0
	if s.rechecked(x) {
		return nil
	}
	tids, err := s.collect(x, s.source)
	s.tids = tids
	return err
}

// collect gives the addresses of a source, ascending and without doubles.
func (s *bitmapHeap) collect(x *Context, b plan.Bitmap) ([]base.TID, error) {
	switch b := b.(type) {
	case *plan.BitmapIndex:
		return s.scans[b].collect(x)
	case *plan.BitmapAnd:
		var out []base.TID
		for i, c := range b.Sources {
			l, err := s.collect(x, c)
			if err != nil {
				return nil, err
			}
			if i == 0 {
				out = l
			} else {
				out = intersect(out, l)
			}
		}
		return out, nil
	case *plan.BitmapOr:
		var out []base.TID
		for _, c := range b.Sources {
			l, err := s.collect(x, c)
			if err != nil {
				return nil, err
			}
			out = append(out, l...)
		}
		return sortTIDs(out), nil
	}
	return nil, nil
}

func (b *bitmapIndex) collect(x *Context) ([]base.TID, error) {
	if err := b.keys.compute(x); err != nil {
		return nil, err
	}
	if b.scan == nil {
		b.scan = b.index.NewScan(x.Task)
	}
	b.scan.SetTask(x.Task)
	b.scan.SetSerial(x.Snapshot.Serial)
	var out []base.TID
	b.reads.begin(x)
	defer b.reads.end(x)
	for _, r := range b.keys.ranges {
		b.reads.Scans++
		b.scan.Reset(r, false, false)
		for {
			tids, err := b.scan.Next()
			if err != nil {
				return nil, err
			}
			if len(tids) == 0 {
				break
			}
			b.reads.Returned += int64(len(tids))
			out = append(out, tids...)
		}
	}
	return sortTIDs(out), nil
}

func sortTIDs(l []base.TID) []base.TID {
	sort.Slice(l, func(i, j int) bool { return l[i].Less(l[j]) })
	out := l[:0]
	for i, t := range l {
		if i == 0 || t != out[len(out)-1] {
			out = append(out, t)
		}
	}
	return out
}

func intersect(a, b []base.TID) []base.TID {
	out := a[:0]
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, a[i])
			i++
			j++
		case a[i].Less(b[j]):
			i++
		default:
			j++
		}
	}
	return out
}

func (s *bitmapHeap) next(x *Context, want int) (*vector.Batch, error) {
	if s.rechecked(x) {
		return s.pull(x, want, func(x *Context, _ int) (*vector.Batch, error) {
			b, err := s.recheckRow(x)
			if b == nil || err != nil {
				return nil, err
			}
			return s.checked(x, b)
		})
	}
	return s.pull(x, want, s.read)
}

func (s *bitmapHeap) checked(x *Context, b *vector.Batch) (*vector.Batch, error) {
	s.frame.Env, s.frame.Outer = x.Eval, b
	sel, err := eval.Filter(&s.frame, s.recheck, b.Sel, b.N, s.sel2[:])
	if err != nil {
		s.failed = err
	}
	b.Sel = sel
	return b, nil
}

func (s *bitmapHeap) read(x *Context, want int) (*vector.Batch, error) {
	return fetchList(x, s.rowSource, s.table.FetchBatch, s.tids, &s.done, want, s.from[:], s.at[:], s.checked)
}

func (s *bitmapHeap) close() {
	s.tids = nil
	s.count.tell()
	for _, b := range s.scans {
		b.reads.tell()
	}
}

// fetcher is heap.Table's FetchBatch or FetchVersions.
type fetcher func(*mvcc.View, []base.TID, *vector.Batch, []int, []int32, []base.TID) (int, error)

// fetchList fetches the next rows of a list of addresses.
func fetchList(x *Context, r *rowSource, fetch fetcher, tids []base.TID, done *int, want int, from []int32, at []base.TID,
	check func(*Context, *vector.Batch) (*vector.Batch, error)) (*vector.Batch, error) {
	for *done < len(tids) {
		chunk := tids[*done:min(len(tids), *done+min(want, vector.BatchSize))]
		*done += len(chunk)
		r.count.begin(x)
		n, err := fetch(&x.view, chunk, &r.batch, r.cols, from, at)
		r.count.end(x)
		r.count.Fetched += int64(n)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		r.batch.N, r.batch.Sel = n, nil
		r.finish()
		b, err := check(x, &r.batch)
		if err != nil || b.Live() > 0 || r.failed != nil {
			return b, err
		}
	}
	return nil, nil
}

// tidScan fetches rows by address.
type tidScan struct {
	*rowSource
	exprs  []eval.Node
	array  bool
	cursor string
	tids   []base.TID
	done   int
	from   [vector.BatchSize]int32
	at     [vector.BatchSize]base.TID
}

func (in *Instance) tidScan(p *plan.TidScan) (operator, error) {
	r, err := in.rowSource(&p.Scan)
	if err != nil {
		return nil, err
	}
	s := &tidScan{rowSource: r, array: p.Array, cursor: p.Cursor}
	s.exprs, err = in.c.All(p.TIDs)
	return s, err
}

func (s *tidScan) open(x *Context) error {
	s.reset()
	s.once, s.done, s.tids = false, 0, s.tids[:0]
	if s.rechecked(x) {
		return nil
	}
	if s.cursor != "" {
		tid, ok, err := x.Cursors.CurrentRow(s.cursor, s.table.Desc.OID)
		if ok && err == nil {
			tid, err = s.newest(x, tid)
			s.tids = append(s.tids, tid)
		}
		return err
	}
	blocks, err := s.table.Blocks()
	if err != nil {
		return err
	}
	add := func(d types.Datum) {
		if t := base.UnpackTID(uint64(d.I)); !d.Null && t.Valid() && t.Block < blocks {
			s.tids = append(s.tids, t)
		}
	}
	s.frame.Env = x.Eval
	for _, e := range s.exprs {
		v, err := e.Eval(&s.frame, nil, 1)
		if err != nil {
			return err
		}
		d := v.Get(0)
		if !s.array {
			add(d)
			continue
		}
		if !d.Null {
			a := types.OpenArray(d)
			for i := range a.Len() {
				add(a.At(i))
			}
		}
	}
	s.tids = sortTIDs(s.tids)
	return nil
}

// newest gives the newest version, of the row whose version at tid a cursor has read, that this execution sees.
func (s *tidScan) newest(x *Context, tid base.TID) (base.TID, error) {
	seen := tid
	for {
		row, err := s.table.FetchVersion(x.Task, tid, &s.buf)
		if err != nil || row == nil {
			return seen, err
		}
		if ok, _ := x.view.Visible(row); ok {
			seen = tid
		}
		next := row.CTID()
		if next == tid || row.Xmax() == 0 || row.Mask()&(tuple.XmaxInvalid|tuple.XmaxLockOnly) != 0 {
			return seen, nil
		}
		tid = next
	}
}

func (s *tidScan) next(x *Context, want int) (*vector.Batch, error) {
	if s.rechecked(x) {
		return s.pull(x, want, func(x *Context, _ int) (*vector.Batch, error) { return s.recheckRow(x) })
	}
	return s.pull(x, want, s.read)
}

// read fetches exactly the named versions: a newer one on the same page is another address.
func (s *tidScan) read(x *Context, want int) (*vector.Batch, error) {
	return fetchList(x, s.rowSource, s.table.FetchVersions, s.tids, &s.done, want, s.from[:], s.at[:],
		func(_ *Context, b *vector.Batch) (*vector.Batch, error) { return b, nil })
}

func (s *tidScan) close() { s.count.tell() }
