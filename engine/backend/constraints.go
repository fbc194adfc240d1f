package backend

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/exec"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/session"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plancache"
	"manifold/engine/sysfuncs"
	"manifold/engine/trigger"
	"manifold/engine/types"
)

// fire does what the changes of a statement that is over leave to be done at once.
func (b *Backend) fire() error {
	if b.s.After.Quiet() {
		return nil
	}
	f := b.firing()
	defer f.close()
	return b.s.After.Statement(&f.Firing)
}

// fireAll does all that is left before the commit.
func (b *Backend) fireAll() error {
	if b.s.After.Idle() {
		return nil
	}
	f := b.firing()
	defer f.close()
	return b.s.After.Commit(&f.Firing)
}

// fireImmediate does what waits for constraints that SET CONSTRAINTS made immediate.
func (b *Backend) fireImmediate() error {
	if b.s.After.Idle() {
		return nil
	}
	f := b.firing()
	defer f.close()
	return b.s.After.Immediate(&f.Firing)
}

// firing is a trigger.Firing with what has to be given back afterwards.
type firing struct {
	trigger.Firing
	b    *Backend
	exec *commandContext
}

func (b *Backend) firing() *firing {
	s := b.s
	h := s.Hot()
	f := &firing{b: b}
	f.Firing = trigger.Firing{Task: s.Task, Tx: s.Proc.Tx(), Wait: h.Wait, View: &b.view, Builder: b.svc.Builder, Env: b.env(),
		Repeat: s.Tx.Isolation != session.ReadCommitted, Runner: f, MayRead: b.MayRead}
	f.Lock = func(rel base.OID, mode lock.Mode) error {
		_, err := b.svc.Cluster.Locks.Acquire(s.Task, s.Proc.Owner(), lock.Request{Tag: lock.Relation(b.databaseOf(rel), rel), Mode: mode,
			Timeout: h.Wait.Timeout, DeadlockTimeout: h.Wait.DeadlockTimeout})
		return err
	}
	return f
}

func (f *firing) close() {
	if f.exec != nil {
		f.exec.close()
	}
}

// Exec implements trigger.Runner.
func (f *firing) Exec() *exec.Context {
	if f.exec == nil {
		f.exec = &commandContext{b: f.b}
	}
	return f.exec.newExec()
}

// Snapshot implements trigger.Runner.
func (f *firing) Snapshot(s *mvcc.Snapshot, latest bool) {
	f.b.latest = latest
	f.b.snapshot(s)
	f.b.latest = false
}

// keptPlan is the plan of a constraint's statement, and the cache of whose catalogs it was made.
type keptPlan struct {
	v     *plancache.Variant
	cache *catalog.Cache
}

// Run implements trigger.Runner.
func (f *firing) Run(st *trigger.Statement, params []types.Datum, each func(row []types.Datum) bool) error {
	b := f.b
	role := b.s.Role
	b.s.Role = st.Role
	defer func() { b.s.Role = role }()
	v, err := b.constraintPlan(st)
	if err != nil {
		return err
	}
	var r run
	b.latest = st.Latest
	err = b.start(&r, v, params, nil, true)
	b.latest = false
	if err == nil {
		if st.Latest && f.Repeat && st.Writes {
			var snap mvcc.Snapshot
			b.snapshot(&snap)
			defer b.s.Proc.Tx().Release(&snap)
			r.x.Crosscheck = &snap
		}
		err = r.each(each)
	}
	b.stop(&r)
	return err
}

// constraintPlan gives the plan of a constraint's statement, with its relations locked.
func (b *Backend) constraintPlan(st *trigger.Statement) (*plancache.Variant, error) {
	for {
		k, ok := st.Plan.(*keptPlan)
		if !ok || k.cache != b.cache() || k.v.Generation != b.cache().Generation() || k.v.Stale.Load() {
			stmts, err := parse.Parse(st.Text)
			if err != nil {
				return nil, err
			}
			v, err := b.variant(st.Text, stmts[0].Node, nil, st.Types, true)
			if err != nil {
				return nil, err
			}
			k = &keptPlan{v, b.cache()}
			st.Plan = k
		}
		fits, err := b.lockRelations(k.v)
		if err != nil || fits {
			return k.v, err
		}
		st.Plan = nil
	}
}

// each runs to the end, or until f wants no more rows.
func (r *run) each(f func(row []types.Datum) bool) error {
	var row []types.Datum
	for {
		batch, err := r.in.Next(r.x, r.want)
		if err != nil || batch == nil {
			return err
		}
		for i := range batch.Live() {
			lane := batch.Lane(i)
			row = row[:0]
			for c := range batch.Cols {
				row = append(row, batch.Cols[c].Get(lane))
			}
			if f == nil || !f(row) {
				return nil
			}
		}
		r.want = growWant(r.want)
	}
}

// MayRead implements exec.Printer.
func (b *Backend) MayRead(rel base.OID, attr int16) bool {
	ok, err := sysfuncs.MayRead(&b.view, b.s.Role, rel, attr)
	return ok && err == nil
}

// KeyText implements exec.Printer.
func (b *Backend) KeyText(rel *relation.Desc, ix *relation.Index) string {
	if _, err := b.searchPath(); err != nil {
		return ix.Name
	}
	text, err := deparse.KeyText(&b.names, rel, ix)
	if err != nil {
		return ix.Name
	}
	return text
}
