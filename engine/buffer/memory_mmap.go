//go:build !race

package buffer

import (
	"golang.org/x/sys/unix"

	"manifold/engine/pgerror"
)

// allocate gets the pages outside the Go heap, in huge pages where the kernel grants them.
func allocate(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, pgerror.Newf(pgerror.OutOfMemory, "could not map %d bytes of anonymous memory: %v", n, err)
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish: without huge pages it is slower, not wrong
	return b, nil
}

func free(b []byte) error { return unix.Munmap(b) }
