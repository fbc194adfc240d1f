package backend

import (
	"strconv"

	"manifold/engine/builtins"
	"manifold/engine/exec"
	"manifold/engine/mvcc"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/plancache"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// run is one execution of a plan: of a statement, a portal or a cursor. It holds a registered snapshot and an instance from
// start to stop.
type run struct {
	v       *plancache.Variant
	in      *exec.Instance
	x       *exec.Context
	fctx    *builtins.Context
	snap    *mvcc.Snapshot
	rows    int64
	want    int
	running bool
}

// start begins an execution with parameter and literal values. Its contexts are the backend's own, unless own asks for
// contexts that outlive the statement.
func (b *Backend) start(r *run, v *plancache.Variant, params, literals []types.Datum, own bool) error {
	if err := b.permitted(v); err != nil {
		return err
	}
	*r = run{v: v, x: &b.ectx, fctx: &b.fctx, snap: &b.snap, want: 1}
	if own {
		r.x, r.fctx, r.snap = &exec.Context{}, &builtins.Context{}, &mvcc.Snapshot{}
	}
	if r.in = v.Take(); r.in == nil {
		in, err := b.svc.Builder.NewInstance(v.Plan, false)
		if err != nil {
			return err
		}
		r.in = in
	}
	return b.startInstance(r, params, literals)
}

// startInstance begins an execution of r.in.
func (b *Backend) startInstance(r *run, params, literals []types.Datum) error {
	s := b.s
	h := s.Hot()
	b.functions(r.fctx)
	if err := b.snapshot(r.snap); err != nil {
		return err
	}
	r.fctx.Seen = r.snap.S
	s.After.Replica = h.Replica
	*r.x = exec.Context{Task: s.Task, Tx: s.Proc.Tx(), Snapshot: r.snap, Wait: h.Wait, WorkMem: h.WorkMem, Reporter: s,
		Repeat: s.Tx.Isolation != 0, Cursors: b, After: s.After, Printer: b, TempDir: b.svc.Temp, Sequences: b.svc.Sequences}
	e := r.in.Env()
	e.Ctx, e.External, e.Literals, e.Values = r.fctx, params, literals, &b.values
	r.running = true
	return r.in.Start(r.x)
}

// rebind turns a run that was suspended to the backend that goes on with it.
func (b *Backend) rebind(r *run) {
	b.functions(r.fctx)
	e := r.in.Env()
	e.Values = &b.values
	r.x.Cursors = b
}

// stop ends an execution and gives its instance back.
func (b *Backend) stop(r *run) {
	if !r.running {
		return
	}
	r.running = false
	r.in.Stop()
	if b.s.Proc.Tx().Running() {
		b.s.Proc.Tx().Release(r.snap)
	}
	r.v.Put(r.in)
	r.in = nil
}

// drive hands rows out until the plan ends or max rows (zero: all) are out; done tells which.
func (b *Backend) drive(r *run, out Sink, formats []int16, max int) (done bool, err error) {
	cols := r.v.Plan.Columns
	sent := 0
	for {
		want := r.want
		if max > 0 {
			want = min(want, max-sent)
		}
		batch, err := r.in.Next(r.x, want)
		if err != nil {
			return false, err
		}
		if batch == nil {
			return true, nil
		}
		n := batch.Live()
		r.rows += int64(n)
		sent += n
		b.s.Told = true
		if err := out.Rows(cols, formats, batch); err != nil {
			return false, err
		}
		if max > 0 && sent >= max {
			return false, nil
		}
		if err := b.s.Task.Breathe(); err != nil {
			return false, err
		}
		r.want = growWant(r.want)
	}
}

// growWant gives the next number of rows to ask for.
func growWant(want int) int {
	switch {
	case want < 8:
		return 8
	case want < 64:
		return 64
	}
	return vector.BatchSize
}

// tag gives the command tag of a finished run.
func (b *Backend) tag(r *run) string {
	n := r.rows
	if r.v.Plan.Command != query.Select {
		n = r.x.Processed
	}
	return commandTag(r.v.Tag, n)
}

// commandTag joins a tag with a count. The commonest are there ready made.
func commandTag(tag string, n int64) string {
	if n == 1 {
		switch tag {
		case "SELECT":
			return "SELECT 1"
		case "UPDATE":
			return "UPDATE 1"
		case "INSERT":
			return "INSERT 0 1"
		case "DELETE":
			return "DELETE 1"
		}
	}
	if tag == "INSERT" {
		tag = "INSERT 0"
	}
	return tag + " " + strconv.FormatInt(n, 10)
}

// values of the literals of a statement that shares its plan with others of the same shape.
func (b *Backend) literalValues(v *plancache.Variant, text string) ([]types.Datum, error) {
	lits := b.shape.Literals
	b.literals = b.literals[:0]
	b.scratch = b.scratch[:0]
	for i := range lits {
		if !v.Plan.Slots[i] {
			b.literals = append(b.literals, types.Null)
			continue
		}
		d, err := b.literal(&v.Slots[i], text[lits[i].Start:lits[i].End], lits[i].Escapes)
		if err != nil {
			return nil, err
		}
		b.literals = append(b.literals, d)
	}
	return b.literals, nil
}

// literal reads one literal token as the type its constant has.
func (b *Backend) literal(slot *plancache.Slot, token string, escapes bool) (types.Datum, error) {
	if token[0] == '\'' {
		token = token[1 : len(token)-1]
		if escapes {
			start := len(b.scratch)
			for i := 0; i < len(token); i++ {
				b.scratch = append(b.scratch, token[i])
				if token[i] == '\'' {
					i++
				}
			}
			token = string(b.scratch[start:])
		}
		if slot.Type == types.OIDUnknown {
			return types.Text(token), nil
		}
		typmod := int32(-1)
		if slot.Type == types.OIDInterval {
			typmod = slot.Typmod
		}
		return types.In(slot.Type, typmod, token, b.env())
	}
	switch slot.Type {
	case types.OIDInt4, types.OIDInt8:
		var n int64
		for i := range len(token) {
			n = n*10 + int64(token[i]-'0')
		}
		if slot.Negated {
			n = -n
		}
		return types.Int(n), nil
	}
	if slot.Negated {
		token = "-" + token
	}
	return types.In(slot.Type, -1, token, b.env())
}

// textColumns gives the result columns of a utility statement that returns rows of text.
func textColumns(names ...string) []plan.ResultColumn {
	cols := make([]plan.ResultColumn, len(names))
	for i := range names {
		cols[i] = plan.ResultColumn{Name: names[i], Type: types.OIDText, Typmod: -1}
	}
	return cols
}

// sendText sends rows of text.
func sendText(out Sink, cols []plan.ResultColumn, formats []int16, rows [][]types.Datum) error {
	var batch vector.Batch
	batch.Cols = make([]vector.Vector, len(cols))
	for len(rows) > 0 {
		n := min(len(rows), vector.BatchSize)
		for c := range cols {
			batch.Cols[c].Reset(types.Len(cols[c].Type) < 0, n)
			for i := range n {
				batch.Cols[c].Set(i, rows[i][c])
			}
		}
		batch.N, batch.Sel = n, nil
		if err := out.Rows(cols, formats, &batch); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
