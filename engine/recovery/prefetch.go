package recovery

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/stats"
	"manifold/engine/storage"
	"manifold/engine/wal"
)

// mentionSlots is how many pages the prefetcher remembers: those of the batches that redo has not done yet, mostly.
const mentionSlots = 1 << 14

// mention is a page that a record has brought or will bring into memory, and the number of the record's batch.
type mention struct {
	tag   base.PageTag
	batch uint64
}

// prefetcher brings the pages that redo is going to read into the shared buffers: the operating system is told of each at once,
// and it is read when as many others as maintenance_io_concurrency have been told of after it.
type prefetcher struct {
	pool   *buffer.Pool
	store  *storage.Manager
	counts stats.Prefetch

	window   []base.PageTag // a ring of the pages told of and not yet read
	asked    uint64         // pages told of
	brought  uint64         // and read
	most     uint64         // that one batch may ask for, so that prefetched pages do not push out each other
	mentions []mention
}

func newPrefetcher(pool *buffer.Pool, concurrency int) *prefetcher {
	return &prefetcher{pool: pool, store: pool.Storage(), window: make([]base.PageTag, concurrency),
		most: uint64(pool.Frames() / (4 * aheadBatches)), mentions: make([]mention, mentionSlots)}
}

// look goes through the records of a batch that was just read: its number is a.read, redo has done so many batches.
func (p *prefetcher) look(a *ahead, b *batch, redone uint64) {
	from := p.asked
	for i := range b.Records {
		r := &b.Records[i]
		for k := range r.Blocks {
			ref := &r.Blocks[k]
			m := p.mention(ref.Tag)
			switch {
			case ref.WillInit:
				p.counts.SkipInit++
			case ref.HasImage:
				p.counts.SkipFPW++
			case m.batch > redone && m.tag == ref.Tag:
				p.counts.SkipRep++
				continue
			case p.asked-from >= p.most || a.moving(ref.Tag.File, redone) || !p.fetch(ref, a.stopped.Load()):
				continue
			default:
				a.handOver()
			}
			*m = mention{ref.Tag, a.read}
		}
	}
}

func (p *prefetcher) mention(t base.PageTag) *mention {
	h := (uint64(t.File.Number)<<32 | uint64(t.Block)) ^ uint64(t.Fork)<<28 ^ uint64(t.File.Database)<<8
	h *= 0x9e3779b97f4a7c15
	return &p.mentions[h>>32%mentionSlots]
}

// fetch asks for a page unless it is in memory or not there.
func (p *prefetcher) fetch(ref *wal.BlockRef, stopped bool) bool {
	if p.pool.Resident(ref.Tag) {
		p.counts.Hit++
		return false
	}
	if n, err := p.store.Blocks(ref.Tag.File, ref.Tag.Fork); err != nil || ref.Tag.Block >= n {
		p.counts.SkipNew++
		return false
	}
	if p.asked-p.brought == uint64(len(p.window)) {
		p.bring(stopped)
	}
	p.store.WillNeed(ref.Tag)
	p.window[p.asked%uint64(len(p.window))] = ref.Tag
	p.asked++
	p.counts.Read++
	return true
}

// bring reads the page that was asked for first; after a stop it only forgets it.
func (p *prefetcher) bring(stopped bool) {
	tag := p.window[p.brought%uint64(len(p.window))]
	p.brought++
	if !stopped {
		p.pool.Prefetch(tag)
	}
}
