package proxy

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	stormLook  = time.Second
	stormSize  = 1000      // logins whose garbage is worth a collection of its own
	stormCalm  = 50        // logins between two looks that do not count as a storm any more
	stormLimit = 256 << 20 // bytes that a collection may have to look through
)

// storm tells when many logins have come and no more do. What a login leaves behind is several times what a parked client
// keeps, and the collector would let it lie until the heap has grown by memory.headroom.
type storm struct {
	seen    int64 // logins at the last look
	pending int64 // logins since the last collection
}

// over takes the number of logins so far; true when their garbage should be collected.
func (s *storm) over(logins int64) bool {
	came := logins - s.seen
	s.seen = logins
	if s.pending += came; came > stormCalm || s.pending < stormSize {
		return false
	}
	s.pending = 0
	return true
}

// watchStorms collects the garbage of storms of logins until stop is closed.
func (s *Server) watchStorms(stop <-chan struct{}) {
	t := time.NewTicker(stormLook)
	defer t.Stop()
	var st storm
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		if st.over(s.accepted.Load()) && cheapToCollect() {
			debug.FreeOSMemory()
		}
	}
}

func cheapToCollect() bool {
	sample := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Kind() == metrics.KindUint64 && sample[0].Value.Uint64() <= stormLimit
}
