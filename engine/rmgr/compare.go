package rmgr

import (
	"bytes"
	"strings"

	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/wal"
)

// Compare holds the pages that a record has changed, once it is replayed, against the images that were logged with it
// (wal_consistency_checking). A difference is the end of recovery: redo does not do what the server did.
func (c *RedoContext) Compare(r *wal.Record, m *Manager) error {
	for i := range r.Blocks {
		if b := &r.Blocks[i]; b.HasCheck && m.Mask != nil {
			if err := c.compare(r, b, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *RedoContext) compare(r *wal.Record, b *wal.BlockRef, m *Manager) error {
	n, err := c.Store.Blocks(b.Tag.File, b.Tag.Fork)
	if err != nil || b.Tag.Block >= n {
		return err // a later record drops or cuts it, or CheckMissing fails
	}
	buf, err := c.Pool.Pin(nil, b.Tag)
	if err != nil {
		return err
	}
	if c.want == nil {
		c.want, c.got = make(page.Page, page.Size), make(page.Page, page.Size)
	}
	buf.RLock()
	copy(c.got, buf.Page())
	buf.RUnlockRelease()
	if c.got.IsNew() || c.got.LSN() > r.End {
		return nil // noted as missing; or it came from disk with later changes
	}
	if err := b.RestoreImage(c.want); err != nil {
		return err
	}
	m.Mask(c.want)
	m.Mask(c.got)
	if bytes.Equal(c.want, c.got) {
		c.Compared++
		return nil
	}
	at := 0
	for c.want[at] == c.got[at] {
		at++
	}
	e := pgerror.Newf(pgerror.InternalError, "inconsistent page found, rel %d/%d/%d, forknum %d, blkno %d", b.Tag.File.Space,
		b.Tag.File.Database, b.Tag.File.Number, b.Tag.Fork, b.Tag.Block).
		WithDetail("The first difference after replay of the WAL record at %s (%s: %s) is byte %d: %d instead of %d.", r.Start,
			m.Name, m.Describe(r), at, c.got[at], c.want[at])
	e.Severity = pgerror.SeverityPanic
	return e
}

// checkable are the managers that wal_consistency_checking names, those of PostgreSQL; not all of them write records here.
func checkable() map[string]uint8 {
	return map[string]uint8{"heap2": Heap2, "heap": Heap, "btree": BTree, "hash": Hash, "gin": GIN, "gist": GiST,
		"sequence": Sequence, "spgist": SPGiST, "brin": BRIN, "generic": Generic}
}

// ParseChecks reads a value of wal_consistency_checking: a bit for each manager by number. It gives the word that it does not
// know.
func ParseChecks(text string) (managers uint32, unknown string) {
	names := checkable()
	for word := range strings.SplitSeq(text, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		id, ok := names[word]
		switch {
		case word == "" && strings.TrimSpace(text) == "":
		case word == "all":
			for _, id := range names {
				managers |= 1 << id
			}
		case ok:
			managers |= 1 << id
		default:
			return 0, word
		}
	}
	return managers, ""
}
