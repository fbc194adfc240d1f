package turns

// Entry is one that can wait. It is in one line at most.
type Entry[T any] struct {
	Value      T
	prev, next *Entry[T]
}

// Next gives the entry behind this one in its line, nil behind the last.
func (e *Entry[T]) Next() *Entry[T] { return e.next }

// Line is the waiting entries of one user in the order in which they came. The zero Line is empty.
type Line[T any] struct {
	head, tail *Entry[T]
	prev, next *Line[T] // in the queue, while the line has entries
	n          int
}

// Len gives the number of entries in the line.
func (l *Line[T]) Len() int { return l.n }

// First gives the entry that has waited longest, nil when there is none.
func (l *Line[T]) First() *Entry[T] { return l.head }

// Push puts an entry that waits nowhere at the end of a line that is in no queue.
func (l *Line[T]) Push(e *Entry[T]) {
	if l.head == nil {
		l.head = e
	} else {
		l.tail.next = e
	}
	e.prev, e.next = l.tail, nil
	l.tail = e
	l.n++
}

// Remove takes an entry out of a line that is in no queue.
func (l *Line[T]) Remove(e *Entry[T]) {
	if e.prev == nil {
		l.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
	l.n--
}

// Queue is the lines with entries, in the order of their turns. The zero Queue is empty.
type Queue[T any] struct {
	head, tail *Line[T]
	n          int
}

// Len gives the number of entries in all lines.
func (q *Queue[T]) Len() int { return q.n }

// Push puts an entry that waits nowhere at the end of a line of this queue.
func (q *Queue[T]) Push(l *Line[T], e *Entry[T]) {
	if l.head == nil {
		q.append(l)
	}
	l.Push(e)
	q.n++
}

// Peek gives what Pop would.
func (q *Queue[T]) Peek() (v T, ok bool) {
	if q.head == nil {
		return v, false
	}
	return q.head.head.Value, true
}

// Pop takes the first entry of the line whose turn it is; the next turn is the next line's. False: nobody waits.
func (q *Queue[T]) Pop() (v T, ok bool) {
	l := q.head
	if l == nil {
		return v, false
	}
	e := l.head
	q.Remove(l, e)
	if l.head != nil && l.next != nil {
		q.unlink(l)
		q.append(l)
	}
	return e.Value, true
}

// Remove takes an entry out of the line of this queue that it waits in.
func (q *Queue[T]) Remove(l *Line[T], e *Entry[T]) {
	l.Remove(e)
	q.n--
	if l.head == nil {
		q.unlink(l)
	}
}

func (q *Queue[T]) append(l *Line[T]) {
	l.prev, l.next = q.tail, nil
	if q.tail == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
}

func (q *Queue[T]) unlink(l *Line[T]) {
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
}
