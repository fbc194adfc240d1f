package exec

import (
	"manifold/engine/builtins"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// setFunc is a call of a function in FROM or of a set-returning function in a target list.
type setFunc struct {
	entry   builtins.Entry
	args    []eval.Node
	call    *query.FuncExpr
	defined []types.Attribute
	scalar  eval.Node // not a set: an expression that gives one value
	values  []types.Datum
	iter    builtins.Iterator
	done    bool
}

func (in *Instance) setFunc(e query.Expr) (*setFunc, error) {
	f, ok := e.(*query.FuncExpr)
	if !ok || !f.RetSet {
		n, err := in.c.Compile(e)
		return &setFunc{scalar: n}, err
	}
	s := &setFunc{call: f, defined: eval.Attributes(f.Columns)}
	if s.entry, ok = in.b.Lookup(f.Func); !ok || s.entry.Set == nil {
		return nil, pgerror.Unsupported("function %s", in.b.Name(f.Func))
	}
	var err error
	s.args, err = in.c.All(f.Args)
	s.values = make([]types.Datum, len(s.args))
	return s, err
}

// start evaluates the arguments for a lane and begins the set.
func (s *setFunc) start(x *Context, f *eval.Frame, lane, n int) error {
	s.done, s.iter = false, nil
	if s.call == nil {
		return nil
	}
	one := []int32{int32(lane)}
	for i, a := range s.args {
		v, err := a.Eval(f, one, n)
		if err != nil {
			return err
		}
		s.values[i] = v.Get(lane).Clone()
		if s.values[i].Null && s.call.Strict {
			s.done = true
			return nil
		}
	}
	s.context(x)
	it, err := s.entry.Set(x.Eval.Ctx, s.values)
	s.iter = it
	return err
}

func (s *setFunc) context(x *Context) {
	ctx := x.Eval.Ctx
	ctx.Collation, ctx.Result, ctx.Columns = s.call.InColl, s.call.Typ, s.defined
	ctx.ArgTypes = ctx.ArgTypes[:0:0]
	for _, a := range s.call.Args {
		ctx.ArgTypes = append(ctx.ArgTypes, a.Type())
	}
}

// next gives the next value; false at the end.
func (s *setFunc) next(x *Context) (types.Datum, bool, error) {
	if s.done || s.iter == nil {
		return types.Null, false, nil
	}
	s.context(x)
	d, ok, err := s.iter.Next(x.Eval.Ctx)
	if !ok || err != nil {
		s.done = true
	}
	return d, ok, err
}

// functionScan runs functions in FROM side by side.
type functionScan struct {
	*emitter
	funcs    []*setFunc
	widths   []int
	spread   []bool // the columns are fields of a row that the function gives
	ordinal  bool
	variable []bool
	count    int64
	done     bool
	batch    vector.Batch
	empty    vector.Batch
	fields   []types.Field // of the record at hand
}

func (in *Instance) functionScan(p *plan.FunctionScan) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	s := &functionScan{emitter: e, widths: p.Widths, ordinal: p.Ordinal}
	for i, f := range p.Funcs {
		fn, err := in.setFunc(f)
		if err != nil {
			return nil, err
		}
		s.funcs = append(s.funcs, fn)
		s.spread = append(s.spread, p.Widths[i] != 1 || p.Natural[len(s.variable)] != f.Type())
		for range p.Widths[i] {
			s.variable = append(s.variable, !in.b.Fixed(p.Natural[len(s.variable)]))
		}
	}
	if s.ordinal {
		s.variable = append(s.variable, false)
	}
	return s, nil
}

func (s *functionScan) open(x *Context) error {
	s.reset()
	s.count, s.done = 0, false
	s.empty.N = 1
	s.frame.Env, s.frame.Outer = x.Eval, &s.empty
	for _, f := range s.funcs {
		if err := f.start(x, &s.frame, 0, 1); err != nil {
			return err
		}
	}
	return nil
}

func (s *functionScan) next(x *Context, want int) (*vector.Batch, error) {
	return s.pull(x, want, s.read)
}

func (s *functionScan) read(x *Context, want int) (*vector.Batch, error) {
	want = min(want, vector.BatchSize)
	resetBatch(&s.batch, s.variable, want)
	n := 0
	for n < want && !s.done {
		some, err := s.row(x, n)
		if err != nil {
			return nil, err
		}
		if !some {
			s.done = true
			break
		}
		s.count++
		if s.ordinal {
			s.batch.Cols[len(s.variable)-1].Fixed[n] = s.count
		}
		n++
	}
	if n == 0 {
		return nil, nil
	}
	trim(&s.batch, n)
	return &s.batch, nil
}

// row fills one lane from all functions; those that have ended give nulls.
func (s *functionScan) row(x *Context, lane int) (bool, error) {
	some := false
	col := 0
	for i, f := range s.funcs {
		d, ok := types.Null, false
		var err error
		switch {
		case f.scalar != nil && s.count == 0:
			s.frame.Env, s.frame.Outer = x.Eval, &s.empty
			v, err := f.scalar.Eval(&s.frame, nil, 1)
			if err != nil {
				return false, err
			}
			d, ok = v.Get(0), true
		case f.scalar == nil:
			if d, ok, err = f.next(x); err != nil {
				return false, err
			}
		}
		some = some || ok
		if !s.spread[i] {
			s.batch.Cols[col].Set(lane, d)
			col++
			continue
		}
		s.fields = types.AppendFields(s.fields[:0], d)
		for k := range s.widths[i] {
			v := types.Null
			if ok && !d.Null && k < len(s.fields) {
				v = s.fields[k].Value
			}
			s.batch.Cols[col].Set(lane, v)
			col++
		}
	}
	return some, nil
}

func (s *functionScan) close() {}

// projectSet evaluates a target list with set-returning functions: each input row gives as many rows as its longest set.
type projectSet struct {
	*emitter
	child    operator
	exprs    []*setFunc
	variable []bool
	in       *vector.Batch
	at       int
	running  bool
	first    bool
	plain    []types.Datum
	batch    vector.Batch
}

func (in *Instance) projectSet(p *plan.ProjectSet) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	s := &projectSet{emitter: e, plain: make([]types.Datum, len(p.Exprs))}
	for _, x := range p.Exprs {
		f, err := in.setFunc(x)
		if err != nil {
			return nil, err
		}
		s.exprs, s.variable = append(s.exprs, f), append(s.variable, !in.b.Fixed(x.Type()))
	}
	if p.Child != nil {
		s.child, err = in.build(p.Child)
	}
	return s, err
}

func (s *projectSet) open(x *Context) error {
	s.reset()
	s.in, s.at, s.running = nil, 0, false
	return s.child.open(x)
}

func (s *projectSet) next(x *Context, want int) (*vector.Batch, error) {
	return s.pull(x, want, s.read)
}

func (s *projectSet) read(x *Context, want int) (*vector.Batch, error) {
	want = min(want, vector.BatchSize)
	resetBatch(&s.batch, s.variable, want)
	n := 0
	for n < want {
		if !s.running {
			more, err := s.begin(x)
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
		}
		some, err := s.row(x, n)
		if err != nil {
			return nil, err
		}
		if some {
			n++
		} else {
			s.running = false
		}
	}
	if n == 0 {
		return nil, nil
	}
	trim(&s.batch, n)
	return &s.batch, nil
}

// begin takes the next input row.
func (s *projectSet) begin(x *Context) (bool, error) {
	if s.in == nil || s.at >= s.in.Live() {
		b, err := s.child.next(x, 1)
		if b == nil || err != nil {
			return false, err
		}
		s.in, s.at = b, 0
	}
	i := s.in.Lane(s.at)
	s.at++
	s.frame.Env, s.frame.Outer = x.Eval, s.in
	one := []int32{int32(i)}
	for k, f := range s.exprs {
		if f.scalar == nil {
			if err := f.start(x, &s.frame, i, s.in.N); err != nil {
				return false, err
			}
			continue
		}
		v, err := f.scalar.Eval(&s.frame, one, s.in.N)
		if err != nil {
			return false, err
		}
		s.plain[k] = v.Get(i).Clone()
	}
	s.running = true
	return true, nil
}

func (s *projectSet) row(x *Context, lane int) (bool, error) {
	some := false
	for k, f := range s.exprs {
		if f.scalar != nil {
			continue
		}
		d, ok, err := f.next(x)
		if err != nil {
			return false, err
		}
		some = some || ok
		if !ok {
			d = types.Null
		}
		s.batch.Cols[k].Set(lane, d)
	}
	if !some {
		return false, nil
	}
	for k, f := range s.exprs {
		if f.scalar != nil {
			s.batch.Cols[k].Set(lane, s.plain[k])
		}
	}
	return true, nil
}

func (s *projectSet) close() { s.child.close() }
