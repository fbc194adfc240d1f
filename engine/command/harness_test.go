package command

import (
	"testing"
	"time"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/recovery"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/optimize"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/stats"
	"manifold/engine/sysfuncs"
	"manifold/engine/txn"
	"manifold/engine/types"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

const testDB base.OID = 5

// server is a whole lower cluster with the built-in catalogs and one session that runs statements one by one.
type server struct {
	t       testing.TB
	c       *recovery.Cluster
	opened  *catalog.Opened
	cache   *catalog.Cache
	seqs    *sequence.Sequences
	session *session.Session
	env     *types.Env
	ctx     *builtins.Context
	tx      *txn.Tx // an open block; nil outside
	snaps   []*mvcc.Snapshot
}

func newServer(t testing.TB) *server {
	t.Helper()
	fs := vfs.NewMem()
	o := recovery.Options{WAL: wal.Options{BufferSize: 4 << 20}, Buffers: buffer.Options{Frames: 8192}}
	if err := recovery.Create(fs, 42, 16<<20, o); err != nil {
		t.Fatal(err)
	}
	c, err := recovery.Start(fs, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, c: c, opened: catalog.NewOpened(c.Heaps, c.Txns), cache: catalog.NewCache(testDB, base.DefaultTablespace), seqs: sequence.New(c.Txns),
		env: types.NewEnv()}
	task := activity.NewTask(1, nil)
	ses := session.New(1, 0, task)
	ses.Proc = c.Txns.NewProc(c.Locks.NewOwner(1))
	ses.Database = &catalog.Database{OID: testDB, Name: "postgres", Owner: 10}
	ses.User, ses.Role = &catalog.Role{OID: 10, Name: "postgres", Super: true}, 10
	s.session = ses
	s.ctx = &builtins.Context{Env: s.env, Clock: time.Now, TransactionTime: time.Now()}
	s.load()
	return s
}

// load makes the catalogs with their built-in rows.
func (s *server) load() {
	s.t.Helper()
	task, tx := s.session.Task, s.session.Proc.Begin()
	for _, shared := range bootstrap.Relations() {
		if shared.Kind != relation.KindTable {
			continue
		}
		d := bootstrap.In(shared, testDB, base.DefaultTablespace, nil)
		table := s.opened.Table(d)
		w := table.NewWriter(task, tx, txn.Wait{})
		s.must(heap.Create(w, d))
		for _, ix := range d.Indexes {
			s.must(s.opened.Tree(ix, true).Create(task, tx))
		}
		rows, err := bootstrap.Rows(d)
		s.must(err)
		trees := make([]*btree.Writer, len(d.Indexes))
		for i, ix := range d.Indexes {
			trees[i] = s.opened.Tree(ix, true).NewWriter(task)
		}
		for _, row := range rows {
			tid, err := w.Insert(row)
			s.must(err)
			for i, ix := range d.Indexes {
				var key []byte
				for _, k := range ix.Keys {
					key, err = types.AppendKey(key, k.Type, row[k.Attr-1], false, false)
					s.must(err)
				}
				_, err = trees[i].Insert(key, tid, nil, nil)
				s.must(err)
			}
		}
	}
	_, err := tx.Commit(task, txn.LevelOff)
	s.must(err)
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) view(tx *txn.Tx) *catalog.View {
	return catalog.NewView(&catalog.HeapSource{Opened: s.opened, Task: s.session.Task, Tx: tx}, s.cache)
}

func (s *server) context(tx *txn.Tx, text string) *Context {
	v := s.view(tx)
	_, path, err := sysfuncs.Path(v, s.session)
	s.must(err)
	task := s.session.Task
	c := &Context{Session: s.session, Task: task, Tx: tx, View: v, Opened: s.opened, Sequences: s.seqs, Env: s.env, SearchPath: path,
		Text: text, Top: s.tx == nil, Host: testHost{}}
	c.Editor = &catalog.Editor{Opened: s.opened, Task: task, Tx: tx, View: v, Changed: s.cache.Invalidate}
	names := &catalog.Names{View: v, SearchPath: path}
	s.env.Names = names
	s.ctx.Session = &sysfuncs.Scope{Session: s.session, View: v, Names: names, SearchPath: path, Opened: s.opened, Sequences: s.seqs,
		Task: task, Tx: tx, Locks: s.c.Locks, TransactionTime: time.Now()}
	c.Builder = &exec.Builder{Store: s.c.Heaps, Lookup: lookup, Fixed: func(t base.OID) bool { return types.Len(t) > 0 },
		Name:  func(o base.OID) string { return "function " + itoa(int(o)) },
		Index: s.opened.Tree, Table: s.opened.Table, Stats: stats.New()}
	c.NewExec = func() *exec.Context {
		snap := &mvcc.Snapshot{}
		tx.Snapshot(snap)
		s.snaps = append(s.snaps, snap)
		return &exec.Context{Task: task, Tx: tx, Snapshot: snap, WorkMem: 4 << 20, Printer: keyPrinter{names},
			Eval: &eval.Env{Task: task, Ctx: s.ctx, Values: values{s}, Run: 1}}
	}
	c.Snapshot = tx.Snapshot
	c.Plan = func(q *query.Query) (*plan.Statement, error) {
		return optimize.Statement(&optimize.Options{View: v}, q)
	}
	return c
}

// keyPrinter implements exec.Printer.
type keyPrinter struct{ names *catalog.Names }

func (p keyPrinter) MayRead(base.OID, int16) bool { return true }

func (p keyPrinter) KeyText(rel *relation.Desc, ix *relation.Index) string {
	text, err := deparse.KeyText(p.names, rel, ix)
	if err != nil {
		return err.Error()
	}
	return text
}

func lookup(oid base.OID) (builtins.Entry, bool) {
	if e, ok := builtins.Lookup(oid); ok {
		return e, true
	}
	return sysfuncs.Lookup(oid)
}

type testHost struct{}

func (testHost) Checkpoint(*activity.Task) error             { return nil }
func (testHost) Sessions(base.OID, *session.Session) int     { return 0 }
func (testHost) Disconnect(base.OID, *session.Session) error { return nil }
func (testHost) ForgetDatabase(base.OID)                     {}
func (testHost) DropDatabase(*activity.Task, base.OID) error { return nil }

type values struct{ s *server }

func (v values) scope() *sysfuncs.Scope { return v.s.ctx.Session.(*sysfuncs.Scope) }
func (v values) SQLValue(name string, typmod int32) (types.Datum, error) {
	return sysfuncs.SQLValue(v.scope(), name, typmod)
}
func (v values) NextValue(seq uint32) (int64, error) {
	return sysfuncs.NextValue(v.scope(), base.OID(seq))
}

// run runs statements, each in a transaction of its own unless begin was called.
func (s *server) run(text string) (string, error) {
	stmts, err := parse.Parse(text)
	if err != nil {
		return "", err
	}
	tag := ""
	for _, st := range stmts {
		tx := s.tx
		if tx == nil {
			tx = s.session.Proc.Begin()
		}
		tag, err = s.one(tx, text, st)
		for _, snap := range s.snaps {
			tx.Release(snap)
		}
		s.snaps = nil
		if s.tx == nil {
			if err != nil {
				tx.Abort(s.session.Task)
			} else if _, err = tx.Commit(s.session.Task, txn.LevelOff); err == nil {
				s.session.Task.TakeDep()
			}
		} else if err == nil {
			err = tx.NextCommand()
		}
		if err != nil {
			inv := &catalog.Invalidation{AllRelations: true}
			for g := range inv.Groups {
				inv.Groups[g] = true
			}
			s.cache.Invalidate(inv)
			return tag, err
		}
	}
	return tag, nil
}

func (s *server) one(tx *txn.Tx, text string, st parse.Statement) (string, error) {
	c := s.context(tx, text)
	if !analyze.Optimizable(st.Node) {
		return Run(c, st.Node)
	}
	_, err := s.rows(c, st)
	return "", err
}

// rows runs an optimizable statement and gives its rows as text.
func (s *server) rows(c *Context, st parse.Statement) ([][]string, error) {
	r, err := analyze.Statement(c.options(), st.Node)
	if err != nil {
		return nil, err
	}
	p, err := c.Plan(r.Query)
	if err != nil {
		return nil, err
	}
	in, err := c.Builder.NewInstance(p, false)
	if err != nil {
		return nil, err
	}
	x := c.NewExec()
	env := in.Env()
	env.Ctx, env.Values = x.Eval.Ctx, x.Eval.Values
	if err := in.Start(x); err != nil {
		return nil, err
	}
	defer in.Stop()
	var out [][]string
	for {
		b, err := in.Next(x, 1024)
		if err != nil || b == nil {
			return out, err
		}
		for k := range b.Live() {
			var row []string
			for i, col := range p.Columns {
				d := b.Cols[i].Get(b.Lane(k))
				if d.Null {
					row = append(row, "")
					continue
				}
				row = append(row, string(types.AppendText(nil, col.Type, d, s.env)))
			}
			out = append(out, row)
		}
	}
}

// query runs one query in a transaction of its own.
func (s *server) query(text string) [][]string {
	s.t.Helper()
	stmts, err := parse.Parse(text)
	s.must(err)
	tx := s.tx
	if tx == nil {
		tx = s.session.Proc.Begin()
	}
	out, err := s.rows(s.context(tx, text), stmts[0])
	for _, snap := range s.snaps {
		tx.Release(snap)
	}
	s.snaps = nil
	if s.tx == nil {
		tx.Abort(s.session.Task)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return out
}

func (s *server) ok(text string) {
	s.t.Helper()
	if _, err := s.run(text); err != nil {
		e := pgerror.From(err)
		s.t.Fatalf("%s: %v %s", text, e, e.Detail)
	}
}

func (s *server) fails(text, code, message string) {
	s.t.Helper()
	_, err := s.run(text)
	e := pgerror.From(err)
	if e == nil || e.Code != code || message != "" && e.Message != message {
		s.t.Fatalf("%s: got %v, want %s %s", text, err, code, message)
	}
}
