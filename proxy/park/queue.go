package park

import "manifold/pool/turns"

// The levels of the queue of ready clients: those that hold something others may wait for go first.
const (
	urgent = iota
	normal
	levels
)

// starveEvery is the rhythm of turns that go to the second level although the first has clients.
const starveEvery = 8

// queue holds the ready clients: in each level the groups take turns, and within a group the first comes first.
type queue struct {
	levels [levels]turns.Queue[*Seat]
	n      int
	turns  int
}

func (q *queue) push(s *Seat) {
	level := normal
	if s.urgent {
		level = urgent
	}
	q.levels[level].Push(&s.group.lines[level], &s.entry)
	q.n++
}

// pop takes the client whose turn it is; nil when none is ready.
func (q *queue) pop() *Seat {
	if q.n == 0 {
		return nil
	}
	q.turns++
	q.n--
	first, second := urgent, normal
	if q.turns%starveEvery == 0 {
		first, second = second, first
	}
	s, ok := q.levels[first].Pop()
	if !ok {
		s, _ = q.levels[second].Pop()
	}
	return s
}
