package trigger

import (
	"manifold/engine/base"
	"manifold/engine/exec"
	"manifold/engine/relation"
)

// rule is a constraint together with what it does about one kind of change of one table.
type rule struct {
	exec.RowChange
	constraint base.OID
	deferrable bool
	deferred   bool // unless SET CONSTRAINTS says otherwise
	done       int64
}

// ruleKey tells rules apart. The descriptor is part of it: after ALTER TABLE the table has another one.
type ruleKey struct {
	kind  exec.ChangeKind
	rel   *relation.Desc
	key   *relation.ForeignKey
	index *relation.Index
}

// Queue holds the events of one session's transaction.
type Queue struct {
	Replica bool // session_replication_role is replica, for the statement that runs

	now    eventLog // of the statement that runs
	later  eventLog // that wait for commit or SET CONSTRAINTS
	rules  []rule
	byKey  map[ruleKey]uint32
	last   uint32 // the rule of the last event
	modes  modes
	levels []level

	committing bool
	checkers   map[*relation.ForeignKey]*checker
	firing     uint64 // counts rounds of firing, so that checkers know what they did in this one
}

// modes is what SET CONSTRAINTS said in the transaction.
type modes struct {
	all  *bool // deferred or not
	each map[base.OID]bool
}

// level is what a savepoint goes back to.
type level struct {
	events int64
	rules  int
	modes  modes
	done   []int64
}

// New makes an empty queue; files takes what does not fit in memory.
func New(files exec.TempFiles) *Queue {
	q := &Queue{byKey: map[ruleKey]uint32{}, checkers: map[*relation.ForeignKey]*checker{}}
	q.now.files, q.later.files = files, files
	return q
}

// Note implements exec.After.
func (q *Queue) Note(c *exec.RowChange) error {
	if !c.Acts(q.Replica) {
		return nil
	}
	n := q.rule(c)
	l := &q.now
	if r := &q.rules[n]; r.deferrable && !q.committing && q.isDeferred(r) {
		l = &q.later
	}
	return l.add(event{n, c.Old, c.New})
}

// rule finds or makes the rule of a change.
func (q *Queue) rule(c *exec.RowChange) uint32 {
	if int(q.last) < len(q.rules) {
		if r := &q.rules[q.last]; r.Kind == c.Kind && r.Rel == c.Rel && r.Key == c.Key && r.Index == c.Index {
			return q.last
		}
	}
	k := ruleKey{c.Kind, c.Rel, c.Key, c.Index}
	n, ok := q.byKey[k]
	if !ok {
		n = uint32(len(q.rules))
		r := rule{RowChange: exec.RowChange{Kind: c.Kind, Rel: c.Rel, Key: c.Key, Index: c.Index}}
		if c.Key != nil {
			r.constraint, r.deferrable, r.deferred = c.Key.OID, c.Key.Deferrable, c.Key.Deferred
			if c.Kind == exec.KeyDeleted && c.Key.OnDelete != relation.NoAction ||
				c.Kind == exec.KeyUpdated && c.Key.OnUpdate != relation.NoAction {
				r.deferrable, r.deferred = false, false // actions never wait
			}
		} else {
			r.constraint, r.deferrable, r.deferred = c.Index.ConOID, true, c.Index.Deferred
		}
		q.rules = append(q.rules, r)
		q.byKey[k] = n
	}
	q.last = n
	return n
}

func (q *Queue) isDeferred(r *rule) bool {
	if d, ok := q.modes.each[r.constraint]; ok {
		return d
	}
	if q.modes.all != nil {
		return *q.modes.all
	}
	return r.deferred
}

// Set is SET CONSTRAINTS: of some constraints, or of all when list is nil. Statement afterwards does what became immediate.
func (q *Queue) Set(list []base.OID, deferred bool) {
	if list == nil {
		q.modes = modes{all: &deferred}
	} else {
		each := map[base.OID]bool{}
		for c, d := range q.modes.each {
			each[c] = d
		}
		for _, c := range list {
			each[c] = deferred
		}
		q.modes.each = each
	}
}

// Begin opens a savepoint.
func (q *Queue) Begin() {
	l := level{events: q.later.n, rules: len(q.rules), modes: q.modes}
	for i := range q.rules {
		l.done = append(l.done, q.rules[i].done)
	}
	q.levels = append(q.levels, l)
}

// Release makes the innermost savepoint part of what surrounds it.
func (q *Queue) Release() { q.levels = q.levels[:len(q.levels)-1] }

// Rollback goes back to the innermost savepoint and closes it.
func (q *Queue) Rollback() {
	l := q.levels[len(q.levels)-1]
	q.levels = q.levels[:len(q.levels)-1]
	q.now.clear()
	q.modes, q.committing = l.modes, false
	for i := range q.rules {
		q.rules[i].done = 0
		if i < len(l.done) {
			q.rules[i].done = l.done[i]
		}
	}
	q.later.truncate(l.events)
}

// Reset forgets everything: the transaction has ended.
func (q *Queue) Reset() {
	if q.now.n > 0 {
		q.now.clear()
	}
	q.later.clear()
	if len(q.rules) > 0 {
		q.rules = q.rules[:0]
		clear(q.byKey)
	}
	q.modes, q.levels, q.committing = modes{}, q.levels[:0], false
	if len(q.checkers) > maxCheckers {
		clear(q.checkers)
	}
}

// maxCheckers bounds the foreign keys whose checks a session keeps ready between transactions.
const maxCheckers = 64

// Quiet tells whether the statement that is over left nothing to be done.
func (q *Queue) Quiet() bool { return q.now.n == 0 }

// Idle tells whether nothing waits.
func (q *Queue) Idle() bool { return q.now.n == 0 && q.later.n == 0 }

// Pending tells whether events of a table wait, so that its shape must stay as it is.
func (q *Queue) Pending(table base.OID) bool {
	if q.Idle() {
		return false
	}
	waits := make([]bool, len(q.rules))
	for i := int64(0); i < q.later.n; i++ {
		if e, err := q.later.at(i); err != nil || i >= q.rules[e.rule].done {
			if err != nil {
				return true
			}
			waits[e.rule] = true
		}
	}
	for i := range q.rules {
		if waits[i] && q.rules[i].Rel.OID == table {
			return true
		}
	}
	return false
}
