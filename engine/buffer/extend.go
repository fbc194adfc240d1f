package buffer

import (
	"manifold/engine/activity"
	"manifold/engine/base"
)

// maxExtend bounds the pages that one call adds.
const maxExtend = 64

// Extend appends a page to a fork and gives it pinned and exclusively latched. It is all zero, unless somebody who looks
// for pages by the fork's size used it before the latch was taken: then it is not new any more, and must not be made anew.
func (p *Pool) Extend(task *activity.Task, f base.RelFile, fork base.Fork) (Buffer, error) {
	b, _, err := p.ExtendMany(task, f, fork, 1)
	return b, err
}

// ExtendMany appends about n pages (fewer when memory is small), gives the first of them as Extend does, and how many
// there are. The frames are in place before the fork's size tells of them, so that nothing is read.
func (p *Pool) ExtendMany(task *activity.Task, f base.RelFile, fork base.Fork, n int) (Buffer, int, error) {
	var room [maxExtend]int32
	frames := room[:0]
	n = max(1, min(n, maxExtend, len(p.frames)/32))
	p.allocated.Add(int64(n))
	for range n {
		i, err := p.victim(task)
		if err != nil {
			p.giveBack(frames)
			return Buffer{}, 0, err
		}
		clear(p.page(i))
		frames = append(frames, i)
	}
	first, err := p.store.Extend(f, fork, n, func(first base.BlockNumber) {
		for k, i := range frames {
			if !p.place(i, base.PageTag{File: f, Fork: fork, Block: first + base.BlockNumber(k)}, k == 0) {
				p.frames[i].unpin()
				frames[k] = -1
			}
		}
	})
	if err != nil {
		p.giveBack(frames)
		return Buffer{}, 0, err
	}
	if frames[0] >= 0 {
		p.giveBack(frames[1:])
		if task != nil {
			task.Hold()
		}
		return Buffer{p, task, frames[0]}, n, nil
	}
	p.giveBack(frames)
	b, err := p.Pin(task, base.PageTag{File: f, Fork: fork, Block: first})
	if err != nil {
		return b, 0, err
	}
	b.Lock()
	return b, n, nil
}

// place puts a frame of ours into the table as the page; false when somebody is just looking for that page in vain.
func (p *Pool) place(i int32, tag base.PageTag, latch bool) bool {
	f, k := &p.frames[i], makeKey(tag)
	h := k.hash()
	mu := p.table.part(h)
	mu.Lock()
	defer mu.Unlock()
	if p.table.findLocked(p.frames, k, h) >= 0 {
		return false
	}
	if latch {
		f.latch.Lock()
	}
	f.setKey(k)
	p.table.insertLocked(p.frames, i, h)
	f.set(flagTagged | flagValid | usageOne)
	return true
}

// giveBack unpins frames, but for those that are none.
func (p *Pool) giveBack(frames []int32) {
	for _, i := range frames {
		if i >= 0 {
			p.frames[i].unpin()
		}
	}
}
