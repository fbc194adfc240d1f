package txn

import (
	"encoding/binary"
	"fmt"
	"sort"
	"time"

	"manifold/engine/base"
	"manifold/engine/clog"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/storage"
	"manifold/engine/wal"
)

// The records of resource manager Transaction. A commit or abort: microseconds since 1970 (8), number of subtransactions
// (4), their ids (8 each), number of relations dropped (4), 16 bytes each, number of catalogs moved (4), database, relation
// and file number (4 each).
const (
	infoCommit uint8 = 1
	infoAbort  uint8 = 2
	// infoPrepare: see PreparedState.
	infoPrepare uint8 = 3
)

// buildEnd writes the main data of a commit or abort record.
func (t *Tx) buildEnd(b *wal.Builder, at time.Time, committed bool) {
	var buf [16]byte
	binary.LittleEndian.PutUint64(buf[:], uint64(at.UnixMicro()))
	binary.LittleEndian.PutUint32(buf[8:], uint32(len(t.ident.Subs)))
	b.Data(buf[:12])
	for _, x := range t.ident.Subs {
		binary.LittleEndian.PutUint64(buf[:], uint64(x))
		b.Data(buf[:8])
	}
	n := 0
	for i := range t.drops {
		if t.drops[i].at(committed) && t.drops[i].file.Temp == 0 {
			n++
		}
	}
	binary.LittleEndian.PutUint32(buf[:], uint32(n))
	b.Data(buf[:4])
	for i := range t.drops {
		if t.drops[i].at(committed) && t.drops[i].file.Temp == 0 {
			putFile(buf[:], t.drops[i].file)
			b.Data(buf[:])
		}
	}
	t.buildMoves(b, committed)
}

func (t *Tx) buildMoves(b *wal.Builder, committed bool) {
	moves := t.moves
	if !committed {
		moves = nil
	}
	var buf [12]byte
	binary.LittleEndian.PutUint32(buf[:], uint32(len(moves)))
	b.Data(buf[:4])
	for i := range moves {
		binary.LittleEndian.PutUint32(buf[:], uint32(moves[i].Database))
		binary.LittleEndian.PutUint32(buf[4:], uint32(moves[i].Relation))
		binary.LittleEndian.PutUint32(buf[8:], uint32(moves[i].Number))
		b.Data(buf[:])
	}
}

func putFile(b []byte, f base.RelFile) {
	binary.LittleEndian.PutUint32(b, uint32(f.Space))
	binary.LittleEndian.PutUint32(b[4:], uint32(f.Database))
	binary.LittleEndian.PutUint32(b[8:], uint32(f.Number))
	binary.LittleEndian.PutUint32(b[12:], f.Temp)
}

func getFile(b []byte) base.RelFile {
	return base.RelFile{
		Space:    base.OID(binary.LittleEndian.Uint32(b)),
		Database: base.OID(binary.LittleEndian.Uint32(b[4:])),
		Number:   base.OID(binary.LittleEndian.Uint32(b[8:])),
		Temp:     binary.LittleEndian.Uint32(b[12:]),
	}
}

// End is a decoded commit or abort record.
type End struct {
	XID       base.XID
	Committed bool
	Time      time.Time
	Subs      []base.XID
	Dropped   []base.RelFile
	Moved     []storage.Move
}

// DecodeEnd reads a commit or abort record.
func DecodeEnd(r *wal.Record) (End, error) {
	bad := func() (End, error) {
		return End{}, pgerror.Corrupt("transaction record at %s is malformed", r.Start)
	}
	e := End{XID: r.XID, Committed: r.Info == infoCommit}
	d := r.Data
	if len(d) < 20 {
		return bad()
	}
	e.Time = time.UnixMicro(int64(binary.LittleEndian.Uint64(d)))
	n := int(binary.LittleEndian.Uint32(d[8:]))
	if d = d[12:]; n < 0 || n > (len(d)-4)/8 {
		return bad()
	}
	for range n {
		e.Subs = append(e.Subs, base.XID(binary.LittleEndian.Uint64(d)))
		d = d[8:]
	}
	n = int(binary.LittleEndian.Uint32(d))
	if d = d[4:]; n < 0 || n > (len(d)-4)/16 || len(d) < 4 {
		return bad()
	}
	for range n {
		e.Dropped = append(e.Dropped, getFile(d))
		d = d[16:]
	}
	n = int(binary.LittleEndian.Uint32(d))
	if d = d[4:]; n < 0 || n*12 != len(d) {
		return bad()
	}
	for ; len(d) > 0; d = d[12:] {
		e.Moved = append(e.Moved, storage.Move{Database: base.OID(binary.LittleEndian.Uint32(d)),
			Relation: base.OID(binary.LittleEndian.Uint32(d[4:])), Number: base.OID(binary.LittleEndian.Uint32(d[8:]))})
	}
	return e, nil
}

// Replay is what redo of transaction records leaves behind: the unfinished transactions and the counters.
type Replay struct {
	clog    *clog.Log
	next    base.XID // one past every id seen
	nextOID base.OID
	open    map[base.XID]struct{} // seen writing, no end seen
	last    base.XID              // the one put there last
	prep    map[base.XID]*PreparedState
}

// NewReplay starts from the counters of the checkpoint.
func NewReplay(c *clog.Log, next base.XID, oid base.OID) *Replay {
	return &Replay{clog: c, next: max(next, base.FirstXID), nextOID: oid, open: map[base.XID]struct{}{}, prep: map[base.XID]*PreparedState{}}
}

// Note sees every record of the log, whoever wrote it.
func (p *Replay) Note(r *wal.Record) {
	if r.XID < base.FirstXID {
		return
	}
	p.next = max(p.next, r.XID+1)
	if r.RMgr != rmgr.Transaction && r.XID != p.last {
		p.open[r.XID] = struct{}{}
		p.last = r.XID
	}
}

// NoteCounters takes the counters of a checkpoint record.
func (p *Replay) NoteCounters(next base.XID, oid base.OID) {
	p.next, p.nextOID = max(p.next, next), max(p.nextOID, oid)
}

// NoteOID takes a next-OID record.
func (p *Replay) NoteOID(oid base.OID) { p.nextOID = oid }

// NextXID and NextOID give the counters to start with.
func (p *Replay) NextXID() base.XID { return p.next }
func (p *Replay) NextOID() base.OID { return p.nextOID }

// Unfinished gives the transactions that wrote and did not end: recovery logs their abort.
func (p *Replay) Unfinished() []base.XID {
	prepared := map[base.XID]bool{}
	for x, s := range p.prep {
		prepared[x] = true
		for _, sub := range s.Subs {
			prepared[sub] = true
		}
	}
	var xs []base.XID
	for x := range p.open {
		if !prepared[x] {
			xs = append(xs, x)
		}
	}
	return xs
}

// Prepared gives the transactions that were prepared and have not ended, oldest first.
func (p *Replay) Prepared() []*PreparedState {
	var out []*PreparedState
	for _, s := range p.prep {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].XID < out[j].XID })
	return out
}

// Abort records the end of an unfinished transaction in the commit log.
func (p *Replay) Abort(x base.XID) error {
	if err := p.clog.Reserve(x); err != nil {
		return err
	}
	p.clog.Set(x, clog.Aborted)
	p.ended(x)
	return nil
}

func (p *Replay) ended(x base.XID) {
	delete(p.open, x)
	if p.last == x {
		p.last = base.InvalidXID
	}
}

// BuildAbort writes the abort record of an unfinished transaction.
func BuildAbort(b *wal.Builder, x base.XID, at time.Time) {
	b.Begin(rmgr.Transaction, infoAbort, x)
	var t Tx
	t.buildEnd(b, at, false)
}

// Manager gives the resource manager of transaction records.
func (p *Replay) Manager() rmgr.Manager {
	return rmgr.Manager{ID: rmgr.Transaction, Name: "Transaction", Redo: p.redo, Describe: Describe, Moves: drops}
}

// drops gives the files that the end of a transaction removes.
func drops(r *wal.Record) ([]base.RelFile, bool) {
	if r.Info == infoPrepare {
		return nil, false
	}
	e, err := DecodeEnd(r)
	return e.Dropped, err != nil
}

func (p *Replay) redo(c *rmgr.RedoContext, r *wal.Record) error {
	switch r.Info {
	case infoCommit, infoAbort:
		e, err := DecodeEnd(r)
		if err != nil {
			return err
		}
		delete(p.prep, e.XID)
		st := clog.Aborted
		if e.Committed {
			st = clog.Committed
		}
		for _, x := range append(e.Subs, e.XID) {
			p.next = max(p.next, x+1)
			if err := p.clog.Reserve(x); err != nil {
				return err
			}
			p.clog.Set(x, st)
			p.ended(x)
		}
		if len(e.Moved) > 0 {
			if err := c.Store.MoveFiles(e.Moved); err != nil {
				return err
			}
		}
		for _, f := range e.Dropped {
			c.Pool.DropRelation(f)
			if err := c.Store.Unlink(f); err != nil {
				return err
			}
			c.ForgetRelation(f)
		}
		return nil
	}
	if r.Info == infoPrepare {
		s, err := DecodePrepared(r)
		if err != nil {
			return err
		}
		p.prep[s.XID] = s
		for _, x := range append([]base.XID{s.XID}, s.Subs...) {
			p.next = max(p.next, x+1)
			if err := p.clog.Reserve(x); err != nil {
				return err
			}
		}
		return nil
	}
	return pgerror.Corrupt("transaction record at %s has unknown kind %d", r.Start, r.Info)
}

// Describe renders a record for waldump.
func Describe(r *wal.Record) string {
	switch r.Info {
	case infoCommit, infoAbort:
		e, err := DecodeEnd(r)
		if err != nil {
			return err.Error()
		}
		verb := "ABORT"
		if e.Committed {
			verb = "COMMIT"
		}
		text := fmt.Sprintf("%s %s; subxacts %v; rels %v", verb, e.Time.UTC().Format(time.RFC3339Nano), e.Subs, e.Dropped)
		if len(e.Moved) > 0 {
			text += fmt.Sprintf("; moved %v", e.Moved)
		}
		return text
	}
	if r.Info == infoPrepare {
		s, err := DecodePrepared(r)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("PREPARE %s; gid %q; subxacts %v; %d locks", s.Time.UTC().Format(time.RFC3339Nano), s.GID, s.Subs, len(s.Locks))
	}
	return fmt.Sprintf("unknown %d", r.Info)
}
