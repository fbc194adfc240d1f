package exec

import (
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// rowSource is what the scans of a relation share: which columns are read, and how a re-check replaces them.
type rowSource struct {
	*emitter
	table   *heap.Table
	rte     int
	attrs   []int
	cols    []int // as heap wants them; a whole row reads all its columns behind the others
	batch   vector.Batch
	whole   int // position of the whole row in attrs, -1 for none
	live    []int
	record  []byte
	values  []types.Field
	rowType base.OID
	buf     []byte
	once    bool // a re-check's one row has been given
	tid     base.TID
	count   reads
}

func (in *Instance) rowSource(s *plan.Scan) (*rowSource, error) {
	e, err := in.emitter(&s.Base)
	if err != nil {
		return nil, err
	}
	r := &rowSource{emitter: e, table: in.b.Table(s.Rel), rte: s.RTE, attrs: s.Attrs, rowType: s.Rel.RowType, whole: -1,
		count: in.reads(s.Rel.File.Database, s.Rel.OID)}
	for i, a := range s.Attrs {
		switch {
		case a > 0:
			r.cols = append(r.cols, a-1)
		case a == 0:
			r.whole = i
			r.cols = append(r.cols, heap.ColCTID) // a place holder, replaced by the record
		default:
			r.cols = append(r.cols, a)
		}
	}
	if r.whole >= 0 {
		for i := range s.Rel.Columns {
			c := &s.Rel.Columns[i]
			if c.Dropped {
				r.values = append(r.values, types.Field{Value: types.Null})
				continue
			}
			r.live = append(r.live, i)
			r.cols = append(r.cols, i)
			r.values = append(r.values, types.Field{Type: c.Type, Typmod: c.Typmod})
		}
	}
	r.batch.Cols = make([]vector.Vector, len(r.cols))
	return r, nil
}

// finish builds the whole-row column of a batch that the heap filled.
func (r *rowSource) finish() {
	if r.whole < 0 {
		return
	}
	v := &r.batch.Cols[r.whole]
	v.Reset(true, r.batch.N)
	base := len(r.attrs)
	for i := range r.batch.N {
		for k, at := range r.live {
			r.values[at].Value = r.batch.Cols[base+k].Get(i)
		}
		r.record = types.AppendRow(r.record[:0], r.rowType, nil, r.values)
		v.SetBytes(i, r.record)
	}
}

// rechecked tells whether this scan is replaced by one row of a re-check.
func (r *rowSource) rechecked(x *Context) bool {
	if x.recheck == nil {
		return false
	}
	_, ok := x.recheck[r.rte]
	return ok
}

// recheckRow gives the one row of a re-check, by its address, whoever sees it.
func (r *rowSource) recheckRow(x *Context) (*vector.Batch, error) {
	if r.once {
		return nil, nil
	}
	r.once = true
	row := x.recheck[r.rte]
	if row.null {
		return nil, nil
	}
	tup, err := r.table.FetchVersion(x.Task, row.tid, &r.buf)
	if tup == nil || err != nil {
		return nil, err
	}
	for k, c := range r.cols {
		v := &r.batch.Cols[k]
		v.Reset(c >= 0 && r.table.Layout.Variable(c), 1)
		if c >= 0 {
			d, err := r.table.Value(x.Task, r.table.Layout.Get(tup, c))
			if err != nil {
				return nil, err
			}
			v.Set(0, d)
		} else {
			v.Fixed[0] = r.table.System(tup, row.tid, c)
		}
	}
	r.batch.N = 1
	r.batch.Sel = nil
	r.finish()
	return &r.batch, nil
}

// seqScan reads a table page by page.
type seqScan struct {
	*rowSource
	scan     heap.Scan
	sequence bool // a sequence is one row, which its own mechanism keeps
}

func (in *Instance) seqScan(p *plan.SeqScan) (operator, error) {
	r, err := in.rowSource(&p.Scan)
	return &seqScan{rowSource: r, sequence: p.Rel.Kind == relation.KindSequence}, err
}

func (s *seqScan) open(x *Context) error {
	s.reset()
	s.once = false
	if s.rechecked(x) || s.sequence {
		return nil
	}
	s.scan.GiveWay()
	s.count.Scans++
	return s.scan.Reset(s.table, x.view)
}

func (s *seqScan) next(x *Context, want int) (*vector.Batch, error) {
	if s.rechecked(x) {
		return s.pull(x, want, func(x *Context, _ int) (*vector.Batch, error) { return s.recheckRow(x) })
	}
	if s.sequence {
		return s.pull(x, want, s.readSequence)
	}
	return s.pull(x, want, s.read)
}

// readSequence gives the row of a sequence: last_value, log_cnt, is_called.
func (s *seqScan) readSequence(x *Context, _ int) (*vector.Batch, error) {
	if s.once {
		return nil, nil
	}
	s.once = true
	st, err := x.Sequences.Read(x.Task, s.table.Desc)
	if err != nil {
		return nil, err
	}
	row := [...]types.Datum{types.Int(st.Last), types.Int(st.Ahead), types.Bool(st.Called)}
	for k, c := range s.cols {
		v := &s.batch.Cols[k]
		v.Reset(false, 1)
		switch {
		case c >= 0 && c < len(row):
			v.Fixed[0] = row[c].I
		case c == heap.ColTableOID:
			v.Fixed[0] = int64(s.table.Desc.OID)
		default:
			v.Fixed[0] = 0
		}
	}
	s.batch.N, s.batch.Sel = 1, nil
	s.finish()
	return &s.batch, nil
}

func (s *seqScan) read(x *Context, want int) (*vector.Batch, error) {
	s.count.begin(x)
	n, err := s.scan.Next(want, &s.batch, s.cols)
	s.count.end(x)
	s.count.Returned += int64(n)
	if err != nil || n == 0 {
		return nil, err
	}
	s.batch.N, s.batch.Sel = n, nil
	s.finish()
	return &s.batch, nil
}

func (s *seqScan) close() { s.count.tell() }
