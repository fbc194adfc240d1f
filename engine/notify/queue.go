package notify

import (
	"context"
	"sync"
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// The limits. A transaction may send at most what the queue holds.
const (
	DefaultLimit = 64 << 20 // bytes held for listeners
	noteSize     = 96       // of a notification besides its text
	deliverySize = 24       // of a notification that waits for one more listener
)

// Log is what the queue needs of the log.
type Log interface {
	FlushedLSN() base.LSN
	// Notify sends to ch once the log is durable up to lsn; false when it is so already, or never will be.
	Notify(lsn base.LSN, ch chan<- struct{}) bool
	// Err tells that the log has failed.
	Err() error
}

// Queue brings notifications from transactions to listeners.
type Queue struct {
	log   Log
	limit int64
	news  chan struct{} // has room for one: a message was committed
	held  atomic.Int64  // bytes reserved or held

	commitsMu   sync.Mutex
	first, last *Message // guarded by commitsMu: committed and not yet delivered, in the order of the log

	mu       sync.Mutex
	channels map[key]map[*subscription]struct{} // guarded by mu
}

type key struct {
	database base.OID
	channel  string
}

// Message is the notifications of one transaction.
type Message struct {
	queue    *Queue
	database base.OID
	sender   uint32
	notes    []Note
	size     int64 // bytes reserved
	refs     int   // guarded by queue.mu: deliveries that are on their way
	lsn      base.LSN
	next     *Message // guarded by queue.commitsMu
}

// New makes a queue that holds up to limit bytes; zero is DefaultLimit.
func New(log Log, limit int64) *Queue {
	if limit == 0 {
		limit = DefaultLimit
	}
	return &Queue{log: log, limit: limit, news: make(chan struct{}, 1), channels: map[key]map[*subscription]struct{}{}}
}

// Run delivers until ctx ends or the log has failed.
func (q *Queue) Run(ctx context.Context) {
	flushed := make(chan struct{}, 1)
	for asked := base.LSN(0); ; {
		next := q.Deliver()
		if next > asked {
			asked = next
			if !q.log.Notify(next, flushed) {
				if q.log.Err() != nil {
					return
				}
				continue
			}
		}
		select {
		case <-q.news:
		case <-flushed:
		case <-ctx.Done():
			return
		}
	}
}

// Usage gives how much of the queue is taken, from 0 to 1.
func (q *Queue) Usage() float64 { return min(1, float64(q.held.Load())/float64(q.limit)) }

func errFull() error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "too many notifications in the NOTIFY queue")
}

func (q *Queue) reserve(size int64) error {
	if q.held.Add(size) > q.limit {
		q.held.Add(-size)
		return errFull()
	}
	return nil
}

func (q *Queue) unreserve(size int64) { q.held.Add(-size) }

// Committed notes where in the log the transaction has committed. It is called in the commit section, so that the order of
// messages is that of commits.
func (m *Message) Committed(lsn base.LSN) {
	q := m.queue
	m.lsn = lsn
	q.commitsMu.Lock()
	if q.last == nil {
		q.first = m
	} else {
		q.last.next = m
	}
	q.last = m
	q.commitsMu.Unlock()
}

// tell has Run look for messages.
func (q *Queue) tell() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// Deliver hands to the listeners what is durable, and gives the position of the next message that is not, zero for none.
func (q *Queue) Deliver() base.LSN {
	var wake []func()
	q.mu.Lock()
	flushed := q.log.FlushedLSN()
	var next base.LSN
	for {
		var m *Message
		if m, next = q.pop(flushed); m == nil {
			break
		}
		wake = q.deliverLocked(m, wake)
	}
	q.mu.Unlock()
	for _, f := range wake {
		f()
	}
	return next
}

// pop takes the oldest message that is durable, or gives the position of one that is not.
func (q *Queue) pop(flushed base.LSN) (*Message, base.LSN) {
	q.commitsMu.Lock()
	defer q.commitsMu.Unlock()
	m := q.first
	if m == nil {
		return nil, 0
	}
	if m.lsn > flushed {
		return nil, m.lsn
	}
	if q.first = m.next; q.first == nil {
		q.last = nil
	}
	m.next = nil
	return m, 0
}

// deliverLocked gives a message to those who listen and adds to wake what wakes those for whom nothing waited.
func (q *Queue) deliverLocked(m *Message, wake []func()) []func() {
	for i := range m.notes {
		n := &m.notes[i]
		for s := range q.channels[key{m.database, n.Channel}] {
			if m.lsn <= s.from {
				continue
			}
			l := s.l
			l.pending = append(l.pending, delivery{n, m, m.sender})
			m.refs++
			q.held.Add(deliverySize)
			if l.waiting.Add(1) == 1 && l.wake != nil {
				wake = append(wake, l.wake)
			}
		}
	}
	if m.refs == 0 {
		q.held.Add(-m.size)
	}
	return wake
}

// forgetLocked counts a delivery as done.
func (q *Queue) forgetLocked(d *delivery) {
	q.held.Add(-deliverySize)
	if d.from.refs--; d.from.refs == 0 {
		q.held.Add(-d.from.size)
	}
}

func (q *Queue) subscribeLocked(s *subscription) {
	k := key{s.l.database, s.channel}
	set := q.channels[k]
	if set == nil {
		set = map[*subscription]struct{}{}
		q.channels[k] = set
	}
	set[s] = struct{}{}
	s.l.subs = append(s.l.subs, s)
}

func (q *Queue) unsubscribeLocked(s *subscription) {
	k := key{s.l.database, s.channel}
	delete(q.channels[k], s)
	if len(q.channels[k]) == 0 {
		delete(q.channels, k)
	}
}
