package btree

import (
	"bytes"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/predicate"
)

// Range is what a scan reads: keys from Lo to Hi. A bound is compared with the first bytes of a key: with Lo or Hi
// included the keys that begin with it are in, with it excluded they are out; so a bound may be the encoding of the first
// columns only. A nil bound is none.
type Range struct {
	Lo, Hi     []byte
	LoExcluded bool
	HiExcluded bool
}

// Scan reads the entries of a range, a leaf at a time, and holds nothing between calls. It keeps its memory for reuse
// and belongs to one goroutine.
type Scan struct {
	ix       *Index
	task     *activity.Task
	r        Range
	back     bool
	keepKeys bool
	serial   *predicate.Xact

	started bool
	done    bool
	next    base.BlockNumber // the leaf to read
	from    base.BlockNumber // backward: the leaf read before, which must be right of next

	vm      VisibilityMap
	visible []bool // of tids, with a map

	tids  []base.TID
	slots []uint16
	data  []byte // keys and payloads
	spans []span // of each entry in data
	page  base.BlockNumber
	lsn   base.LSN
	kills killed
	hint  buffer.Hint
}

// span says where in a scan's data an entry's key and payload are.
type span struct{ key, payload, end uint32 }

// VisibilityMap tells, without waiting, whether all rows on a page of the table are known to be visible to everybody. A scan
// asks it with the leaf latched: vacuum must remove an entry before it gives its row's place away, so what the map says
// while the entry stands holds for the entry's row.
type VisibilityMap interface {
	Visible(b base.BlockNumber) bool
}

// NewScan makes a scan; Reset says what it reads.
func (ix *Index) NewScan(task *activity.Task) *Scan { return &Scan{ix: ix, task: task} }

// Reset begins a scan of a range, forward or backward. The bounds are not copied. With keys, Key and Payload tell the
// entries' bytes.
func (s *Scan) Reset(r Range, backward, keys bool) {
	s.r, s.back, s.keepKeys = r, backward, keys
	s.started, s.done = false, false
	s.kills.reset()
}

// UseMap makes the scan ask m about each entry that it reads from now on; Visible gives the answers.
func (s *Scan) UseMap(m VisibilityMap) { s.vm = m }

// Visible tells of entry i of the last Next whether everybody sees its row, as the map said.
func (s *Scan) Visible(i int) bool { return s.visible[i] }

// Next reads on and gives the addresses of the next entries in order, at least one; none at the end. They and what
// Key and Payload give live until the next call. Entries killed before are left out.
func (s *Scan) Next() ([]base.TID, error) {
	if err := s.FlushKills(); err != nil {
		return nil, err
	}
	s.clear()
	for !s.done && len(s.tids) == 0 {
		if err := s.task.Interrupted(); err != nil {
			return nil, err
		}
		buf, err := s.nextLeaf()
		if err != nil {
			return nil, err
		}
		if s.done {
			break
		}
		s.read(buf)
		buf.RUnlockRelease()
	}
	return s.tids, nil
}

func (s *Scan) clear() {
	s.tids, s.slots, s.data, s.spans = s.tids[:0], s.slots[:0], s.data[:0], s.spans[:0]
	s.visible = s.visible[:0]
}

// Key and Payload give the bytes of entry i of the last Next.
func (s *Scan) Key(i int) []byte { return s.data[s.spans[i].key:s.spans[i].payload] }

func (s *Scan) Payload(i int) []byte { return s.data[s.spans[i].payload:s.spans[i].end] }

// Kill says that the row of entry i of the last Next is dead to every snapshot; the entry is marked when the scan goes on
// or at FlushKills.
func (s *Scan) Kill(i int) { s.kills.list = append(s.kills.list, i) }

// nextLeaf pins the next leaf of the range and latches it shared; at the end it sets done.
func (s *Scan) nextLeaf() (buf buffer.Buffer, err error) {
	if !s.started {
		s.started = true
		t := target{key: s.r.Lo, after: s.r.LoExcluded && s.r.Lo != nil}
		if s.back {
			t = s.upper()
		}
		if buf, err = s.ix.descend(s.task, t, 0, false, nil); err != nil {
			s.done = true
		}
		return buf, err
	}
	if s.next == base.InvalidBlock {
		s.done = true
		return buf, nil
	}
	if s.back {
		return s.leftLeaf()
	}
	return s.liveFrom(s.next)
}

// liveFrom latches the first node at or right of a block that is still in the tree.
func (s *Scan) liveFrom(b base.BlockNumber) (buffer.Buffer, error) {
	for range maxSteps {
		buf, err := s.ix.pin(s.task, b, false)
		if err != nil || !(node{buf.Page()}).deleted() {
			return buf, err
		}
		b = node{buf.Page()}.right()
		buf.RUnlockRelease()
	}
	return buffer.Buffer{}, s.ix.corrupt(b, "leads in circles")
}

// leftSteps is how many nodes right of an old left link are looked at before the node it came from is asked again.
const leftSteps = 8

// leftLeaf latches the left neighbour of the node read last, whose left link was next. That neighbour may have been split or
// taken out of the tree since, and so may the node itself; at the leftmost end it sets done.
func (s *Scan) leftLeaf() (buffer.Buffer, error) {
	for tries := 1; tries <= maxSteps; tries *= 2 {
		b := s.next
		for range leftSteps * tries {
			buf, err := s.ix.pin(s.task, b, false)
			if err != nil {
				return buf, err
			}
			n := node{buf.Page()}
			if !n.deleted() && n.right() == s.from {
				return buf, nil
			}
			b = n.right()
			buf.RUnlockRelease()
			if b == base.InvalidBlock {
				break
			}
		}
		buf, err := s.liveFrom(s.from) // what took its range over was read before
		if err != nil {
			return buf, err
		}
		s.from, s.next = buf.Tag().Block, node{buf.Page()}.left()
		buf.RUnlockRelease()
		if s.next == base.InvalidBlock {
			s.done = true
			return buffer.Buffer{}, nil
		}
	}
	return buffer.Buffer{}, s.ix.corrupt(s.next, "is not the left neighbour of its right neighbour")
}

// upper gives the place behind the last entry of the range.
func (s *Scan) upper() target {
	if s.r.Hi == nil {
		return target{end: true}
	}
	return target{key: s.r.Hi, after: !s.r.HiExcluded}
}

// read collects the entries of a leaf that are in the range.
func (s *Scan) read(buf buffer.Buffer) {
	n := node{buf.Page()}
	if s.serial != nil {
		s.serial.Read(s.ix.target(buf.Tag().Block))
	}
	s.page, s.lsn = buf.Tag().Block, n.LSN()
	lo, hi := 0, n.count()
	if s.r.Lo != nil {
		lo = n.search(target{key: s.r.Lo, after: s.r.LoExcluded})
	}
	if s.r.Hi != nil {
		hi = n.search(s.upper())
	}
	if !s.back {
		for i := lo; i < hi; i++ {
			s.keep(n, i)
		}
		s.next = n.right()
		if hi < n.count() || !n.beyond(s.upper()) {
			s.done = true
		}
		return
	}
	for i := hi - 1; i >= lo; i-- {
		s.keep(n, i)
	}
	s.from, s.next = s.page, n.left()
	if lo > 0 || s.next == base.InvalidBlock {
		s.done = true
	}
}

// keep copies the entries of an item.
func (s *Scan) keep(n node, i int) {
	if n.dead(i) {
		return
	}
	it := n.item(i)
	var sp span
	if s.keepKeys {
		sp.key = uint32(len(s.data))
		s.data = append(s.data, itemKey(it, 0)...)
		sp.payload = uint32(len(s.data))
		if !isList(it) {
			s.data = append(s.data, it[itemHead+keyLen(it):]...)
		}
		sp.end = uint32(len(s.data))
	}
	if !isList(it) {
		s.keepEntry(itemTID(it), i, sp)
		return
	}
	size := entries(it)
	for k := range size {
		if s.back {
			k = size - 1 - k
		}
		s.keepEntry(entryTID(it, k), i, sp)
	}
}

func (s *Scan) keepEntry(packed uint64, slot int, sp span) {
	tid := base.UnpackTID(packed)
	s.tids = append(s.tids, tid)
	s.slots = append(s.slots, uint16(slot))
	if s.vm != nil {
		s.visible = append(s.visible, s.vm.Visible(tid.Block))
	}
	if s.keepKeys {
		s.spans = append(s.spans, sp)
	}
}

// Contains tells whether the tree has the entry (key, tid), dead or not.
func (ix *Index) Contains(task *activity.Task, key []byte, tid base.TID) (bool, error) {
	t := target{key: key, tid: tid.Pack()}
	buf, err := ix.descend(task, t, 0, false, nil)
	if err != nil {
		return false, err
	}
	defer buf.RUnlockRelease()
	n := node{buf.Page()}
	i := n.search(t)
	if i < n.count() && n.tid(i) == t.tid && bytes.Equal(n.key(i), key) {
		return true, nil
	}
	return n.within(i, t) && holds(n.item(i-1), t.tid), nil
}

// SetSerial has the leaves locked that the scan reads for a SERIALIZABLE transaction; nil is for all others.
func (s *Scan) SetSerial(x *predicate.Xact) { s.serial = x }

// SetTask hands the scan to the task that goes on with it.
func (s *Scan) SetTask(task *activity.Task) { s.task = task }
