package pool

// user is the sessions of one user of a pool: in each class they wait in a line of their own, and the lines take turns.
type user struct {
	name   string
	leases int // guarded by pool.mu
	lines  [classes]line
}

// line is the waiting leases of one user and class, first come first served, linked through the leases.
type line struct {
	head, tail *Lease
	prev, next *line // in the queue, while it has leases
}

// queue is the lines of a class in the order of their turns. It is guarded by the pool's mutex.
type queue struct {
	head, tail *line
	n          int // leases
}

func (q *queue) push(l *Lease, c Class) {
	u := &l.user.lines[c]
	if u.head == nil {
		q.append(u)
	}
	l.prev, l.next = u.tail, nil
	if u.tail == nil {
		u.head = l
	} else {
		u.tail.next = l
	}
	u.tail = l
	q.n++
}

// pop takes the lease whose turn it is; the next turn is another user's.
func (q *queue) pop(c Class) *Lease {
	u := q.head
	l := u.head
	q.remove(l, c)
	if u.head != nil {
		q.unlink(u)
		q.append(u)
	}
	return l
}

func (q *queue) remove(l *Lease, c Class) {
	u := &l.user.lines[c]
	if l.prev == nil {
		u.head = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		u.tail = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.prev, l.next = nil, nil
	q.n--
	if u.head == nil {
		q.unlink(u)
	}
}

func (q *queue) append(u *line) {
	u.prev, u.next = q.tail, nil
	if q.tail == nil {
		q.head = u
	} else {
		q.tail.next = u
	}
	q.tail = u
}

func (q *queue) unlink(u *line) {
	if u.prev == nil {
		q.head = u.next
	} else {
		u.prev.next = u.next
	}
	if u.next == nil {
		q.tail = u.prev
	} else {
		u.next.prev = u.prev
	}
	u.prev, u.next = nil, nil
}
