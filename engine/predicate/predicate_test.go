package predicate

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func begin(m *Manager, id base.XID) *Xact {
	x := m.Begin(false, func() {})
	x.Assigned(id)
	return x
}

func commit(x *Xact) error { return x.Commit(func() error { return nil }) }

func row(n int) Target { return Row(1, 20000, base.TID{Block: 0, Offset: base.OffsetNumber(n)}) }

func wantFailure(t *testing.T, err error) {
	t.Helper()
	if pgerror.Code(err) != pgerror.TRSerializationFailure {
		t.Errorf("no serialization failure: %v", err)
	}
}

// TestWriteSkew: of two that read what the other writes, the second to commit fails.
func TestWriteSkew(t *testing.T) {
	m := New(DefaultLimits())
	a, b := begin(m, 10), begin(m, 11)
	a.Read(row(2))
	b.Read(row(1))
	for _, err := range []error{a.Write(row(1)), b.Write(row(2)), commit(a)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantFailure(t, commit(b))
	b.Abort()
	if n := m.Tracked(); n != 0 {
		t.Errorf("%d things are still tracked", n)
	}
}

// TestPromotion: many rows become a page, many pages the relation, and a split keeps what was locked.
func TestPromotion(t *testing.T) {
	m := New(DefaultLimits())
	x := begin(m, 10)
	for i := range 3 {
		x.Read(row(i + 1))
	}
	if _, ok := x.locks[Page(1, 20000, 0)]; !ok || len(x.locks) != 1 {
		t.Errorf("three rows of a page: %v", x.locks)
	}
	m.PageSplit(Page(1, 20000, 0), Page(1, 20000, 99))
	if _, ok := x.locks[Page(1, 20000, 99)]; !ok {
		t.Errorf("after a split: %v", x.locks)
	}
	for i := range 40 {
		x.Read(Page(1, 20000, base.BlockNumber(i)))
	}
	if _, ok := x.locks[Relation(1, 20000)]; !ok || len(x.locks) != 1 {
		t.Errorf("forty pages: %v", x.locks)
	}
	x.Abort()
	if m.held != 0 || len(m.locks) != 0 || len(x.parts) != 0 {
		t.Errorf("%d locks are left", m.held)
	}
}

// TestSummary: what was summarised still takes part in dangerous structures, and goes when nobody runs beside it.
func TestSummary(t *testing.T) {
	l := DefaultLimits()
	l.Finished = 0
	m := New(l)
	old := begin(m, 9)
	reader, writer := begin(m, 10), begin(m, 11)
	reader.Read(row(1))
	if err := commit(reader); err != nil {
		t.Fatal(err)
	}
	if len(m.oldLocks) != 1 {
		t.Fatalf("nothing was summarised")
	}
	// old -> writer -> ... : the summarised reader has a conflict to old, which then reads past the writer's commit.
	if err := writer.Write(row(2)); err != nil {
		t.Fatal(err)
	}
	if err := commit(writer); err != nil {
		t.Fatal(err)
	}
	if err := old.Write(row(1)); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, old.Unseen(11))
	old.Abort()
	if n := m.Tracked(); n != 0 {
		t.Errorf("%d things are still tracked", n)
	}
}

// TestSafeSnapshot: a READ ONLY transaction is let go once the writers beside it ended harmlessly.
func TestSafeSnapshot(t *testing.T) {
	m := New(DefaultLimits())
	if m.Begin(true, func() {}) != nil {
		t.Error("tracked though nobody writes")
	}
	w := begin(m, 10)
	r := m.Begin(true, func() {})
	r.Read(row(1))
	if err := w.Write(row(1)); err != nil {
		t.Fatal(err)
	}
	if err := commit(w); err != nil {
		t.Fatal(err)
	}
	<-r.Decided()
	if !r.Safe() || m.Tracked() != 0 {
		t.Errorf("safe %v, %d tracked", r.Safe(), m.Tracked())
	}
}
