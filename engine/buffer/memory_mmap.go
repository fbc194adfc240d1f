//go:build !race

package buffer

import (
	"time"

	"golang.org/x/sys/unix"

	"manifold/engine/page"
	"manifold/engine/pgerror"
)

// How far ahead of the clock hand Prefault is, how much it asks for at a time, in bytes, and how often it looks where the hand is.
const (
	prefaultAhead = 16 << 20
	prefaultStep  = 1 << 20
	prefaultTick  = time.Millisecond
)

// allocate gets the pages outside the Go heap.
func allocate(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, pgerror.Newf(pgerror.OutOfMemory, "could not map %d bytes of anonymous memory: %v", n, err)
	}
	return b, nil
}

func free(b []byte) error { return unix.Munmap(b) }

// Prefault has the kernel provide memory for frames that are about to be used first, as redo does, until the function that it gives is
// called. From then on memory comes in huge pages where the kernel grants them. Until then it comes in small ones: the kernel has those
// at hand from what the process before has left, and huge ones may have to be fetched from a virtual machine's host.
func (p *Pool) Prefault() (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(prefaultTick)
		defer tick.Stop()
		for at := 0; ; {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			for at < len(p.mem) && at < int(p.hand.Load())*page.Size+prefaultAhead {
				n := min(prefaultStep, len(p.mem)-at)
				if unix.Madvise(p.mem[at:at+n], unix.MADV_POPULATE_WRITE) != nil { // an older kernel
					return
				}
				at += n
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		_ = unix.Madvise(p.mem, unix.MADV_HUGEPAGE) // a wish: without huge pages it is slower, not wrong
	}
}
