package proxy

import (
	"runtime/metrics"
	"sync"
	"time"
)

// memoryAge is how old the last look at the memory may be.
const memoryAge = 100 * time.Millisecond

// memory knows how much memory the server uses.
type memory struct {
	mu    sync.Mutex
	at    time.Time // guarded by mu
	bytes int64     // guarded by mu
}

// used gives the bytes that were live at the last collection, and those of stacks.
func (m *memory) used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.at) > memoryAge {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(sample)
		m.at, m.bytes = now, int64(sample[0].Value.Uint64()+sample[1].Value.Uint64())
	}
	return m.bytes
}
