package exec

import (
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// indexOnly reads the columns of rows from the index, where the visibility map says that everybody sees the row.
type indexOnly struct {
	index    *relation.Index
	vm       *heap.MapReader
	keyOf    []int // of each column read: its place among the keys, -1 for none
	included []int // and among the included columns
	last     int   // keys to decode
	keys     []types.Datum
	fields   []types.Field
}

func newIndexOnly(t *heap.Table, ix *relation.Index, cols []int) *indexOnly {
	o := &indexOnly{index: ix, vm: t.NewMapReader()}
	for _, c := range cols {
		key, inc := -1, -1
		for i, k := range ix.Keys {
			if int(k.Attr) == c+1 {
				key, o.last = i, max(o.last, i+1)
				break
			}
		}
		for i, a := range ix.Included {
			if int(a) == c+1 && key < 0 {
				inc = i
			}
		}
		o.keyOf, o.included = append(o.keyOf, key), append(o.included, inc)
	}
	o.keys = make([]types.Datum, o.last)
	return o
}

// nextEntries reads the next leaf, and with it what the visibility map says of its entries.
func (s *indexScan) nextEntries(x *Context) ([]base.TID, error) {
	if s.only == nil {
		return s.scan.Next()
	}
	if err := s.only.vm.Prepare(x.Task); err != nil {
		return nil, err
	}
	defer s.only.vm.Release()
	s.scan.UseMap(s.only.vm)
	return s.scan.Next()
}

// fetch reads the rows of the chunk that are visible. It declines when the map vouches for none of them, or a SERIALIZABLE
// transaction reads them: then all are read from the table, which is faster page by page.
func (o *indexOnly) fetch(s *indexScan, x *Context, chunk []base.TID) (n int, ok bool, err error) {
	known := 0
	if x.Snapshot.Serial != nil { // a row read from the index alone could change before it is locked
		return 0, false, nil
	}
	for i := range chunk {
		if s.scan.Visible(s.done + i) {
			known++
		}
	}
	if s.instr != nil {
		s.instr.HeapFetches += int64(len(chunk) - known)
	}
	if known == 0 {
		return 0, false, nil
	}
	for k, c := range s.cols {
		s.batch.Cols[k].Reset(s.table.Layout.Variable(c), len(chunk))
	}
	for i, tid := range chunk {
		if !s.scan.Visible(s.done + i) {
			f, err := s.table.Fetch(&x.view, tid, &s.miss)
			if err != nil {
				return 0, false, err
			}
			if f.Row == nil {
				continue
			}
		}
		if err := o.decode(s, i, n); err != nil {
			return 0, false, err
		}
		s.from[n], s.at[n] = int32(i), tid
		n++
	}
	heap.TrimColumns(&s.batch, s.cols, n)
	return n, true, nil
}

// decode writes row n of the batch from the entry at hand.
func (o *indexOnly) decode(s *indexScan, i, n int) error {
	if len(o.keyOf) == 0 {
		return nil
	}
	key := s.scan.Key(s.done + i)
	var err error
	for k := range o.keys {
		c := &o.index.Keys[k]
		if o.keys[k], key, err = types.DecodeKey(key, c.Type, c.Descending, c.NullsFirst); err != nil {
			return err
		}
	}
	o.fields = o.fields[:0]
	for k := range o.keyOf {
		switch {
		case o.keyOf[k] >= 0:
			s.batch.Cols[k].Set(n, o.keys[o.keyOf[k]])
		default:
			if len(o.fields) == 0 {
				o.fields = types.AppendFields(o.fields, types.Datum{B: s.scan.Payload(s.done + i)})
			}
			if o.included[k] >= len(o.fields) {
				return pgerror.Newf(pgerror.IndexCorrupted, "index \"%s\" holds a short payload", o.index.Name)
			}
			s.batch.Cols[k].Set(n, o.fields[o.included[k]].Value)
		}
	}
	return nil
}
