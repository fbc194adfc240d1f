package checkpoint

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/control"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/storage"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// The cluster of this test has one relation whose pages hold counters; a record adds one to a counter. It is the
// smallest thing that shows lost and doubled changes.

const (
	pages    = 40
	slots    = 8
	firstOff = 512 // counters lie in different sectors, so that torn pages show
	stride   = 900
)

var rel = base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 100}

func tagOf(b int) base.PageTag { return base.PageTag{File: rel, Block: base.BlockNumber(b)} }

func counter(p page.Page, s int) []byte { return p[firstOff+s*stride:][:8] }

func bump(p page.Page, s int) {
	binary.LittleEndian.PutUint64(counter(p, s), binary.LittleEndian.Uint64(counter(p, s))+1)
}

func redoCounter(c *rmgr.RedoContext, r *wal.Record) error {
	buf, action, err := c.ReadForRedo(r, 0)
	if err != nil || action == rmgr.NotFound {
		return err
	}
	if action != rmgr.NeedsRedo {
		buf.UnlockRelease()
		return nil
	}
	if r.Block(0).WillInit {
		buf.Page().Init(page.KindOther, page.MaxSpecial)
		buf.Page().SetLower(page.Size - page.MaxSpecial)
		buf.Page().SetUpper(page.Size - page.MaxSpecial)
	} else {
		bump(buf.Page(), int(r.Data[0]))
	}
	c.Finish(buf, r)
	return nil
}

// cluster is a running server, as far as it goes at this level.
type cluster struct {
	Mechanism
	rec wal.Builder
}

func open(fs *vfs.Mem, fresh bool, seen func(*wal.Record)) (*cluster, error) {
	const seg = 64 << 10
	o := wal.Options{SegmentSize: seg, BufferSize: 256 << 10, SystemID: 1, Timeline: 1}
	at := wal.FirstPosition(o)
	c := &cluster{}
	c.Store = storage.New(fs, storage.Options{})
	var err error
	if c.Pool, err = buffer.New(c.Store, nil, buffer.Options{Frames: 16}); err != nil {
		return nil, err
	}
	if fresh {
		if c.Control, err = control.OpenNew(fs, control.File{Incarnation: 1, State: control.StateProduction,
			Checkpoint: control.Checkpoint{Redo: at.Redo, Timeline: 1}}); err != nil {
			return nil, err
		}
		if err := errors.Join(c.Store.CreateDatabase(rel.Space, rel.Database), c.Store.Create(rel, base.MainFork, true), c.Store.Sync()); err != nil {
			return nil, err
		}
	} else if at, err = c.recover(fs, o, seen); err != nil {
		return nil, err
	}
	o.Incarnation = c.Control.Get().Incarnation
	if c.Log, err = wal.Open(fs, o, at); err != nil {
		return nil, err
	}
	c.Pool.SetLog(c.Log)
	_, err = c.Run(Request{Spare: 2})
	return c, err
}

func (c *cluster) recover(fs *vfs.Mem, o wal.Options, seen func(*wal.Record)) (wal.Position, error) {
	var f control.File
	var err error
	if c.Control, f, err = control.Open(fs); err != nil {
		return wal.Position{}, err
	}
	r := wal.NewReader(fs, wal.ReaderOptions{SegmentSize: o.SegmentSize, SystemID: 1, Timeline: 1, MustReach: f.CheckpointLSN,
		Incarnation: f.Incarnation, Sync: true}, f.Checkpoint.Redo)
	defer r.Close()
	ctx := rmgr.NewRedoContext(c.Pool)
	managers := map[uint8]rmgr.Manager{rmgr.XLOG: Manager(nil), 200: {Redo: redoCounter}}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return wal.Position{}, err
		}
		seen(rec)
		if err := managers[rec.RMgr].Redo(ctx, rec); err != nil {
			return wal.Position{}, err
		}
	}
	at := r.Position()
	if at.Prev == 0 {
		at = wal.FirstPosition(o)
	}
	at.Redo = f.Checkpoint.Redo
	return at, errors.Join(ctx.CheckMissing(), c.Control.Update(func(f *control.File) { f.Incarnation++ }))
}

func (c *cluster) bump(block, slot int) (base.LSN, error) {
	buf, err := c.Pool.Pin(nil, tagOf(block))
	if err != nil {
		return 0, err
	}
	defer buf.UnlockRelease()
	buf.Lock()
	bump(buf.Page(), slot)
	buf.MarkDirty()
	c.rec.Begin(200, 1, 9)
	c.rec.Block(0, buf.Tag(), buf.Page(), 0)
	c.rec.Data([]byte{byte(slot)})
	lsn, err := c.Log.Insert(&c.rec)
	if err == nil {
		buf.SetLSN(lsn)
	}
	return lsn, err
}

func (c *cluster) extend() error {
	buf, err := c.Pool.Extend(nil, rel, base.MainFork)
	if err != nil {
		return err
	}
	defer buf.UnlockRelease()
	buf.Page().Init(page.KindOther, page.MaxSpecial)
	buf.Page().SetLower(page.Size - page.MaxSpecial)
	buf.Page().SetUpper(page.Size - page.MaxSpecial)
	buf.MarkDirty()
	c.rec.Begin(200, 0, 9)
	c.rec.Block(0, buf.Tag(), buf.Page(), wal.WillInit)
	lsn, err := c.Log.Insert(&c.rec)
	if err == nil {
		buf.SetLSN(lsn)
	}
	return err
}

func (c *cluster) hint(block int) error {
	buf, err := c.Pool.Pin(nil, tagOf(block))
	if err != nil {
		return err
	}
	defer buf.RUnlockRelease()
	buf.RLock()
	if buf.Page().IsNew() {
		return nil
	}
	buf.Page().OrByte(firstOff+slots*stride+4, 1)
	return buf.MarkDirtyHint()
}

// ledger is what must be there: every change up to the last acknowledgement, and then a prefix of those after it.
type ledger struct {
	done  [][2]int // changes in log order
	acked int
}

func (c *cluster) workload(r *rand.Rand, l *ledger) error {
	for {
		n, err := c.Store.Blocks(rel, base.MainFork)
		if err != nil {
			return err
		}
		switch op := r.IntN(100); {
		case int(n) < pages && (n == 0 || op < 5):
			err = c.extend()
		case op < 70:
			b, s := r.IntN(int(n)), r.IntN(slots)
			buf, perr := c.Pool.Pin(nil, tagOf(b))
			if perr != nil {
				return perr
			}
			fresh := buf.Page().IsNew()
			buf.Release()
			if fresh {
				continue // the file grew, the record of the page was lost
			}
			var lsn base.LSN
			if lsn, err = c.bump(b, s); err == nil {
				l.done = append(l.done, [2]int{b, s})
				if r.IntN(4) == 0 {
					if err = c.Log.Flush(lsn); err == nil {
						l.acked = len(l.done)
					}
				}
			}
		case op < 85:
			err = c.hint(r.IntN(int(n)))
		case op < 92:
			_, err = c.Pool.CleanBuffers(1<<20, 4)
		case op < 94:
			_, err = c.Run(Request{Spare: 2})
		}
		if err != nil {
			return err
		}
	}
}

// check compares the pages with some prefix of the ledger, and cuts the ledger there.
func (c *cluster) check(t *testing.T, seed uint64, l *ledger) {
	t.Helper()
	n, err := c.Store.Blocks(rel, base.MainFork)
	if err != nil {
		t.Fatal(err)
	}
	got := map[[2]int]uint64{}
	total := uint64(0)
	for b := range int(n) {
		buf, err := c.Pool.Pin(nil, tagOf(b))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for s := range slots {
			if v := binary.LittleEndian.Uint64(counter(buf.Page(), s)); v > 0 {
				got[[2]int{b, s}] = v
				total += v
			}
		}
		buf.Release()
	}
	if total < uint64(l.acked) || total > uint64(len(l.done)) {
		t.Fatalf("seed %d: %d changes survived, %d acknowledged, %d made", seed, total, l.acked, len(l.done))
	}
	want := map[[2]int]uint64{}
	for _, d := range l.done[:total] {
		want[d]++
	}
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("seed %d: counter %v is %d, want %d", seed, k, got[k], v)
		}
	}
	l.done, l.acked = l.done[:total], int(total)
}

// TestPowerCuts runs a cluster through several power cuts: torn pages, torn log, lost directory entries.
func TestPowerCuts(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 5))
		fs := vfs.NewMem()
		c, err := open(fs, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		var l ledger
		for round := range uint64(5) {
			fs.Inject(vfs.Fault{Nth: 1 + r.IntN(400), Err: vfs.ErrPowerCut})
			err := c.workload(r, &l)
			if !errors.Is(err, vfs.ErrPowerCut) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			fs = fs.Crash(seed*100 + round)
			if c, err = open(fs, false, func(*wal.Record) {}); err != nil {
				t.Fatalf("seed %d round %d: recovery: %v (%s)", seed, round, err, pgerror.From(err).Detail)
			}
			c.check(t, seed, &l)
		}
	}
}

// TestCheckpointRecord reads back what a checkpoint wrote, and sees the log before it go.
func TestCheckpointRecord(t *testing.T) {
	fs := vfs.NewMem()
	c, err := open(fs, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.extend(); err != nil {
		t.Fatal(err)
	}
	res, err := c.Run(Request{Shutdown: true})
	if err != nil || res.Pages != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	f := c.Control.Get()
	if f.State != control.StateShutdown || f.CheckpointLSN != res.Record || f.Checkpoint.Redo != res.Redo {
		t.Fatalf("%+v", f)
	}
	r := wal.NewReader(fs, wal.ReaderOptions{SegmentSize: 64 << 10, SystemID: 1, Timeline: 1}, f.CheckpointLSN)
	rec, err := r.Next()
	if err != nil || !IsCheckpoint(rec) {
		t.Fatal(rec, err)
	}
	if got, err := Decode(rec); err != nil || got != f.Checkpoint {
		t.Fatalf("%+v, want %+v: %v", got, f.Checkpoint, err)
	}
}
