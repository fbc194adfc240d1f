package park

import (
	"sync/atomic"

	"manifold/pool/turns"
)

// Level is how urgent a client is to others.
type Level uint8

// The levels, the most urgent last.
const (
	Normal  Level = iota // a client that only begins something
	Holding              // one that holds something others may wait for
	Wanted               // one that holds what others wait for
	levels
)

// starveEvery is the rhythm of turns that go to a lower level although those above it have clients: one to each.
const starveEvery = 8

// queue holds the ready clients: in each level the groups take turns, and within a group the first comes first.
type queue struct {
	levels [levels]turns.Queue[*Seat]
	n      atomic.Int32 // clients; changed with the mutex only
	turns  int
}

func (q *queue) push(s *Seat) {
	q.levels[s.level].Push(&s.group.lines[s.level], &s.entry)
	q.n.Add(1)
}

// pop takes the client whose turn it is; nil when none is ready.
func (q *queue) pop() *Seat {
	if q.n.Load() == 0 {
		return nil
	}
	q.turns++
	q.n.Add(-1)
	first := Wanted
	switch q.turns % starveEvery {
	case 0:
		first = Normal
	case starveEvery / 2:
		first = Holding
	}
	if s, ok := q.levels[first].Pop(); ok {
		return s
	}
	for level := int(Wanted); level >= 0; level-- {
		if s, ok := q.levels[level].Pop(); ok {
			return s
		}
	}
	return nil
}
