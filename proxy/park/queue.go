package park

// The levels of the queue of ready clients: those that hold something others may wait for go first.
const (
	urgent = iota
	normal
	levels
)

// starveEvery is the rhythm of turns that go to the second level although the first has clients.
const starveEvery = 8

// list is seats in the order in which they became ready.
type list struct {
	head, tail *Seat
	in         bool // the group is in the ring of the level
}

// queue holds the ready clients: in each level the groups take turns, and within a group the first comes first.
type queue struct {
	rings [levels][]*Group
	n     int
	turns int
}

func (q *queue) push(s *Seat) {
	level := normal
	if s.urgent {
		level = urgent
	}
	g := s.group
	l := &g.lists[level]
	s.next = nil
	if l.tail == nil {
		l.head = s
	} else {
		l.tail.next = s
	}
	l.tail = s
	if !l.in {
		l.in = true
		q.rings[level] = append(q.rings[level], g)
	}
	q.n++
}

// pop takes the client whose turn it is; nil when none is ready.
func (q *queue) pop() *Seat {
	if q.n == 0 {
		return nil
	}
	q.turns++
	first, second := urgent, normal
	if q.turns%starveEvery == 0 {
		first, second = second, first
	}
	level := first
	if len(q.rings[level]) == 0 {
		level = second
	}
	ring := q.rings[level]
	g := ring[0]
	l := &g.lists[level]
	s := l.head
	if l.head = s.next; l.head == nil {
		l.tail = nil
	}
	s.next = nil
	switch {
	case l.head == nil:
		l.in = false
		q.rings[level] = removeFirst(ring)
	case len(ring) > 1:
		copy(ring, ring[1:])
		ring[len(ring)-1] = g
	}
	q.n--
	return s
}

func removeFirst(ring []*Group) []*Group {
	copy(ring, ring[1:])
	ring[len(ring)-1] = nil
	return ring[:len(ring)-1]
}
