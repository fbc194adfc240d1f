package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec"
	"manifold/engine/notify"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/recovery"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/session"
	"manifold/engine/sql/plancache"
	"manifold/engine/stats"
	"manifold/engine/sysfuncs"
	"manifold/engine/tempfile"
	"manifold/engine/types"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// Config is what an engine needs to start.
type Config struct {
	FS            vfs.FS            // the data directory
	SharedBuffers int64             // bytes
	WALBuffers    int               // bytes, a power of two; zero: a sixteenth of SharedBuffers, from 16 to 64 MiB
	WALSegment    int64             // bytes of a log segment of a new cluster, a power of two; zero is 16 MiB
	Password      string            // of the superuser of a new cluster; empty for none
	NoSync        bool              // fsync = off
	Backends      int               // idle instances kept per plan
	PlanCache     int64             // bytes; zero is 64 MiB
	NotifyQueue   int64             // bytes; zero is notify.DefaultLimit
	Settings      map[string]string // values of parameters that sessions start with
	Log           func(err *pgerror.Error, context string)
	RedoInTurn    bool // recovery.Ahead.InTurn: for tests that are to be replayed
	// Report gives the server's facts for the views of schema manifold; nil: there are none.
	Report func(task *activity.Task, kind string) (cols []base.OID, rows [][]types.Datum, err error)
	// Dropped is told of a database that is gone; nil: nobody asks.
	Dropped func(database base.OID)
	Reload  func() bool // has the configuration read again, after which SetSettings is called; nil: cannot be asked
}

// Engine is a running cluster.
type Engine struct {
	cfg     Config
	lock    io.Closer
	cluster *recovery.Cluster
	opened  *catalog.Opened
	temp    *tempfile.Files
	stats   *stats.Registry
	svc     *backend.Services
	started time.Time
	// configured is values of parameters that sessions start with.
	configured atomic.Pointer[configured]

	loaded atomic.Int64 // when the configuration was read, in Unix nanoseconds
	nextID atomic.Uint32

	vacuuming atomic.Int32 // autovacuum workers at work

	mu       sync.RWMutex // guards the maps
	caches   map[base.OID]*catalog.Cache
	plans    map[base.OID]*plancache.Cache
	sessions map[uint32]*session.Session

	bases baseCache

	stopNotify func() // ends the delivery of notifications

	checkpointMu     sync.Mutex // one checkpoint at a time; guards logPerCheckpoint
	logPerCheckpoint float64    // bytes, smoothed
	requests         chan chan error
}

// LockFile keeps two processes off one data directory.
const LockFile = "postmaster.pid"

func (c *Config) options() recovery.Options {
	frames := int(c.SharedBuffers / page.Size)
	if frames < 128 {
		frames = 16384
	}
	return recovery.Options{WAL: wal.Options{NoSync: c.NoSync, BufferSize: c.walBuffers()}, Buffers: buffer.Options{Frames: frames},
		Say: func(e *pgerror.Error) { c.Log(e, "") }}
}

// walBuffers gives the memory for log not yet written: large enough that a bulk load does not wait for the WAL writer.
func (c *Config) walBuffers() int {
	if c.WALBuffers != 0 {
		return c.WALBuffers
	}
	size := 16 << 20
	for size < 64<<20 && int64(size)*32 <= c.SharedBuffers {
		size *= 2
	}
	return size
}

// Open starts a cluster: it locks the data directory, recovers, and is then ready for sessions. An empty directory is an
// error: see InitDB.
func Open(_ context.Context, cfg Config) (*Engine, error) {
	held, err := cfg.FS.Lock(LockFile)
	if err != nil {
		return nil, pgerror.Newf(pgerror.LockFileExists, "data directory is in use by another server (lock file \"%s\"): %v", LockFile, err)
	}
	e, err := open(cfg)
	if err != nil {
		_ = held.Close() // the first error tells more
		return nil, err
	}
	e.lock = held
	if e.cluster.Crashed {
		e.clearLeftovers()
	}
	return e, nil
}

// idStep keeps the session ids of one start away from those of the starts before it: a client may still know one.
const idStep = 4999

func open(cfg Config) (*Engine, error) {
	if cfg.PlanCache == 0 {
		cfg.PlanCache = 64 << 20
	}
	if cfg.Backends == 0 {
		cfg.Backends = 8
	}
	if cfg.Log == nil {
		cfg.Log = func(*pgerror.Error, string) {}
	}
	o := cfg.options()
	var err error
	if o.Ahead, err = cfg.ahead(); err != nil {
		return nil, err
	}
	c, err := recovery.Start(cfg.FS, o)
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, cluster: c, started: time.Now(), caches: map[base.OID]*catalog.Cache{}, plans: map[base.OID]*plancache.Cache{},
		sessions: map[uint32]*session.Session{}}
	e.loaded.Store(e.started.UnixNano())
	e.configured.Store(&configured{values: cfg.Settings})
	e.nextID.Store(c.Control.Get().Incarnation * idStep & 0xFFFF)
	if e.temp, err = tempfile.Open(cfg.FS); err != nil {
		return nil, err
	}
	e.opened = catalog.NewOpened(c.Heaps, c.Txns)
	c.Txns.OnPreparedEnd(e.invalidateAll)
	e.stats = stats.New()
	e.svc = &backend.Services{
		Cluster: c, Opened: e.opened, Sequences: sequence.New(c.Txns), Caches: e.Cache, Plans: e.plan, Server: (*commandHost)(e),
		Activity: (*activityHost)(e), Log: cfg.Log, Temp: tempFiles{e.temp}, Keep: cfg.Backends,
		Notify: notify.New(c.Log, cfg.NotifyQueue), Invalidate: e.invalidate,
	}
	e.svc.Builder = &exec.Builder{Store: c.Heaps, Lookup: lookup, Name: e.functionName, Fixed: e.fixed, Stats: e.stats,
		Index: func(ix *relation.Index, logged bool) *btree.Index { return e.opened.Tree(ix, logged) },
		Table: func(d *relation.Desc) *heap.Table { return e.opened.Table(d) }}
	e.startNotify()
	return e, e.tuneLog(cfg.Settings)
}

// startNotify delivers notifications until Shutdown or Abandon.
func (e *Engine) startNotify() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.svc.Notify.Run(ctx)
	}()
	e.stopNotify = func() {
		cancel()
		<-done
	}
}

// DeliverNotifications hands to the listeners what is durable, for a session whose own are among that.
func (e *Engine) DeliverNotifications() { e.svc.Notify.Deliver() }

// tempFiles hands temporary files to the executor.
type tempFiles struct{ f *tempfile.Files }

func (t tempFiles) Create() (exec.TempFile, error) { return t.f.Create() }

// lookup finds the implementation of a function.
func lookup(oid base.OID) (builtins.Entry, bool) {
	if e, ok := sysfuncs.Lookup(oid); ok {
		return e, true
	}
	return builtins.Lookup(oid)
}

// functionName names a function for an error.
func (e *Engine) functionName(oid base.OID) string {
	if name, ok := builtinName(oid); ok {
		return name
	}
	return fmt.Sprintf("with OID %d", oid)
}

// fixed tells whether values of a type are kept in types.Datum.I. User types are all kept as bytes.
func (e *Engine) fixed(typ base.OID) bool {
	if typ >= base.FirstNormalOID {
		return false
	}
	return types.Len(typ) > 0
}

// Cache gives the catalog cache of a database.
func (e *Engine) Cache(db base.OID) *catalog.Cache {
	e.mu.RLock()
	c := e.caches[db]
	e.mu.RUnlock()
	if c != nil {
		return c
	}
	home, known := e.homeOf(db)
	e.mu.Lock()
	defer e.mu.Unlock()
	if c = e.caches[db]; c == nil {
		c = catalog.NewCache(db, home)
		if known {
			e.caches[db] = c
		}
	}
	return c
}

// homeOf reads the tablespace of a database in pg_database, which is there for all databases.
func (e *Engine) homeOf(db base.OID) (home base.OID, known bool) {
	home = base.DefaultTablespace
	err := e.readWith(activity.NewTask(0, nil), catalog.NewCache(db, home), func(v *catalog.View) error {
		r, err := v.Row(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex, oidDatum(db))
		if err == nil && r != nil {
			home, known = r.OID(bootstrap.ColDatabaseDattablespace), true
		}
		return err
	})
	return home, known && err == nil
}

func (e *Engine) plan(db base.OID) *plancache.Cache {
	e.mu.RLock()
	c := e.plans[db]
	e.mu.RUnlock()
	if c != nil {
		return c
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c = e.plans[db]; c == nil {
		c = plancache.New(e.cfg.PlanCache)
		e.plans[db] = c
	}
	return c
}

// invalidate tells the caches what a session of database db has committed. The names of roles and databases are the whole
// cluster's.
func (e *Engine) invalidate(db base.OID, inv *catalog.Invalidation) {
	e.mu.RLock()
	own := e.caches[db] // none: nobody has read anything, and pg_database may be locked by whoever commits
	e.mu.RUnlock()
	if own != nil {
		own.Invalidate(inv)
	}
	if !inv.Groups[catalog.GroupNames] {
		return
	}
	names := &catalog.Invalidation{}
	names.Groups[catalog.GroupNames] = true
	e.mu.RLock()
	defer e.mu.RUnlock()
	for other, c := range e.caches {
		if other != db {
			c.Invalidate(names)
		}
	}
}

// invalidateAll makes the caches of a database forget everything: somebody else knew what has changed.
func (e *Engine) invalidateAll(db base.OID) {
	inv := &catalog.Invalidation{AllRelations: true}
	for i := range inv.Groups {
		inv.Groups[i] = true
	}
	e.invalidate(db, inv)
}

// NewBackend makes a backend for the pool.
func (e *Engine) NewBackend() *backend.Backend { return backend.New(e.svc) }

// NewSession makes a session that nobody has logged in to yet.
func (e *Engine) NewSession(task *activity.Task) *session.Session {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	id := e.nextID.Add(1) & 0x3FFFFFFF
	task.SessionID = id
	s := session.New(id, binary.LittleEndian.Uint32(b[:]), task)
	s.Txns = e.cluster.Txns
	return s
}

// Shutdown makes the shutdown checkpoint and closes the cluster; no session may be left.
func (e *Engine) Shutdown() error {
	e.stopNotify()
	err := e.cluster.Shutdown()
	e.unlock()
	return err
}

// Abandon closes the files without a checkpoint, as an immediate shutdown does; the next start recovers.
func (e *Engine) Abandon() error {
	e.stopNotify()
	err := e.cluster.Close()
	e.unlock()
	return err
}

func (e *Engine) unlock() {
	if e.lock != nil {
		_ = e.lock.Close() // the process ends next
		e.lock = nil
	}
}

// Failed delivers when the log has failed, after which nothing can commit: the process must restart.
func (e *Engine) Failed() <-chan struct{} { return e.cluster.Log.Failed() }
