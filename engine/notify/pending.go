package notify

import (
	"slices"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// The limits of PostgreSQL: a channel is a name, and a notification fits on one of its pages.
const (
	maxChannel = 63
	maxPayload = 7999
)

// Pending is what the transaction of a session wants to say and hear, kept until it ends. It belongs to the session's goroutine.
type Pending struct {
	actions []action
	notes   []Note
	known   map[Note]struct{} // of notes, once they are many
	size    int64
	marks   []mark // by savepoint
	message *Message
}

type action struct {
	kind    actionKind
	channel string
}

type actionKind uint8

const (
	listen actionKind = iota
	unlisten
	unlistenAll
)

type mark struct{ actions, notes int }

// Note is one notification.
type Note struct{ Channel, Payload string }

func (n *Note) size() int64 { return noteSize + int64(len(n.Channel)+len(n.Payload)) }

// Empty tells whether the transaction has used neither LISTEN, UNLISTEN nor NOTIFY.
func (p *Pending) Empty() bool { return len(p.actions) == 0 && len(p.notes) == 0 }

// Clean tells whether there is nothing for End to do.
func (p *Pending) Clean() bool { return p.Empty() && p.message == nil && len(p.marks) == 0 }

// Speaks tells whether the transaction has notifications to send.
func (p *Pending) Speaks() bool { return len(p.notes) > 0 }

// Notify adds a notification (22023: a bad channel or payload; 54000: more than the queue would ever take).
func (p *Pending) Notify(channel, payload string) error {
	switch {
	case channel == "":
		return pgerror.New(pgerror.InvalidParameterValue, "channel name cannot be empty")
	case len(channel) > maxChannel:
		return pgerror.New(pgerror.InvalidParameterValue, "channel name too long")
	case len(payload) > maxPayload:
		return pgerror.New(pgerror.InvalidParameterValue, "payload string too long")
	}
	n := Note{channel, payload}
	if p.have(n) {
		return nil
	}
	if p.size += n.size(); p.size > DefaultLimit {
		p.size -= n.size()
		return errFull()
	}
	p.notes = append(p.notes, n)
	if p.known != nil {
		p.known[n] = struct{}{}
	}
	return nil
}

// few is the number of notifications that are looked through one by one.
const few = 16

func (p *Pending) have(n Note) bool {
	if len(p.notes) < few {
		return slices.Contains(p.notes, n)
	}
	if p.known == nil {
		p.known = make(map[Note]struct{}, 2*few)
		for _, o := range p.notes {
			p.known[o] = struct{}{}
		}
	}
	_, ok := p.known[n]
	return ok
}

// Listen is LISTEN, Unlisten is UNLISTEN and UnlistenAll UNLISTEN *. They count once the transaction commits.
func (p *Pending) Listen(channel string)   { p.actions = append(p.actions, action{listen, channel}) }
func (p *Pending) Unlisten(channel string) { p.actions = append(p.actions, action{unlisten, channel}) }
func (p *Pending) UnlistenAll()            { p.actions = append(p.actions, action{kind: unlistenAll}) }

// Begin sets a savepoint; Release forgets the newest; Rollback undoes what came after it and forgets it.
func (p *Pending) Begin()   { p.marks = append(p.marks, mark{len(p.actions), len(p.notes)}) }
func (p *Pending) Release() { p.marks = p.marks[:len(p.marks)-1] }

// Rollback undoes what came after the newest savepoint, and forgets that.
func (p *Pending) Rollback() {
	m := p.marks[len(p.marks)-1]
	p.Release()
	p.actions = p.actions[:m.actions]
	for i := m.notes; i < len(p.notes); i++ {
		p.size -= p.notes[i].size()
		delete(p.known, p.notes[i])
	}
	p.notes = p.notes[:m.notes]
}

// Prepare makes everything ready for the commit: it reserves room for the notifications (54000) and subscribes l to what the
// transaction listens to, from clock on. The message, nil without notifications, must be told of the commit's position in the
// commit section. End must follow.
func (p *Pending) Prepare(l *Listener, clock base.LSN) (*Message, error) {
	q := l.queue
	if len(p.notes) > 0 {
		if err := q.reserve(p.size); err != nil {
			return nil, err
		}
		p.message = &Message{queue: q, database: l.database, sender: l.pid, notes: p.notes, size: p.size}
		p.notes = nil
	}
	l.prepare(p.actions, clock)
	return p.message, nil
}

// End ends the transaction. It gives the position of its commit when the session listens to notifications of its own, to be
// delivered before its client is told that the command is over.
func (p *Pending) End(l *Listener, committed bool) (own base.LSN) {
	l.end(p.actions, committed)
	if m := p.message; m != nil {
		if m.lsn == 0 {
			l.queue.unreserve(m.size)
		} else {
			l.queue.tell()
			if l.hears(m.notes) {
				own = m.lsn
			}
		}
	}
	*p = Pending{actions: p.actions[:0], marks: p.marks[:0]}
	return own
}
