//go:build race

package buffer

import "unsafe"

// allocate takes the pages from the Go heap, where the race detector sees them.
func allocate(n int) ([]byte, error) {
	w := make([]uint64, n/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), n), nil
}

func free([]byte) error { return nil }

// Prefault has nothing to do for memory of the Go heap.
func (p *Pool) Prefault() (stop func()) { return func() {} }
