package eval

import (
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func (c *Compiler) boolean(e *query.BoolExpr) (Node, error) {
	args, err := c.All(e.Args)
	if err != nil {
		return nil, err
	}
	if e.Op == query.Not {
		return &not{arg: args[0]}, nil
	}
	return &connective{args: args, or: e.Op == query.Or}, nil
}

type not struct {
	arg Node
	out vector.Vector
}

func (x *not) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	if v.HasNulls {
		x.out.HasNulls, x.out.Nulls = true, v.Nulls
	}
	for i := range n {
		x.out.Fixed[i] = 1 - v.Fixed[i]&1
	}
	return &x.out, nil
}

// connective is AND or OR: an argument is computed only for the lanes that the ones before left open.
type connective struct {
	args []Node
	or   bool
	out  vector.Vector
	open [2]selection
}

func (x *connective) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	x.out.Reset(false, n)
	decided := int64(0) // the value that decides: false for AND, true for OR
	if x.or {
		decided = 1
	}
	for i := range n {
		x.out.Fixed[i] = 1 - decided
	}
	for k, a := range x.args {
		v, err := a.Eval(f, sel, n)
		if err != nil {
			return nil, err
		}
		next := x.open[k&1].reset()
		visit := func(i int) {
			switch {
			case v.IsNull(i):
				x.out.SetNull(i)
				next = append(next, int32(i))
			case v.Fixed[i] == decided:
				x.out.Fixed[i] = decided
				if x.out.HasNulls {
					x.out.Nulls[i>>6] &^= 1 << (i & 63)
				}
			default:
				next = append(next, int32(i))
			}
		}
		if sel == nil {
			for i := range n {
				visit(i)
			}
		} else {
			for _, i := range sel {
				visit(int(i))
			}
		}
		x.open[k&1].lanes = next
		if sel = next; len(sel) == 0 {
			break
		}
	}
	return &x.out, nil
}

func (c *Compiler) nullTest(e *query.NullTest) (Node, error) {
	return unary(c, e.Arg, func(a Node) Node { return &nullTest{arg: a, not: e.Not, row: e.Row} })
}

type nullTest struct {
	arg      Node
	not, row bool
	out      vector.Vector
}

func (x *nullTest) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	err = each(sel, n, func(i int) error {
		is := v.IsNull(i)
		if x.row && !is {
			is = x.rowTest(v.Get(i))
		} else if x.not {
			is = !is
		}
		x.out.Fixed[i] = types.Bool(is).I
		return nil
	})
	return &x.out, err
}

// rowTest is IS [NOT] NULL of a row that is not null itself: true when all fields are [not] null.
func (x *nullTest) rowTest(d types.Datum) bool {
	for _, fl := range types.OpenRecord(d) {
		if fl.Value.Null == x.not {
			return false
		}
	}
	return true
}

type booleanTest struct {
	arg  Node
	want byte
	not  bool
	out  vector.Vector
}

func (x *booleanTest) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	err = each(sel, n, func(i int) error {
		var is bool
		switch null := v.IsNull(i); x.want {
		case 't':
			is = !null && v.Fixed[i] != 0
		case 'f':
			is = !null && v.Fixed[i] == 0
		default:
			is = null
		}
		x.out.Fixed[i] = types.Bool(is != x.not).I
		return nil
	})
	return &x.out, err
}

func (c *Compiler) distinct(e *query.DistinctExpr) (Node, error) {
	eq, err := c.call(e.Func, e.Args, types.OIDBool, e.Strict, e.Volatile, e.InColl, false)
	if err != nil {
		return nil, err
	}
	return &distinct{eq: eq.(*function), not: e.Not}, nil
}

// distinct is IS [NOT] DISTINCT FROM: equality that takes two nulls for equal.
type distinct struct {
	eq  *function
	not bool
	out vector.Vector
}

func (x *distinct) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	x.eq.constant = false
	v, err := x.eq.eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	l, r := x.eq.columns[0], x.eq.columns[1]
	err = each(sel, n, func(i int) error {
		differ := true
		switch ln, rn := l.IsNull(i), r.IsNull(i); {
		case ln && rn:
			differ = false
		case !ln && !rn:
			differ = v.Fixed[i] == 0
		}
		x.out.Fixed[i] = types.Bool(differ != x.not).I
		return nil
	})
	return &x.out, err
}

func (c *Compiler) nullIf(e *query.NullIf) (Node, error) {
	eq, err := c.call(e.Func, e.Args, types.OIDBool, e.Strict, e.Volatile, e.InColl, false)
	if err != nil {
		return nil, err
	}
	eq.(*function).constant = false
	return &nullIf{eq: eq.(*function), variable: !c.Fixed(e.Typ)}, nil
}

type nullIf struct {
	eq       *function
	variable bool
	out      vector.Vector
}

func (x *nullIf) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.eq.eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(x.variable, n)
	l := x.eq.columns[0]
	err = each(sel, n, func(i int) error {
		if l.IsNull(i) || !v.IsNull(i) && v.Fixed[i] != 0 {
			x.out.Set(i, types.Null)
		} else {
			x.out.Set(i, l.Get(i))
		}
		return nil
	})
	return &x.out, err
}

// branch computes one node for some lanes into a shared output.
func branch(f *Frame, node Node, sel []int32, n int, out *vector.Vector) error {
	if len(sel) == 0 {
		return nil
	}
	v, err := node.Eval(f, sel, n)
	if err != nil {
		return err
	}
	for _, i := range sel {
		out.Set(int(i), v.Get(int(i)))
	}
	return nil
}

// whole gives sel as a list even when it stands for all lanes.
func whole(sel []int32, n int, s *selection) []int32 {
	if sel != nil {
		return sel
	}
	l := s.reset()
	for i := range n {
		l = append(l, int32(i))
	}
	s.lanes = l
	return l
}

type coalesce struct {
	args     []Node
	variable bool
	out      vector.Vector
	all      selection
	open     [2]selection
}

func (x *coalesce) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	x.out.Reset(x.variable, n)
	sel = whole(sel, n, &x.all)
	for k, a := range x.args {
		if len(sel) == 0 {
			return &x.out, nil
		}
		v, err := a.Eval(f, sel, n)
		if err != nil {
			return nil, err
		}
		next := x.open[k&1].reset()
		for _, i := range sel {
			if v.IsNull(int(i)) {
				next = append(next, i)
			} else {
				x.out.Set(int(i), v.Get(int(i)))
			}
		}
		x.open[k&1].lanes = next
		sel = next
	}
	for _, i := range sel {
		x.out.Set(int(i), types.Null)
	}
	return &x.out, nil
}

func (c *Compiler) caseExpr(e *query.Case) (Node, error) {
	x := &caseNode{variable: !c.Fixed(e.Typ)}
	var err error
	if e.Arg != nil {
		if x.arg, err = c.Compile(e.Arg); err != nil {
			return nil, err
		}
		x.reg = &register{}
	}
	for _, w := range e.Whens {
		saved := c.caseArg
		if x.reg != nil {
			c.caseArg = x.reg
		}
		cond, err := c.Compile(w.Cond)
		c.caseArg = saved
		if err != nil {
			return nil, err
		}
		res, err := c.Compile(w.Result)
		if err != nil {
			return nil, err
		}
		x.conds, x.results = append(x.conds, cond), append(x.results, res)
	}
	x.otherwise, err = c.Compile(e.Else)
	return x, err
}

type caseNode struct {
	arg       Node
	reg       *register
	conds     []Node
	results   []Node
	otherwise Node
	variable  bool
	out       vector.Vector
	all       selection
	open      [2]selection
	hit       selection
}

func (x *caseNode) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	x.out.Reset(x.variable, n)
	sel = whole(sel, n, &x.all)
	if x.arg != nil {
		v, err := x.arg.Eval(f, sel, n)
		if err != nil {
			return nil, err
		}
		x.reg.col = v
	}
	for k, cond := range x.conds {
		if len(sel) == 0 {
			return &x.out, nil
		}
		v, err := cond.Eval(f, sel, n)
		if err != nil {
			return nil, err
		}
		hit, next := x.hit.reset(), x.open[k&1].reset()
		for _, i := range sel {
			if v.Fixed[i] != 0 && !v.IsNull(int(i)) {
				hit = append(hit, i)
			} else {
				next = append(next, i)
			}
		}
		x.hit.lanes, x.open[k&1].lanes = hit, next
		if err := branch(f, x.results[k], hit, n, &x.out); err != nil {
			return nil, err
		}
		sel = next
	}
	return &x.out, branch(f, x.otherwise, sel, n, &x.out)
}
