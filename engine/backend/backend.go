package backend

import (
	"math/rand/v2"
	"time"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/command"
	"manifold/engine/exec"
	"manifold/engine/mvcc"
	"manifold/engine/notify"
	"manifold/engine/pgerror"
	"manifold/engine/recovery"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/session"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plancache"
	"manifold/engine/stats"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

// Services is what backends share: one set for a cluster.
type Services struct {
	Cluster   *recovery.Cluster
	Opened    *catalog.Opened
	Sequences *sequence.Sequences
	Builder   *exec.Builder
	Caches    func(database base.OID) *catalog.Cache
	Plans     func(database base.OID) *plancache.Cache
	// Invalidate tells the caches of what a session of database committed.
	Invalidate func(database base.OID, inv *catalog.Invalidation)
	Server     command.Host
	Activity   sysfuncs.Host
	Log        func(err *pgerror.Error, context string) // what no client is there to hear
	Temp       exec.TempFiles
	Keep       int // idle instances kept per plan
	Gate       ParseGate
	Notify     *notify.Queue
}

// Backend runs statements for whichever session borrows it.
type Backend struct {
	svc *Services

	s        *session.Session
	shape    parse.Shape
	key      []byte
	src      catalog.HeapSource
	view     catalog.View
	names    catalog.Names
	path     []base.OID
	pathOK   bool
	scope    sysfuncs.Scope
	fctx     builtins.Context
	ectx     exec.Context
	snap     mvcc.Snapshot
	literals []types.Datum
	scratch  []byte
	formats  []int16
	values   values
	lazy     lazyNames
	findPath func() ([]base.OID, error)
	latest   bool        // a statement of a constraint looks beyond the transaction's snapshot
	spare    []*standing // for sessions to come
	rand     *rand.Rand  // of sessions without a seed
	database *stats.Database
	counted  base.OID // whose counters database is
}

// New makes a backend.
func New(svc *Services) *Backend {
	b := &Backend{svc: svc, rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	b.findPath = b.searchPath
	return b
}

// Close gives up what the backend holds.
func (b *Backend) Close() {
	for _, st := range b.spare {
		st.close()
	}
	b.spare = nil
}

// count takes the end of a transaction into the figures of the database.
func (b *Backend) count(committed bool) {
	d := b.figures()
	st := b.s.Standing.(*standing)
	now := b.s.Task.Buffers
	d.Ended(b.s.ID, committed, now.Hit-st.looked.Hit, now.Read-st.looked.Read)
	st.looked = now
}

func (b *Backend) figures() *stats.Database {
	if oid := b.s.Database.OID; b.counted != oid || b.database == nil {
		b.database, b.counted = b.svc.Builder.Stats.Database(oid), oid
	}
	return b.database
}

// attach turns the backend to a session for one message.
func (b *Backend) attach(s *session.Session) {
	b.s = s
	b.lend(s)
	b.pathOK = false
	b.src = catalog.HeapSource{Opened: b.svc.Opened, Task: s.Task, Tx: s.Proc.Tx(), Wait: s.Hot().Wait}
	b.view.Reset(&b.src, b.cache())
	b.names.View = &b.view
	b.values.b = b
}

// cache gives the catalog cache the session reads through. One of its own begins anew when others have changed catalogs: it
// learns of their commits by the shared cache's generation only.
func (b *Backend) cache() *catalog.Cache {
	shared := b.svc.Caches(b.s.Database.OID)
	own := &b.s.Catalog
	if own.Cache == nil {
		return shared
	}
	if now := shared.Generation(); now != own.Shared {
		own.Cache, own.Shared = b.newOverlay(), now
		b.view.UseCache(own.Cache)
	}
	return own.Cache
}

// searchPath gives the schemas of unqualified names for this statement; the transaction must have begun.
func (b *Backend) searchPath() ([]base.OID, error) {
	if b.pathOK {
		return b.path, nil
	}
	path, err := b.s.SearchPath(func(name string) (base.OID, error) {
		n, err := b.view.NamespaceByName(name)
		if n == nil || err != nil {
			return 0, err
		}
		return n.OID, nil
	})
	if err != nil {
		return nil, err
	}
	b.path, b.pathOK = path, true
	b.names.SearchPath = path
	return path, nil
}

// env gives the session's forms of values, with the names and the time of this statement.
func (b *Backend) env() *types.Env {
	e := b.s.Env()
	b.lazy.b = b
	e.Names = &b.lazy
	e.Now = b.s.Tx.Start
	return e
}

// lazyNames finds the search path only when a reg type asks for a name. It keeps the shape of the row type asked for last, which
// every value of a column asks for again.
type lazyNames struct {
	b     *Backend
	rel   *relation.Desc // whose row type shape is
	shape types.Shape
}

func (l *lazyNames) OIDOf(kind types.RegKind, name string) (base.OID, error) {
	if _, err := l.b.searchPath(); err != nil {
		return 0, err
	}
	return l.b.names.OIDOf(kind, name)
}

// ShapeOf implements types.Shapes.
func (l *lazyNames) ShapeOf(typ base.OID) (types.Shape, bool) {
	t, err := l.b.view.TypeByOID(typ)
	if t == nil || err != nil {
		return types.Shape{}, false
	}
	if t.Elem != 0 && t.TrueArray() {
		return types.Shape{Elem: t.Elem}, true
	}
	if t.Kind != 'c' {
		return types.Shape{}, false
	}
	rel, err := l.b.view.Relation(t.RelID)
	if rel == nil || err != nil {
		return types.Shape{}, false
	}
	if rel == l.rel {
		return l.shape, true
	}
	var out types.Shape
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Dropped {
			out.Columns = append(out.Columns, types.Attribute{})
			continue
		}
		out.Columns = append(out.Columns, types.Attribute{Name: c.Name, Type: c.Type, Typmod: c.Typmod})
	}
	l.rel, l.shape = rel, out
	return out, true
}

func (l *lazyNames) NameOf(kind types.RegKind, oid base.OID) (string, bool) {
	if _, err := l.b.searchPath(); err != nil {
		return "", false
	}
	return l.b.names.NameOf(kind, oid)
}

// functions fills the context that built-in functions see.
func (b *Backend) functions(c *builtins.Context) {
	c.Env = b.env()
	c.TransactionTime, c.StatementTime, c.Clock = b.s.Tx.Start, b.s.StatementTime, time.Now
	b.scope = sysfuncs.Scope{Session: b.s, View: &b.view, Names: &b.names, Host: b.svc.Activity, Opened: b.svc.Opened,
		Sequences: b.svc.Sequences, Task: b.s.Task, Tx: b.s.Proc.Tx(), Wait: b.s.Hot().Wait, Locks: b.svc.Cluster.Locks,
		TransactionTime: b.s.Tx.Start, FindPath: b.findPath, Stats: b.svc.Builder.Stats, Notify: b.svc.Notify}
	c.Session, c.Task, c.Rand = &b.scope, b.s.Task, b.rand
	if b.s.Rand != nil {
		c.Rand = b.s.Rand
	}
}

// values answers what expressions ask of the session.
type values struct{ b *Backend }

// SQLValue implements eval.SessionValues.
func (v *values) SQLValue(name string, typmod int32) (types.Datum, error) {
	if err := v.b.scopePath(); err != nil {
		return types.Null, err
	}
	return sysfuncs.SQLValue(&v.b.scope, name, typmod)
}

// NextValue implements eval.SessionValues.
func (v *values) NextValue(seq uint32) (int64, error) {
	return sysfuncs.NextValue(&v.b.scope, base.OID(seq))
}

// scopePath gives the functions' scope its search path.
func (b *Backend) scopePath() error {
	path, err := b.searchPath()
	b.scope.SearchPath = path
	return err
}
