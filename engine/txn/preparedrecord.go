package txn

import (
	"encoding/binary"
	"time"

	"manifold/engine/base"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/predicate"
	"manifold/engine/wal"
)

// PreparedState is a decoded prepare record. Its data: microseconds since 1970 (8), owner (4), database (4), flags (1:
// catalogs changed, 2 serializable), then lists, each behind its length (4): the identifier's bytes; subtransactions (8);
// dropped files (16) with flags (1: on commit, 2 on abort); locks: kind (1), sub (2), database (4), two numbers (8 each),
// mode (1); relations with locked rows: OID (4), mode (1); what was read: database, relation, block (4 each), line (2).
type PreparedState struct {
	PreparedInfo
	Subs     []base.XID
	Locks    []lock.Item
	RowLocks []RowLock
	Serial   bool
	Reads    []predicate.Target

	drops []drop
	data  []byte
}

func encodePrepared(t *Tx, p PreparedInfo, locks []lock.Item) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(p.Time.UnixMicro()))
	b = le.AppendUint32(le.AppendUint32(b, uint32(p.Owner)), uint32(p.Database))
	flags := byte(0)
	if p.Catalog {
		flags |= 1
	}
	var reads []predicate.Target
	if t.serial != nil {
		flags |= 2
		reads = t.serial.Targets()
	}
	b = append(b, flags)
	count := func(n int) { b = le.AppendUint32(b, uint32(n)) }
	count(len(p.GID))
	b = append(b, p.GID...)
	count(len(t.ident.Subs))
	for _, x := range t.ident.Subs {
		b = le.AppendUint64(b, uint64(x))
	}
	var drops []drop
	for _, d := range t.drops {
		if d.file.Temp == 0 {
			drops = append(drops, d)
		}
	}
	count(len(drops))
	for _, d := range drops {
		var f [17]byte
		putFile(f[:], d.file)
		if d.onCommit {
			f[16] |= 1
		}
		if d.onAbort {
			f[16] |= 2
		}
		b = append(b, f[:]...)
	}
	count(len(locks))
	for _, l := range locks {
		b = le.AppendUint16(append(b, byte(l.Tag.Kind)), l.Tag.Sub)
		b = le.AppendUint64(le.AppendUint64(le.AppendUint32(b, uint32(l.Tag.Database)), l.Tag.A), l.Tag.B)
		b = append(b, byte(l.Mode))
	}
	count(len(t.rowLocks))
	for _, l := range t.rowLocks {
		b = append(le.AppendUint32(b, uint32(l.Relation)), l.Mode)
	}
	count(len(reads))
	for _, r := range reads {
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, uint32(r.Database)), uint32(r.Relation)), uint32(r.Block))
		b = le.AppendUint16(b, uint16(r.Offset))
	}
	return b
}

// cut takes lists off the bytes of a record; bad sticks.
type cut struct {
	d   []byte
	bad bool
}

func (c *cut) take(n int) []byte {
	if n < 0 || n > len(c.d) {
		c.bad = true
		return make([]byte, 32)
	}
	out := c.d[:n]
	c.d = c.d[n:]
	return out
}

// list gives the number of entries of the next list, each size bytes.
func (c *cut) list(size int) int {
	n := int(binary.LittleEndian.Uint32(c.take(4)))
	if c.bad || n < 0 || n > len(c.d)/size {
		c.bad = c.bad || n != 0
		return 0
	}
	return n
}

// DecodePrepared reads a prepare record.
func DecodePrepared(r *wal.Record) (*PreparedState, error) {
	le := binary.LittleEndian
	p := &PreparedState{data: append([]byte(nil), r.Data...)}
	c := &cut{d: p.data}
	p.XID = r.XID
	p.Time = time.UnixMicro(int64(le.Uint64(c.take(8))))
	p.Owner, p.Database = base.OID(le.Uint32(c.take(4))), base.OID(le.Uint32(c.take(4)))
	flags := c.take(1)[0]
	p.Catalog, p.Serial = flags&1 != 0, flags&2 != 0
	p.GID = string(c.take(c.list(1)))
	for range c.list(8) {
		p.Subs = append(p.Subs, base.XID(le.Uint64(c.take(8))))
	}
	for range c.list(17) {
		f := c.take(17)
		p.drops = append(p.drops, drop{file: getFile(f), onCommit: f[16]&1 != 0, onAbort: f[16]&2 != 0})
	}
	for range c.list(24) {
		f := c.take(24)
		p.Locks = append(p.Locks, lock.Item{Mode: lock.Mode(f[23]), Tag: lock.Tag{Kind: lock.Kind(f[0]), Sub: le.Uint16(f[1:]),
			Database: base.OID(le.Uint32(f[3:])), A: le.Uint64(f[7:]), B: le.Uint64(f[15:])}})
	}
	for range c.list(5) {
		f := c.take(5)
		p.RowLocks = append(p.RowLocks, RowLock{base.OID(le.Uint32(f)), f[4]})
	}
	for range c.list(14) {
		f := c.take(14)
		p.Reads = append(p.Reads, predicate.Target{Database: base.OID(le.Uint32(f)), Relation: base.OID(le.Uint32(f[4:])),
			Block: base.BlockNumber(le.Uint32(f[8:])), Offset: base.OffsetNumber(le.Uint16(f[12:]))})
	}
	if c.bad || len(c.d) != 0 {
		return nil, pgerror.Corrupt("prepare record at %s is malformed", r.Start)
	}
	return p, nil
}
