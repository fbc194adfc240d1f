package rmgr

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/wal"
)

// The numbers of the resource managers, fixed on disk.
const (
	XLOG        uint8 = 0
	Transaction uint8 = 1
	Storage     uint8 = 2
	Clog        uint8 = 3
	Database    uint8 = 4
	Tablespace  uint8 = 5
	RelMap      uint8 = 7
	Heap2       uint8 = 9
	Heap        uint8 = 10
	BTree       uint8 = 11
	Hash        uint8 = 12
	GIN         uint8 = 13
	GiST        uint8 = 14
	Sequence    uint8 = 15
	SPGiST      uint8 = 16
	BRIN        uint8 = 17
	Generic     uint8 = 20
	Message     uint8 = 21
)

// Manager is one owner of log records.
type Manager struct {
	ID   uint8
	Name string
	// Redo replays a record. It runs alone.
	Redo func(*RedoContext, *wal.Record) error
	// Describe renders a record for waldump in one line.
	Describe func(*wal.Record) string
	// Moves gives the relations whose files redo of a record makes, cuts or removes, or tells that it may be any: their pages are
	// not read ahead across the record. Nil: no record does so. It must take any record.
	Moves func(*wal.Record) (files []base.RelFile, any bool)
	// Mask clears on a copy of a page what redo need not repeat: hints, unused space. Nil: its pages are not compared.
	Mask func(page.Page)
}

// Action says what redo has to do with a block.
type Action uint8

// The actions.
const (
	NeedsRedo Action = iota // apply the change, mark dirty, set the LSN (Finish does the latter two)
	Done                    // the page has the change already
	Restored                // the page was restored from its image
	NotFound                // the page is gone: a later record drops or truncates the relation
)

// RedoContext is what a redo function works with.
type RedoContext struct {
	Pool     *buffer.Pool
	Store    *storage.Manager
	missing  map[base.PageTag]base.LSN
	scratch  []byte
	Compared int // pages that Compare found right
	want     page.Page
	got      page.Page
}

// scratchSize holds any page and any tuple.
const scratchSize = 2 * page.Size

// Scratch gives memory for the redo of one record, with whatever the record before left there.
func (c *RedoContext) Scratch() []byte { return c.scratch }

// NewRedoContext makes the context of a recovery.
func NewRedoContext(pool *buffer.Pool) *RedoContext {
	return &RedoContext{Pool: pool, Store: pool.Storage(), missing: map[base.PageTag]base.LSN{},
		scratch: make([]byte, scratchSize)}
}

// ReadForRedo pins and exclusively latches a block of the record and says what to do with it. Images are applied
// unconditionally, WillInit blocks come back zeroed as NeedsRedo. With NotFound the Buffer is not valid; otherwise the
// caller ends with Finish (NeedsRedo) or UnlockRelease (Done, Restored).
func (c *RedoContext) ReadForRedo(r *wal.Record, id uint8) (buffer.Buffer, Action, error) {
	b := r.Block(id)
	if b == nil {
		return buffer.Buffer{}, NotFound, pgerror.Corrupt("WAL record at %s has no block %d", r.Start, id)
	}
	if b.HasImage || b.WillInit {
		buf, err := c.Pool.PinZero(nil, b.Tag)
		if err != nil {
			return buffer.Buffer{}, NotFound, err
		}
		if !b.HasImage {
			return buf, NeedsRedo, nil
		}
		if err := b.RestoreImage(buf.Page()); err != nil {
			buf.UnlockRelease()
			return buffer.Buffer{}, NotFound, err
		}
		buf.MarkDirty()
		if !buf.Page().IsNew() {
			buf.SetLSN(r.End)
		}
		return buf, Restored, nil
	}
	n, err := c.Store.Blocks(b.Tag.File, b.Tag.Fork)
	if err != nil {
		return buffer.Buffer{}, NotFound, err
	}
	if b.Tag.Block >= n {
		c.noteMissing(b.Tag, r.Start)
		return buffer.Buffer{}, NotFound, nil
	}
	buf, err := c.Pool.Pin(nil, b.Tag)
	if err != nil {
		return buffer.Buffer{}, NotFound, err
	}
	buf.Lock()
	if buf.Page().IsNew() {
		buf.UnlockRelease()
		c.noteMissing(b.Tag, r.Start)
		return buffer.Buffer{}, NotFound, nil
	}
	if buf.Page().LSN() >= r.End {
		return buf, Done, nil
	}
	return buf, NeedsRedo, nil
}

// Finish marks a replayed page dirty, sets its LSN, unlatches and releases it.
func (c *RedoContext) Finish(buf buffer.Buffer, r *wal.Record) {
	buf.MarkDirty()
	buf.SetLSN(r.End)
	buf.UnlockRelease()
}

// RestoreImages applies every image of a record: all the redo of a record that is only images.
func (c *RedoContext) RestoreImages(r *wal.Record) error {
	for i := range r.Blocks {
		if !r.Blocks[i].HasImage {
			continue
		}
		buf, _, err := c.ReadForRedo(r, r.Blocks[i].ID)
		if err != nil {
			return err
		}
		buf.UnlockRelease()
	}
	return nil
}

func (c *RedoContext) noteMissing(tag base.PageTag, at base.LSN) {
	if _, ok := c.missing[tag]; !ok {
		c.missing[tag] = at
	}
}

// ForgetPages drops the notes of missing pages of a fork from a block on: a truncation explains them.
func (c *RedoContext) ForgetPages(f base.RelFile, fork base.Fork, from base.BlockNumber) {
	for t := range c.missing {
		if t.File == f && t.Fork == fork && t.Block >= from {
			delete(c.missing, t)
		}
	}
}

// ForgetRelation drops the notes of a relation: a drop explains them.
func (c *RedoContext) ForgetRelation(f base.RelFile) {
	for t := range c.missing {
		if t.File == f {
			delete(c.missing, t)
		}
	}
}

// ForgetDatabase is ForgetRelation for all relations of a database.
func (c *RedoContext) ForgetDatabase(db base.OID) {
	for t := range c.missing {
		if t.File.Database == db {
			delete(c.missing, t)
		}
	}
}

// CheckMissing fails when a record referred to a page that was not there and nothing later explained it.
func (c *RedoContext) CheckMissing() error {
	for t, at := range c.missing {
		return pgerror.Corrupt("WAL contains references to invalid pages: page %s, record at %s", t, at)
	}
	return nil
}
