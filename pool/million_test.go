package pool

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// crowd is sessions that do whatever they may with one pool, all at once.
type crowd struct {
	t                      *rapid.T
	pools                  *Pools
	p                      *Pool
	limits                 Limits
	running                atomic.Int32
	made, closed, canceled atomic.Int32
}

// toy is a backend that notices when two sessions use it.
type toy struct {
	Backend
	user   atomic.Pointer[Lease]
	closed atomic.Bool
	c      *crowd
}

func (b *toy) Close() {
	if b.closed.Swap(true) || b.user.Load() != nil {
		b.c.t.Errorf("a backend is closed twice, or while it is in use")
	}
	b.c.closed.Add(1)
}

// TestCrowd lets sessions of several users run, wait, be cancelled, park, fail and leave, while limits change and the pool is
// paused, suspended, resumed and recycled: no slot is lost or used twice, no backend is shared or leaked, nobody waits for
// ever, and no goroutine stays. MANIFOLD_POOL_OPS=1000000 makes it a million operations.
func TestCrowd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ops := 20_000
	if text := os.Getenv("MANIFOLD_POOL_OPS"); text != "" {
		var err error
		if ops, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := &crowd{t: t, limits: Limits{Slots: rapid.IntRange(1, 4).Draw(t, "slots"), Parked: rapid.IntRange(2, 6).Draw(t, "parked"),
			Reserve: rapid.IntRange(0, 1).Draw(t, "reserve"), Queue: rapid.IntRange(0, 12).Draw(t, "queue"),
			QueueTimeout: time.Duration(rapid.IntRange(1, 5).Draw(t, "timeout")) * time.Millisecond,
			Users:        map[string]UserLimits{"a": {Slots: 1, QueueTimeout: -1}}}}
		seed := rapid.Uint64().Draw(t, "seed")
		c.pools = NewPools(func(string) Limits { return c.limits }, func(base.OID) (Backend, error) {
			c.made.Add(1)
			return &toy{c: c}, nil
		})
		var err error
		if c.p, err = c.pools.Get(1, "crowd"); err != nil {
			t.Fatal(err)
		}
		c.play(seed, ops/100)
		st := c.p.Stat()
		if st.Running+st.Parked+st.Waiting+st.Leases+st.InTx != 0 {
			t.Fatalf("left: %+v", st)
		}
		if p := c.p; p.waived+p.longs+p.extra+p.held+p.parked != 0 || p.pressed.Load() {
			t.Fatalf("left: %d waived, %d long, %d of the reserve, %d held, %d parked", p.waived, p.longs, p.extra, p.held, p.parked)
		}
		c.pools.Close()
		if c.made.Load() != c.closed.Load() {
			t.Fatalf("%d backends made, %d closed", c.made.Load(), c.closed.Load())
		}
	})
}

// play runs so many operations in all.
func (c *crowd) play(seed uint64, ops int) {
	const sessions = 16
	var wg sync.WaitGroup
	left := make(chan struct{})
	for i := range sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := ops/sessions + 1; n > 0; {
				n -= c.live(r, min(n, 40), uint32(i))
			}
		}()
	}
	ruler := make(chan struct{})
	go func() {
		defer close(ruler)
		c.rule(rand.New(rand.NewPCG(seed, sessions)), left)
	}()
	wg.Wait()
	close(left)
	<-ruler
}

// rule changes limits and shuts and opens the gate until everybody has left.
func (c *crowd) rule(r *rand.Rand, left <-chan struct{}) {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for {
		select {
		case <-left:
			c.pools.Resume("")
			return
		case <-tick.C:
		}
		switch r.IntN(6) {
		case 0:
			if _, err := c.pools.Pause("crowd"); err != nil {
				continue
			}
			<-tick.C // for a while, whether it comes to rest or not
			c.pools.Resume("crowd")
		case 1:
			if _, err := c.pools.Suspend(); err != nil {
				continue
			}
			<-tick.C
			c.pools.Resume("")
		case 2:
			c.pools.Recycle("")
		case 3:
			l := c.limits
			l.Slots = 1 + r.IntN(4)
			c.p.SetLimits(l)
		default:
			if st := c.p.Stat(); st.Running > 5+c.limits.Reserve || st.Running < 0 || st.Parked < 0 || st.Waiting < 0 {
				c.t.Errorf("%+v", st)
			}
		}
	}
}

// live is one session: up to n operations.
func (c *crowd) live(r *rand.Rand, n int, id uint32) int {
	task := activity.NewTask(id+1, nil)
	l := c.p.NewLease(task, string(rune('a'+r.IntN(3))), r.IntN(4) == 0)
	open := false
	for i := range n {
		class := Normal + Class(r.IntN(2))
		if open {
			class = Holder
		}
		task.ClearCancel()
		var timer *time.Timer
		if r.IntN(8) == 0 {
			timer = time.AfterFunc(time.Duration(r.IntN(300))*time.Microsecond, func() {
				task.Cancel(pgerror.New(pgerror.QueryCanceled, "enough"))
			})
		}
		b, err := l.Acquire(class)
		if err == nil {
			c.use(r, l, b.(*toy), task)
			open = r.IntN(3) == 0
			l.Rest(open)
			l.Statement(time.Microsecond)
			if r.IntN(30) == 0 {
				l.Destroy()
			} else {
				l.Release()
			}
		} else if code := pgerror.Code(err); code != pgerror.QueryCanceled && code != pgerror.TooManyConnections {
			c.t.Errorf("%v", err)
		}
		if timer != nil {
			timer.Stop()
		}
		if r.IntN(50) == 0 {
			c.leave(l)
			return i + 1
		}
	}
	c.leave(l)
	return n
}

// use is a statement, which may wait inside.
func (c *crowd) use(r *rand.Rand, l *Lease, b *toy, task *activity.Task) {
	if !b.user.CompareAndSwap(nil, l) {
		c.t.Errorf("a backend is lent twice")
	}
	c.enter()
	for range r.IntN(3) {
		c.running.Add(-1)
		event := [...]activity.Event{activity.EventLockTuple, activity.EventClientWrite, activity.EventPgSleep, activity.EventSlot}[r.IntN(4)]
		if r.IntN(2) == 0 {
			task.BeginWait(event)
			task.EndWait()
		} else if err := task.Wait(event, nil, time.Duration(1+r.IntN(20))*time.Microsecond); err == nil {
			c.t.Errorf("waited for nothing without end")
		}
		c.enter()
		if b.user.Load() != l || b.closed.Load() {
			c.t.Errorf("a backend was given away while its statement waited")
		}
	}
	c.running.Add(-1)
	b.user.Store(nil)
}

// enter counts a statement that runs. The number of slots changes, so only the most that there ever are is a bound.
func (c *crowd) enter() {
	if n := c.running.Add(1); int(n) > 4+c.limits.Reserve {
		c.t.Errorf("%d statements run", n)
	}
}

// leave ends a session, which needs a backend for that whatever the gate is.
func (c *crowd) leave(l *Lease) {
	if _, err := l.AcquireAlways(); err != nil {
		c.t.Errorf("%v", err)
	}
	l.Rest(false)
	l.Release()
	l.End()
}
