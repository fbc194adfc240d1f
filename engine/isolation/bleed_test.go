package isolation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// operations reads how many operations a test of random sessions makes.
func operations(t *testing.T, usual int) int {
	if text := os.Getenv("MANIFOLD_POOL_OPS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return usual
}

// bleeder is a session that remembers what it should find.
type bleeder struct {
	t     *testing.T
	s     *engineServer
	r     *rand.Rand
	id    int
	c     conn
	locks *lockTable

	setting  string   // of application_name
	prepared int      // what statement p gives; 0: there is none
	temp     []int    // rows of the temporary table; nil: there is none
	cursor   int      // rows left in the holdable cursor; below zero: there is none
	last     string   // currval; empty: not yet defined
	undo     *bleeder // the state at BEGIN; nil outside of a transaction
}

// lockTable is who holds which advisory lock.
type lockTable struct {
	mu    sync.Mutex
	owner map[int]*bleeder // guarded by mu
	count map[int]int      // guarded by mu
}

// TestNothingBleeds lets sessions that use the same names for different things share two backends: settings, prepared
// statements, temporary tables, cursors, sequences, advisory locks and transactions of one are never seen by another.
func TestNothingBleeds(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MANIFOLD_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("MANIFOLD_SEED=%d", seed)
	const sessions = 12
	s := start(t, 2)
	setup, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	setup.run("create sequence q")
	locks := &lockTable{owner: map[int]*bleeder{}, count: map[int]int{}}
	each := operations(t, 3000) / sessions
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b := &bleeder{t: t, s: s, r: rand.New(rand.NewPCG(seed, uint64(i))), id: i + 1, locks: locks}
			b.open()
			for range each {
				if t.Failed() {
					break
				}
				b.step()
			}
			b.end()
		}()
	}
	wg.Wait()
	setup.close()
	if st := s.p.Stat(); st.Running+st.Parked+st.Waiting+st.Leases+st.InTx != 0 || st.Backends > 3 {
		t.Errorf("left: %+v", st)
	}
	s.p.Close()
}

func (b *bleeder) open() {
	c, err := b.s.connect()
	if err != nil {
		b.t.Error(err)
		return
	}
	b.c, b.setting, b.prepared, b.temp, b.cursor, b.last, b.undo = c, "", 0, nil, -1, "", nil
}

// end closes the session, which gives its locks up.
func (b *bleeder) end() {
	b.locks.mu.Lock()
	defer b.locks.mu.Unlock()
	b.c.close()
	for k, o := range b.locks.owner {
		if o == b {
			delete(b.locks.owner, k)
			delete(b.locks.count, k)
		}
	}
}

// expect runs a text and compares its answer.
func (b *bleeder) expect(sql string, want ...string) {
	if got := b.c.run(sql); !slices.Equal(got, want) {
		b.t.Errorf("session %d: %s: got %q, want %q", b.id, sql, got, want)
	}
}

func (b *bleeder) step() {
	switch b.r.IntN(14) {
	case 0:
		b.setting = fmt.Sprintf("s%d-%d", b.id, b.r.IntN(1000))
		b.expect("set application_name = '"+b.setting+"'", "SET")
	case 1, 2:
		b.expect("show application_name", b.setting, "SHOW")
	case 3:
		b.prepare()
	case 4:
		if b.prepared != 0 {
			b.expect("execute p", strconv.Itoa(b.prepared), "SELECT 1")
		}
	case 5, 6:
		b.useTemp()
	case 7:
		b.useCursor()
	case 8:
		b.useSequence()
	case 9, 10:
		b.useLock()
	case 11, 12:
		b.useTransaction()
	case 13:
		if b.r.IntN(20) == 0 {
			b.end()
			b.open()
		}
	}
}

func (b *bleeder) prepare() {
	if b.prepared != 0 {
		b.expect("deallocate p", "DEALLOCATE")
		b.prepared = 0
		return
	}
	b.prepared = b.id*1000 + b.r.IntN(1000)
	b.expect(fmt.Sprintf("prepare p as select %d", b.prepared), "PREPARE")
}

func (b *bleeder) useTemp() {
	switch {
	case b.temp == nil:
		b.expect("create temp table mine (v int)", "CREATE TABLE")
		b.temp = []int{}
	case b.r.IntN(10) == 0:
		b.expect("drop table mine", "DROP TABLE")
		b.temp = nil
	case b.r.IntN(2) == 0:
		b.temp = append(slices.Clone(b.temp), b.id)
		b.expect(fmt.Sprintf("insert into mine values (%d)", b.id), "INSERT 0 1")
	default:
		b.expect("select count(*), coalesce(sum(v), 0) from mine", fmt.Sprintf("%d|%d", len(b.temp), len(b.temp)*b.id), "SELECT 1")
	}
}

func (b *bleeder) useCursor() {
	switch {
	case b.cursor < 0 && b.undo == nil:
		b.expect(fmt.Sprintf("declare c cursor with hold for select %d + g from generate_series(1, 5) g", b.id*100), "DECLARE CURSOR")
		b.cursor = 5
	case b.cursor > 0:
		b.expect("fetch c", strconv.Itoa(b.id*100+6-b.cursor), "FETCH 1")
		b.cursor--
	case b.cursor == 0:
		b.expect("close c", "CLOSE CURSOR")
		b.cursor = -1
	}
}

func (b *bleeder) useSequence() {
	if b.last != "" {
		b.expect("select currval('q')", b.last, "SELECT 1")
	}
	if got := b.c.run("select nextval('q')"); len(got) == 2 && got[1] == "SELECT 1" {
		b.last = got[0]
	} else {
		b.t.Errorf("nextval gave %q", got)
	}
}

// useLock takes or gives a lock of the session while nobody else touches it.
func (b *bleeder) useLock() {
	k := b.r.IntN(4)
	l := b.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner[k] == b && b.r.IntN(2) == 0 {
		b.expect(fmt.Sprintf("select pg_advisory_unlock(%d)", k), "t", "SELECT 1")
		if l.count[k]--; l.count[k] == 0 {
			delete(l.owner, k)
		}
		return
	}
	free := l.owner[k] == nil || l.owner[k] == b
	b.expect(fmt.Sprintf("select pg_try_advisory_lock(%d)", k), map[bool]string{true: "t", false: "f"}[free], "SELECT 1")
	if free {
		l.owner[k] = b
		l.count[k]++
	}
}

func (b *bleeder) useTransaction() {
	switch {
	case b.undo == nil:
		before := *b
		b.undo = &before
		b.expect("begin", "BEGIN")
	case b.r.IntN(2) == 0:
		b.undo = nil
		b.expect("commit", "COMMIT")
	default:
		u := b.undo
		b.setting, b.temp, b.undo = u.setting, u.temp, nil // prepared statements, currval and cursors of before stay as they are
		b.expect("rollback", "ROLLBACK")
	}
}
