package crashlab

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// TestReplay runs seeds twice: they must make the same calls and tell the same story, or a failing seed could not be looked
// into.
func TestReplay(t *testing.T) {
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(4) {
		var stories [2]string
		for n := range stories {
			lab := newLab(seed, fs.Clone())
			if err := lab.run(); err != nil {
				t.Fatal(err)
			}
			stories[n] = fmt.Sprintf("%s\n%d changes", strings.Join(lab.story, "\n"), lab.fs.Changes())
		}
		if stories[0] != stories[1] {
			t.Errorf("seed %d: one run:\n%s\nthe next:\n%s", seed, stories[0], stories[1])
		}
	}
}

// rounds is how many crashes one cluster lives through.
const rounds = 4

// lab is one cluster with the sessions that work on it. Everything follows from the seed: one goroutine decides who
// steps, and a wait for a lock can only time out.
type lab struct {
	seed    uint64
	r       *rand.Rand
	fs      *vfs.Mem
	e       *engine.Engine
	workers []*worker
	l       *ledger
	gids    int
	spoilt  string // the code that one statement may fail with: a fault was injected that harms no other
	ages    bool   // the cluster gets older at each clean stop, and old tables are vacuumed
	hard    bool   // a fault was injected that may stop the server
	story   []string
}

// config is how the engine of a seed runs: that of every other one checks redo by images of all pages. Of every eight seeds the
// first four have the log read ahead of redo in turns with it, so that they replay; in the others it is read by a goroutine.
func config(fs vfs.FS, seed uint64) engine.Config {
	checks := ""
	if seed%2 == 0 {
		checks = "all"
	}
	return engine.Config{FS: fs, SharedBuffers: 4 << 20, WALBuffers: 256 << 10, WALSegment: 256 << 10, PlanCache: 64 << 20,
		RedoInTurn: seed%8 < 4,
		Settings: map[string]string{"max_prepared_transactions": "9", "lock_timeout": "1ms", "statement_timeout": "60s",
			"wal_consistency_checking": checks, "autovacuum_freeze_max_age": "100000",
			"autovacuum_vacuum_cost_delay": "0",
			"wal_compression":              []string{"off", "pglz", "lz4", "zstd"}[seed%4],
			"recovery_prefetch":            []string{"try", "try", "off"}[seed/8%3],
			"maintenance_io_concurrency":   []string{"1", "10", "100"}[seed%3],
			"wal_decode_buffer_size":       []string{"64kB", "512kB"}[seed/2%2]}}
}

// image makes the cluster that every seed starts with.
func image() (*vfs.Mem, error) {
	fs := vfs.NewMem()
	if err := engine.InitDB(config(fs, 1)); err != nil {
		return nil, err
	}
	e, err := engine.Open(context.Background(), config(fs, 1))
	if err != nil {
		return nil, err
	}
	c, err := connect(e)
	if err != nil {
		return nil, err
	}
	if _, err := c.query(`create table parent (k int primary key, u int unique, stamp int, v text);
		create table child (k int primary key, p int references parent, stamp int); create index child_p on child (p);
		create table many (b int, i int, g int, stamp int, primary key (b, i)); create index many_g on many (g); create index many_b on many (b);
		create unlogged table u (id serial primary key, v text); create sequence s`); err != nil {
		return nil, err
	}
	for _, q := range []string{"create tablespace elsewhere location '/elsewhere'", "create database aside"} {
		if _, err := c.query(q); err != nil {
			return nil, err
		}
	}
	c.close(e)
	return fs, e.Shutdown()
}

// TestCrashes runs cycles of work, crash, recovery and check. MANIFOLD_CRASHES sets how many, MANIFOLD_CRASH_SEED the first
// seed.
func TestCrashes(t *testing.T) {
	cycles, first := number("MANIFOLD_CRASHES", 80), number("MANIFOLD_CRASH_SEED", 1)
	if testing.Short() {
		cycles = min(cycles, 40)
	}
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < cycles; n += rounds {
		seed := uint64(first + n/rounds)
		lab := newLab(seed, fs.Clone())
		if err := lab.run(); err != nil {
			t.Errorf("%v\nlast statements:\n  %s\nreplay: MANIFOLD_CRASH_SEED=%d MANIFOLD_CRASHES=%d go test ./engine/crashlab -run TestCrashes",
				err, strings.Join(lab.story, "\n  "), seed, rounds)
		}
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func newLab(seed uint64, fs *vfs.Mem) *lab {
	return &lab{seed: seed, r: rand.New(rand.NewPCG(seed, 0xC4A5)), fs: fs, l: newLedger()}
}

func (b *lab) gid() string {
	b.gids++
	return fmt.Sprintf("g%d", b.gids)
}

// tell keeps the last things that happened, for a failing seed.
func (b *lab) tell(format string, args ...any) {
	if len(b.story) > 30 {
		b.story = b.story[1:]
	}
	s := fmt.Sprintf(format, args...)
	b.story = append(b.story, s[:min(len(s), 160)])
}

func (b *lab) run() error {
	for round := range rounds {
		if err := b.start(); err != nil {
			return fmt.Errorf("seed %d round %d: start: %w", b.seed, round, err)
		}
		b.arm()
		var err error
		if b.ages && round > 0 {
			err = b.settle()
		}
		if err == nil {
			err = b.work()
		}
		if err == nil {
			err = b.crash()
		}
		if err == nil {
			err = b.verify()
		}
		b.fs.Heal()
		if err == nil && (b.r.IntN(3) == 0 || b.ages) {
			err = b.e.Shutdown()
			if err == nil && b.ages {
				err = grow(b.fs)
			}
		} else {
			b.fs = b.fs.Crash(b.r.Uint64())
			_ = b.e.Abandon()
		}
		if err != nil {
			return fmt.Errorf("seed %d round %d: %w", b.seed, round, err)
		}
	}
	return nil
}

// start opens the engine and connects the sessions.
func (b *lab) start() error {
	var err error
	if b.e, err = engine.Open(context.Background(), config(b.fs, b.seed)); err != nil {
		return err
	}
	b.workers = nil
	for n := range sessions {
		c, err := connect(b.e)
		if err != nil {
			return err
		}
		b.workers = append(b.workers, &worker{client: c, n: n, did: change{}})
	}
	return nil
}

// arm injects the faults of a round.
func (b *lab) arm() {
	b.spoilt, b.hard = "", false
	cut := 1 + b.r.IntN([]int{30, 300, 1500}[b.r.IntN(3)])
	if b.ages {
		cut *= 8
	}
	few := 1 + b.r.IntN(60)
	f := vfs.Fault{Nth: few}
	switch b.r.IntN(14) {
	case 0: // the disk is full, for a while
		f.Op, f.Match, f.Err, b.spoilt = vfs.OpWrite, "base/", syscall.ENOSPC, pgerror.DiskFull
	case 1:
		f.Op, f.Match, f.Err, b.spoilt = vfs.OpRead, "base/", syscall.EIO, pgerror.IOError
	case 2:
		f.Op, f.Match, f.Err, b.spoilt = vfs.OpWrite, "base/", syscall.EIO, pgerror.IOError
	case 3:
		f.Op, f.Match, f.Err, b.hard = vfs.OpSync, "base/", syscall.EIO, true
	case 4:
		f.Op, f.Match, f.Err, b.hard = vfs.OpWrite, "pg_wal/", syscall.ENOSPC, true
	case 5:
		f.Op, f.Match, f.Err, b.hard = vfs.OpSync, "pg_wal/", syscall.EIO, true
	case 6: // a relation map
		f.Op = []vfs.Op{vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir}[b.r.IntN(4)]
		f.Nth, f.Match, f.Err, b.hard = 1+b.r.IntN(4), "pg_filenode", syscall.EIO, true
		if f.Op == vfs.OpSyncDir {
			f.Match = "global"
		}
	}
	b.tell("-- armed: cut at change %d, %+v", cut, f)
	if f.Err != nil {
		b.fs.Inject(f)
	}
	b.fs.Inject(vfs.Fault{Nth: cut, Err: vfs.ErrPowerCut})
}

// stopped tells whether the server can do nothing more.
func (b *lab) stopped() bool {
	select {
	case <-b.e.Failed():
		return true
	default:
		return b.fs.Down()
	}
}

// work steps the sessions until the server has stopped, or for long enough.
func (b *lab) work() error {
	for range 400 {
		w := b.workers[b.r.IntN(len(b.workers))]
		if err := b.step(w); err != nil {
			return err
		}
		if b.stopped() {
			break
		}
	}
	return nil
}

// step runs a statement of a session and judges its end.
func (b *lab) step(w *worker) error {
	a := w.next(b.r, b.l, b)
	w.copy = a.copy
	gid, _ := strings.CutPrefix(a.sql, "prepare transaction ")
	gid = strings.Trim(gid, "'")
	commit := w.commitOf(a)
	if a.ends == prepares {
		b.l.prepared[gid] = w.did
		commit = change{"prepared/" + gid: ""}
	}
	if commit != nil {
		b.l.commit(commit)
	}
	err := w.try(a.sql)
	b.tell("%d: %s: %s %v", w.n, a.sql, w.tag, err)
	if err == nil {
		return b.succeeded(w, a, commit)
	}
	if b.stopped() {
		return nil // what was under way is in doubt
	}
	if commit != nil {
		b.l.undone()
	}
	switch {
	case a.ends != goesOn:
		w.begin(false)
	case w.open:
		w.failed = true
	}
	return b.expected(a, err)
}

// commitOf gives what a statement commits, nil when it commits nothing.
func (w *worker) commitOf(a action) change {
	switch {
	case a.ends == commits:
		return w.did
	case a.ends == goesOn && !w.open && len(a.does) > 0:
		return a.does
	}
	return nil
}

func (w *worker) begin(open bool) {
	w.open, w.failed, w.moved, w.did, w.saves = open, false, false, change{}, nil
}

func (b *lab) succeeded(w *worker, a action, commit change) error {
	if a.code != "" {
		return fmt.Errorf("%.200s: succeeded, but had to fail with %s", a.sql, a.code)
	}
	if commit != nil {
		durable := a.ends == prepares || !w.async && len(commit) > 0
		b.l.done(durable)
	}
	switch {
	case a.ends != goesOn:
		w.begin(false)
	case w.open && a.does != nil:
		for k, v := range a.does {
			w.did[k] = v
		}
	}
	if a.then != nil {
		a.then(w)
	}
	if a.sees != nil {
		return a.sees(w.rows)
	}
	return nil
}

// expected judges an error of a server that runs on.
func (b *lab) expected(a action, err error) error {
	switch code := pgerror.Code(err); {
	case code == pgerror.LockNotAvailable, code == a.code && code != "", code == a.may && code != "":
		return nil
	case code == b.spoilt && code != "":
		b.spoilt = ""
		return nil
	}
	return fmt.Errorf("%.200s: %w", a.sql, err)
}

// crash takes the power away and recovers, sometimes with further cuts on the way.
func (b *lab) crash() error {
	b.fs = b.fs.Crash(b.r.Uint64())
	_ = b.e.Abandon()
	b.e = nil
	for range 3 {
		broken := false
		switch b.r.IntN(6) {
		case 0, 1:
			nth := 1 + b.r.IntN([]int{10, 60, 300}[b.r.IntN(3)])
			b.tell("-- recovery is cut at change %d", nth)
			b.fs.Inject(vfs.Fault{Nth: nth, Err: vfs.ErrPowerCut})
		case 2:
			broken = true
			f := vfs.Fault{Op: vfs.OpRead, Match: "base/", Nth: 1 + b.r.IntN(40), Err: syscall.EIO, Sticky: b.r.IntN(2) == 0}
			b.tell("-- redo: %+v", f)
			b.fs.Inject(f)
		}
		c := config(b.fs, b.seed)
		c.Log = func(e *pgerror.Error, _ string) {
			if broken && strings.HasPrefix(e.Message, "redo done") {
				b.fs.Heal()
			}
		}
		e, err := engine.Open(context.Background(), c)
		if err == nil && !b.fs.Down() {
			b.e = e
			b.fs.Heal()
			return nil
		}
		if broken && pgerror.Code(err) == pgerror.IOError {
			b.tell("-- %v", err)
			b.fs.Heal()
			continue // a page that redo needed
		}
		if err != nil && !b.fs.Down() {
			return fmt.Errorf("recovery: %w", err)
		}
		b.fs = b.fs.Crash(b.r.Uint64())
		if err == nil {
			_ = e.Abandon()
		}
	}
	e, err := engine.Open(context.Background(), config(b.fs, b.seed))
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	b.e = e
	return nil
}

// verify checks the cluster and compares it with the ledger.
func (b *lab) verify() error {
	var faults []error
	if _, err := b.e.Check(activity.NewTask(0, nil), func(err error) { faults = append(faults, err) }); err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("check: %w", errors.Join(faults...))
	}
	c, err := connect(b.e)
	if err != nil {
		return err
	}
	defer c.close(b.e)
	got, err := recovered(c)
	if err != nil {
		return err
	}
	if err := b.l.settle(got); err != nil {
		return err
	}
	if err := b.leftovers(c, got); err != nil {
		return err
	}
	w := &worker{client: c}
	a := w.nextval(b.l)
	rows, err := c.query(a.sql)
	if err != nil {
		return err
	}
	return a.sees(rows)
}

// recovered reads the state of the database.
func recovered(c *client) (state, error) {
	s := state{}
	names, err := c.query(`select relname, (select string_agg(attname, ',' order by attnum) from pg_attribute
		where attrelid = c.oid and attnum > 0 and not attisdropped) from pg_class c where relkind = 'r' and relname ~ '^t[0-9]$'`)
	if err != nil {
		return nil, err
	}
	from := []string{"parent|", "child|", "many|"}
	for _, n := range names {
		name, columns, _ := strings.Cut(n, "|")
		s[name] = columns
		from = append(from, n)
	}
	for _, n := range from {
		name, columns, _ := strings.Cut(n, "|")
		if err := s.read(c, name, columns); err != nil {
			return nil, err
		}
	}
	gids, err := c.query("select gid from pg_prepared_xacts")
	for _, g := range gids {
		s["prepared/"+g] = ""
	}
	return s, err
}

// read adds the rows of a table, whose wide and added values must be what they were made with.
func (s state) read(c *client, name, columns string) error {
	sql := map[string]string{"parent": "select k, u || ':' || stamp, stamp, md5(v) from parent",
		"child": "select k, p || ':' || stamp, 0, '' from child",
		"many":  "select b, count(*) || ':' || min(stamp) || ':' || max(stamp), 0, '' from many group by b"}[name]
	if sql == "" {
		sql = fmt.Sprintf("select k, stamp, stamp, md5(v) from %s", name)
	}
	rows, err := c.query(sql)
	if pgerror.Code(err) == pgerror.LockNotAvailable {
		s["locked/"+name] = "" // by a prepared transaction
		return nil
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		f := strings.Split(row, "|")
		if _, twice := s[name+"/"+f[0]]; twice {
			return fmt.Errorf("%s has key %s twice", name, f[0])
		}
		s[name+"/"+f[0]] = f[1]
		stamp, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		if f[3] != "" && f[3] != fmt.Sprintf("%x", md5.Sum([]byte(text(stamp)))) && stamp != 0 {
			return fmt.Errorf("%s: the value of %s is not that of its stamp", name, row)
		}
	}
	for _, column := range strings.Split(columns, ",") {
		if !strings.HasPrefix(column, "e") {
			continue
		}
		n, err := c.query(fmt.Sprintf("select count(*) from %s where %s::text not in ('7', 'x0') or %s is null", name, column, column))
		if err != nil {
			return err
		}
		if n[0] != "0" {
			return fmt.Errorf("%s: %s rows have lost the default of %s", name, n[0], column)
		}
	}
	return nil
}

// leftovers looks for what must not outlive a crash.
func (b *lab) leftovers(c *client, s state) error {
	n, err := c.query("select (select count(*) from u), (select count(*) from pg_class where relpersistence = 't')")
	if err != nil {
		return err
	}
	if n[0] != "0|0" {
		return fmt.Errorf("unlogged rows and temporary relations after the crash: %s", n[0])
	}
	for name := range s {
		if strings.HasPrefix(name, "prepared/") {
			return nil // its files are known to nobody else yet
		}
	}
	rows, err := c.query("select pg_relation_filenode(oid) from pg_class union select oid from pg_database where datname = 'postgres'")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range rows {
		known[n] = true
	}
	if _, err := c.query("checkpoint"); err != nil {
		return err
	}
	names, err := b.fs.ReadDir(path.Join("base", databaseDir(c)))
	if err != nil {
		return err
	}
	for _, file := range names {
		number, _, _ := strings.Cut(file, "_")
		number, _, _ = strings.Cut(number, ".")
		if oid, err := strconv.Atoi(number); err != nil || oid >= 16384 && !known[number] {
			return fmt.Errorf("file %s belongs to no relation", file)
		}
	}
	return nil
}

func databaseDir(c *client) string { return fmt.Sprint(c.s.Database.OID) }
