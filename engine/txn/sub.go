package txn

import (
	"manifold/engine/base"
)

// BeginSub opens a savepoint; an empty name is that of an internal one. It allocates nothing beyond its stack entry and
// assigns no id.
func (t *Tx) BeginSub(name string) {
	t.subs = append(t.subs, sub{mark: t.p.owner.Mark(), name: name, command: t.command})
}

// Depth gives the number of open savepoints.
func (t *Tx) Depth() int { return len(t.subs) }

// FindSub gives the depth of the innermost savepoint of a name (a savepoint at depth d is rolled back by AbortSub until
// Depth is d-1), zero when there is none.
func (t *Tx) FindSub(name string) int {
	for i := len(t.subs) - 1; i >= 0; i-- {
		if t.subs[i].name == name && name != "" {
			return i + 1
		}
	}
	return 0
}

// ReleaseSub makes the innermost savepoint part of what surrounds it.
func (t *Tx) ReleaseSub() {
	level := int32(len(t.subs))
	for i := len(t.levels) - 1; i >= 0 && t.levels[i] >= level; i-- {
		t.levels[i] = level - 1
	}
	for i := range t.drops {
		if t.drops[i].level >= level {
			t.drops[i].level = level - 1
		}
	}
	t.releaseMoves(level)
	t.pop()
}

// AbortSub rolls the innermost savepoint back and closes it: its ids are aborted, its locks released.
func (t *Tx) AbortSub() {
	level := int32(len(t.subs))
	s := t.subs[level-1]
	n := len(t.levels)
	for n > 0 && t.levels[n-1] >= level {
		n--
	}
	m := t.p.m
	gone := t.ident.Subs[n:]
	for _, x := range gone {
		m.abandon(x)
	}
	for i := range t.drops { // the files go with the end of the whole transaction, whose record tells redo of them
		if d := &t.drops[i]; d.level >= level {
			d.level, d.onCommit = level-1, d.onAbort
		}
	}
	t.abortMoves(level)
	for _, x := range gone {
		t.unlockXID(x)
	}
	t.ident.Subs, t.levels = t.ident.Subs[:n], t.levels[:n]
	t.p.owner.RollbackTo(s.mark)
	t.pop()
}

func (t *Tx) pop() {
	n := len(t.subs) - 1
	t.subs[n] = sub{}
	t.subs = t.subs[:n]
}

// DropOnCommit has the files of a relation removed when the transaction commits.
func (t *Tx) DropOnCommit(f base.RelFile) {
	t.drops = append(t.drops, drop{file: f, onCommit: true, level: int32(len(t.subs))})
}

// DropOnAbort has the files of a relation removed when the transaction, or the savepoint that made them, rolls back.
func (t *Tx) DropOnAbort(f base.RelFile) {
	t.drops = append(t.drops, drop{file: f, onAbort: true, level: int32(len(t.subs))})
}

// MadeTemporary tells whether the transaction has made or dropped files of temporary relations.
func (t *Tx) MadeTemporary() bool {
	for i := range t.drops {
		if t.drops[i].file.Temp != 0 {
			return true
		}
	}
	return false
}

func (t *Tx) hasDrops(committed bool) bool {
	for i := range t.drops {
		if t.drops[i].at(committed) {
			return true
		}
	}
	return false
}

// doDrops removes what the end of the transaction calls for.
func (t *Tx) doDrops(committed bool) error {
	var failed error
	for i := range t.drops {
		d := &t.drops[i]
		if !d.at(committed) {
			continue
		}
		t.p.m.pool.DropRelation(d.file)
		if err := t.p.m.pool.Storage().Unlink(d.file); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}
