package buffer

import "manifold/engine/base"

// Resident tells whether a page is in memory or being read. The answer may be old when it comes.
func (p *Pool) Resident(tag base.PageTag) bool {
	k := makeKey(tag)
	return p.table.find(p.frames, k, k.hash()) >= 0
}

// Prefetch brings a page into memory for a Pin to come. A failure is left to that Pin, which tries again and tells: the page may be
// one that nobody needs as it is.
func (p *Pool) Prefetch(tag base.PageTag) {
	if b, err := p.Pin(nil, tag); err == nil {
		b.Release()
	}
}
