package exec

import (
	"manifold/engine/base"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// keyer gives the normal form of some columns of a row.
type keyer struct {
	keys []plan.SortKey
	typs []base.OID
	buf  []byte
}

func newKeyer(keys []plan.SortKey, child plan.Node) keyer {
	k := keyer{keys: keys}
	for _, c := range keys {
		k.typs = append(k.typs, child.Common().Out[c.Column].Type)
	}
	return k
}

func (k *keyer) of(b *vector.Batch, i int) ([]byte, error) {
	k.buf = k.buf[:0]
	var err error
	for n, c := range k.keys {
		if k.buf, err = types.AppendKey(k.buf, k.typs[n], b.Cols[c.Column].Get(i), false, false); err != nil {
			return nil, err
		}
	}
	return k.buf, nil
}

// uniqueOp drops rows equal to the one before.
type uniqueOp struct {
	*emitter
	child operator
	key   keyer
	last  []byte
	some  bool
}

func (in *Instance) uniqueOp(p *plan.Unique) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	u := &uniqueOp{emitter: e, key: newKeyer(p.Keys, p.Child)}
	u.child, err = in.build(p.Child)
	return u, err
}

func (u *uniqueOp) open(x *Context) error {
	u.reset()
	u.some = false
	return u.child.open(x)
}

func (u *uniqueOp) next(x *Context, want int) (*vector.Batch, error) {
	return u.pull(x, want, func(x *Context, want int) (*vector.Batch, error) {
		for {
			b, err := u.child.next(x, want)
			if b == nil || err != nil {
				return nil, err
			}
			sel := b.SelBuffer()
			for k := range b.Live() {
				i := b.Lane(k)
				key, err := u.key.of(b, i)
				if err != nil {
					return nil, err
				}
				if u.some && string(key) == string(u.last) {
					continue
				}
				u.some, u.last = true, append(u.last[:0], key...)
				sel = append(sel, int32(i))
			}
			if len(sel) > 0 {
				b.Sel = sel
				return b, nil
			}
		}
	})
}

func (u *uniqueOp) close() { u.child.close() }

// setOp computes INTERSECT and EXCEPT, plain or ALL, by counting equal rows of both sides.
type setOp struct {
	*emitter
	plan        *plan.SetOp
	left, right operator
	variable    []bool
	key         keyer
	groups      map[string]int
	counts      [][2]int64
	rows        rowStore
	ready       bool
	at          int
	repeat      int64
	batch       vector.Batch
}

func (in *Instance) setOp(p *plan.SetOp) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	s := &setOp{emitter: e, plan: p, variable: variables(p.Left), key: newKeyer(p.Keys, p.Left)}
	if s.left, err = in.build(p.Left); err != nil {
		return nil, err
	}
	s.right, err = in.build(p.Right)
	return s, err
}

func (s *setOp) open(x *Context) error {
	s.reset()
	s.groups, s.counts, s.ready, s.at, s.repeat = map[string]int{}, nil, false, 0, 0
	s.rows.init(s.variable, x)
	if err := s.left.open(x); err != nil {
		return err
	}
	return s.right.open(x)
}

func (s *setOp) count(x *Context, op operator, side int) error {
	for {
		b, err := op.next(x, vector.BatchSize)
		if b == nil || err != nil {
			return err
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		for k := range b.Live() {
			i := b.Lane(k)
			key, err := s.key.of(b, i)
			if err != nil {
				return err
			}
			g, ok := s.groups[string(key)]
			if !ok {
				if side == 1 {
					continue // only rows of the left side come out
				}
				g = len(s.counts)
				s.groups[string(key)] = g
				s.counts = append(s.counts, [2]int64{})
				if err := s.rows.add(b, i); err != nil {
					return err
				}
			}
			s.counts[g][side]++
		}
	}
}

func (s *setOp) next(x *Context, want int) (*vector.Batch, error) {
	if !s.ready {
		if err := s.count(x, s.left, 0); err != nil {
			return nil, err
		}
		if err := s.count(x, s.right, 1); err != nil {
			return nil, err
		}
		s.ready = true
	}
	return s.pull(x, want, s.read)
}

// times gives how often a group comes out.
func (s *setOp) times(c [2]int64) int64 {
	switch {
	case s.plan.Kind == query.Intersect && s.plan.All:
		return min(c[0], c[1])
	case s.plan.Kind == query.Intersect:
		return min(c[0], c[1], 1)
	case s.plan.All:
		return max(c[0]-c[1], 0)
	case c[1] == 0:
		return 1
	}
	return 0
}

func (s *setOp) read(_ *Context, want int) (*vector.Batch, error) {
	want = min(want, vector.BatchSize)
	resetBatch(&s.batch, s.variable, want)
	n := 0
	for n < want && s.at < len(s.counts) {
		if s.repeat >= s.times(s.counts[s.at]) {
			s.at++
			s.repeat = 0
			continue
		}
		if err := s.rows.load(s.at, s.batch.Cols, n); err != nil {
			return nil, err
		}
		s.repeat++
		n++
	}
	if n == 0 {
		return nil, nil
	}
	trim(&s.batch, n)
	return &s.batch, nil
}

func (s *setOp) close() {
	s.left.close()
	s.right.close()
	s.rows.clear()
	s.groups = nil
}
