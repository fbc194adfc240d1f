package pool

// queue is a list of waiting leases, first come first served, linked through the leases. It is guarded by the pool's mutex.
type queue struct {
	head, tail *Lease
	n          int
}

func (q *queue) push(l *Lease) {
	l.prev, l.next = q.tail, nil
	if q.tail == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
	q.n++
}

func (q *queue) pop() *Lease {
	l := q.head
	q.remove(l)
	return l
}

func (q *queue) remove(l *Lease) {
	if l.prev == nil {
		q.head = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		q.tail = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.prev, l.next = nil, nil
	q.n--
}
