package btree

import (
	"slices"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
)

// killed is the entries of a leaf that a scan found dead to every snapshot.
type killed struct {
	list []int // of the scan's addresses

	cuts    []byte // what is to go of lists that stay
	gone    []uint16
	scratch page.Page
}

// minCut is how many entries of a list must be dead for it to be cut when not all are. Fewer are left to vacuum.
const minCut = 8

func (k *killed) reset() { k.list = k.list[:0] }

// FlushKills marks the killed entries, unless their leaf has changed since. Of a list all must be killed for that; when it
// is half of them or more, they are taken out of it, or every scan would ask for their rows again.
func (s *Scan) FlushKills() error {
	if len(s.kills.list) == 0 {
		return nil
	}
	defer s.kills.reset()
	buf, err := s.ix.pin(s.task, s.page, false)
	if err != nil {
		return err
	}
	n := node{buf.Page()}
	if n.LSN() != s.lsn || !s.ix.logged { // without log positions nothing tells whether slots have moved
		buf.RUnlockRelease()
		return nil
	}
	if s.killAll(n) {
		err = s.ix.hinted(buf)
	}
	lsn := n.LSN() // an image may have been logged
	buf.RUnlock()
	if err == nil && len(s.kills.cuts) > 0 {
		err = s.cut(buf, lsn)
	}
	buf.Release()
	return err
}

// killAll marks the items of which all entries are killed, and lists in cuts what is to go of others.
func (s *Scan) killAll(n node) (any bool) {
	k := &s.kills
	k.cuts = k.cuts[:0]
	slices.Sort(k.list)
	k.list = slices.Compact(k.list)
	for from := 0; from < len(k.list); {
		slot, to := s.slots[k.list[from]], from+1
		for to < len(k.list) && s.slots[k.list[to]] == slot {
			to++
		}
		size := entries(n.item(int(slot)))
		switch dead := to - from; {
		case dead == size:
			n.kill(int(slot))
			any = true
		case dead >= minCut && dead >= size/2:
			s.planCut(int(slot), k.list[from:to], size)
		}
		from = to
	}
	return any
}

// planCut adds entries of the list at a slot, which the scan has one behind the other, to the cuts. Those of a backward scan
// are its greatest first.
func (s *Scan) planCut(slot int, list []int, size int) {
	k := &s.kills
	first := list[0]
	for first > 0 && int(s.slots[first-1]) == slot {
		first--
	}
	k.gone = k.gone[:0]
	for _, i := range list {
		at := i - first
		if s.back {
			at = size - 1 - at
		}
		k.gone = append(k.gone, uint16(at))
	}
	if !s.back {
		k.cuts = appendCut(k.cuts, slot, k.gone)
		return
	}
	slices.Reverse(k.gone)
	k.cuts = slices.Insert(k.cuts, 0, appendCut(nil, slot, k.gone)...) // cuts ascend, slots are met from the right
}

// cut takes killed entries out of lists, if the leaf is free and still has the LSN.
func (s *Scan) cut(buf buffer.Buffer, lsn base.LSN) error {
	if !buf.TryLock() {
		return nil
	}
	defer buf.Unlock()
	if (node{buf.Page()}).LSN() != lsn {
		return nil
	}
	if s.kills.scratch == nil {
		s.kills.scratch = make(page.Page, page.Size)
	}
	return s.ix.remove(buf, nil, s.kills.cuts, s.kills.scratch)
}
