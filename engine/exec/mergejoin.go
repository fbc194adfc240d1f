package exec

import (
	"bytes"

	"manifold/engine/base"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// mergeJoin joins inputs that are sorted by their keys: it keeps the right rows of one key and pairs them with every left
// row of that key.
type mergeJoin struct {
	*joiner
	keys     []plan.MergeKey
	typs     []base.OID
	l, r     mergeSide
	group    rowStore // the right rows of groupKey
	groupKey []byte
	has      bool
	matched  []bool
	at       int // of group, for the left row at hand
	pairing  bool
	found    bool
	emitting bool
	lanes    [vector.BatchSize]int32
}

// mergeSide reads one input row by row with its key.
type mergeSide struct {
	op    operator
	cols  []int
	batch *vector.Batch
	at    int
	key   []byte
	null  bool
	done  bool
}

func (in *Instance) mergeJoin(p *plan.MergeJoin) (operator, error) {
	j, err := in.joiner(&p.Join)
	if err != nil {
		return nil, err
	}
	m := &mergeJoin{joiner: j, keys: p.Keys}
	for _, k := range p.Keys {
		m.typs = append(m.typs, hashType(p.Left.Common().Out[k.Left].Type, p.Right.Common().Out[k.Right].Type))
		m.l.cols, m.r.cols = append(m.l.cols, k.Left), append(m.r.cols, k.Right)
	}
	m.l.op, m.r.op = j.left, j.right
	return m, nil
}

func (m *mergeJoin) open(x *Context) error {
	m.reset()
	m.has, m.pairing, m.emitting = false, false, false
	m.group.init(m.rvar, x)
	for _, s := range []*mergeSide{&m.l, &m.r} {
		s.batch, s.at, s.done = nil, 0, false
		if err := s.op.open(x); err != nil {
			return err
		}
	}
	if err := m.advance(x, &m.l); err != nil {
		return err
	}
	return m.advance(x, &m.r)
}

// advance moves a side to its next row.
func (m *mergeJoin) advance(x *Context, s *mergeSide) error {
	s.at++
	if s.batch == nil || s.at >= s.batch.Live() {
		b, err := s.op.next(x, vector.BatchSize)
		if err != nil {
			return err
		}
		s.batch, s.at = b, 0
		if b == nil {
			s.done = true
			return nil
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
	}
	i := s.batch.Lane(s.at)
	s.key, s.null = s.key[:0], false
	var err error
	for n, c := range s.cols {
		d := s.batch.Cols[c].Get(i)
		s.null = s.null || d.Null
		if s.key, err = types.AppendKey(s.key, m.typs[n], d, m.keys[n].Descending, m.keys[n].NullsFirst); err != nil {
			return err
		}
	}
	return nil
}

func (m *mergeJoin) next(x *Context, want int) (*vector.Batch, error) {
	if m.failed != nil {
		return nil, m.pending()
	}
	for {
		b, done, err := m.step(x, min(want, vector.BatchSize))
		if b != nil || done || err != nil {
			return b, err
		}
	}
}

// step makes one move: it pairs the left row with the next rows of the group, or reads on.
func (m *mergeJoin) step(x *Context, want int) (b *vector.Batch, done bool, err error) {
	switch {
	case m.emitting:
		b, err = m.loneGroup(x, want)
		return b, false, err
	case m.pairing:
		b, err = m.pair(x, want)
		return b, false, err
	case m.l.done:
		if m.has {
			m.endGroup()
			return nil, false, nil
		}
		if m.r.done || !m.loneRight() {
			return nil, true, nil
		}
		return nil, false, m.readGroup(x)
	}
	if m.has {
		switch c := bytes.Compare(m.l.key, m.groupKey); {
		case c == 0 && !m.l.null:
			m.pairing, m.at, m.found = true, 0, false
			return nil, false, nil
		case c > 0:
			m.endGroup()
			return nil, false, nil
		default:
			b, err = m.loneLeftRow(x)
			return b, false, err
		}
	}
	if m.r.done {
		if !m.loneLeft() {
			return nil, true, nil
		}
		b, err = m.loneLeftRow(x)
		return b, false, err
	}
	return nil, false, m.readGroup(x)
}

// readGroup collects the right rows of the next key.
func (m *mergeJoin) readGroup(x *Context) error {
	m.group.init(m.rvar, x)
	m.matched = m.matched[:0]
	m.groupKey = append(m.groupKey[:0], m.r.key...)
	m.has = true
	for !m.r.done && bytes.Equal(m.r.key, m.groupKey) {
		if err := m.group.add(m.r.batch, m.r.batch.Lane(m.r.at)); err != nil {
			return err
		}
		m.matched = append(m.matched, false)
		if err := m.advance(x, &m.r); err != nil {
			return err
		}
	}
	return nil
}

// endGroup leaves the group; its rows without a partner may be part of the result.
func (m *mergeJoin) endGroup() {
	m.has = false
	if m.loneRight() {
		m.emitting, m.at = true, 0
	}
}

// pair joins the left row with the next rows of the group.
func (m *mergeJoin) pair(x *Context, want int) (*vector.Batch, error) {
	n := min(want, m.group.len()-m.at)
	if n <= 0 {
		m.pairing = false
		if !m.found && m.loneLeft() {
			return m.loneLeftRow(x)
		}
		return nil, m.advance(x, &m.l)
	}
	resetBatch(&m.rb, m.rvar, n)
	for i := range n {
		if err := m.group.load(m.at+i, m.rb.Cols, i); err != nil {
			return nil, err
		}
		m.lanes[i] = int32(m.l.batch.Lane(m.l.at))
	}
	gather(&m.lb, m.l.batch, m.lvar, m.lanes[:n])
	start := m.at
	m.at += n
	sel, err := m.matching(x, n)
	if err != nil {
		return nil, err
	}
	if sel != nil && len(sel) == 0 {
		return nil, nil
	}
	m.found = true
	if m.loneRight() {
		for i := range n {
			if sel == nil {
				m.matched[start+i] = true
			}
		}
		for _, i := range sel {
			m.matched[start+int(i)] = true
		}
	}
	switch m.kind {
	case query.JoinAnti:
		m.at = m.group.len()
		return nil, nil
	case query.JoinSemi:
		m.at = m.group.len()
		m.keep[0] = 0
		if sel != nil {
			m.keep[0] = sel[0]
		}
		return m.output(x, m.keep[:1])
	}
	return m.output(x, sel)
}

// loneLeftRow gives the left row without a partner, if the join wants it, and moves on.
func (m *mergeJoin) loneLeftRow(x *Context) (*vector.Batch, error) {
	if !m.loneLeft() {
		return nil, m.advance(x, &m.l)
	}
	m.lanes[0] = int32(m.l.batch.Lane(m.l.at))
	gather(&m.lb, m.l.batch, m.lvar, m.lanes[:1])
	nulls(&m.rb, m.rvar, 1)
	if err := m.advance(x, &m.l); err != nil {
		return nil, err
	}
	return m.output(x, nil)
}

// loneGroup gives the rows of the group that found no partner.
func (m *mergeJoin) loneGroup(x *Context, want int) (*vector.Batch, error) {
	resetBatch(&m.rb, m.rvar, want)
	n := 0
	for ; m.at < m.group.len() && n < want; m.at++ {
		if m.matched[m.at] {
			continue
		}
		if err := m.group.load(m.at, m.rb.Cols, n); err != nil {
			return nil, err
		}
		n++
	}
	if m.at >= m.group.len() {
		m.emitting = false
	}
	if n == 0 {
		return nil, nil
	}
	trim(&m.rb, n)
	nulls(&m.lb, m.lvar, n)
	return m.output(x, nil)
}

func (m *mergeJoin) close() {
	m.left.close()
	m.right.close()
	m.group.clear()
}
