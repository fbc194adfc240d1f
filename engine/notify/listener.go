package notify

import (
	"slices"
	"sync/atomic"

	"manifold/engine/base"
)

// Listener is a session's end of the queue. Prepare, End and Take belong to the session's goroutine.
type Listener struct {
	queue    *Queue
	database base.OID
	pid      uint32
	wake     func()
	waiting  atomic.Int32 // how many are pending

	subs    []*subscription // guarded by queue.mu, in the order of LISTEN
	pending []delivery      // guarded by queue.mu
}

// subscription is a channel that a listener listens to.
type subscription struct {
	l         *Listener
	channel   string
	from      base.LSN // what was committed up to here is not heard
	tentative bool     // the transaction of its LISTEN has not ended
}

// delivery is a notification on its way to one listener.
type delivery struct {
	note   *Note
	from   *Message
	sender uint32
}

// NewListener makes the end of a session, which listens to nothing yet. wake is called, from any goroutine and under no lock,
// when something has come; it may be nil.
func (q *Queue) NewListener(database base.OID, pid uint32, wake func()) *Listener {
	return &Listener{queue: q, database: database, pid: pid, wake: wake}
}

// Waiting tells whether Take has something to give.
func (l *Listener) Waiting() bool { return l.waiting.Load() > 0 }

// Take hands out up to max notifications, the oldest first, through f.
func (l *Listener) Take(max int, f func(sender uint32, n *Note)) {
	q := l.queue
	q.mu.Lock()
	n := min(max, len(l.pending))
	batch := slices.Clone(l.pending[:n])
	clear(l.pending[:n])
	if l.pending = l.pending[n:]; len(l.pending) == 0 {
		l.pending = nil
	}
	for i := range batch {
		q.forgetLocked(&batch[i])
	}
	l.waiting.Store(int32(len(l.pending)))
	q.mu.Unlock()
	for i := range batch {
		f(batch[i].sender, batch[i].note)
	}
}

// Channels gives what the session listens to, in the order of LISTEN.
func (l *Listener) Channels() []string {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	var out []string
	for _, s := range l.subs {
		if !s.tentative {
			out = append(out, s.channel)
		}
	}
	return out
}

// Close ends all listening.
func (l *Listener) Close() { l.end([]action{{kind: unlistenAll}}, true) }

// prepare subscribes to the channels that the transaction may listen to once it commits.
func (l *Listener) prepare(actions []action, clock base.LSN) {
	if len(actions) == 0 {
		return
	}
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	for _, a := range actions {
		if a.kind == listen && l.findLocked(a.channel) < 0 {
			l.queue.subscribeLocked(&subscription{l: l, channel: a.channel, from: clock, tentative: true})
		}
	}
}

// end keeps what the actions of a transaction that committed ask for, and forgets the rest.
func (l *Listener) end(actions []action, committed bool) {
	if len(actions) == 0 {
		return
	}
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	want := make([]string, 0, len(l.subs))
	for _, s := range l.subs {
		if !s.tentative {
			want = append(want, s.channel)
		}
	}
	if committed {
		want = replay(want, actions)
	}
	keep := make([]*subscription, 0, len(want))
	for _, channel := range want {
		s := l.subs[l.findLocked(channel)]
		s.tentative = false
		keep = append(keep, s)
	}
	for _, s := range l.subs {
		if !slices.Contains(keep, s) {
			l.queue.unsubscribeLocked(s)
		}
	}
	l.subs = keep
	l.dropUnheardLocked()
}

// replay gives the channels that are listened to after the actions.
func replay(channels []string, actions []action) []string {
	for _, a := range actions {
		i := slices.Index(channels, a.channel)
		switch {
		case a.kind == unlistenAll:
			channels = channels[:0]
		case a.kind == unlisten && i >= 0:
			channels = slices.Delete(channels, i, i+1)
		case a.kind == listen && i < 0:
			channels = append(channels, a.channel)
		}
	}
	return channels
}

// dropUnheardLocked drops what waits for channels that are not listened to any more.
func (l *Listener) dropUnheardLocked() {
	l.pending = slices.DeleteFunc(l.pending, func(d delivery) bool {
		unheard := l.findLocked(d.note.Channel) < 0
		if unheard {
			l.queue.forgetLocked(&d)
		}
		return unheard
	})
	l.waiting.Store(int32(len(l.pending)))
}

func (l *Listener) findLocked(channel string) int {
	return slices.IndexFunc(l.subs, func(s *subscription) bool { return s.channel == channel })
}

// hears tells whether the session listens to one of the notifications.
func (l *Listener) hears(notes []Note) bool {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return len(l.subs) > 0 && slices.ContainsFunc(notes, func(n Note) bool { return l.findLocked(n.Channel) >= 0 })
}
