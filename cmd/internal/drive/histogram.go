package drive

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// subBits is the precision of a histogram: buckets are at most 1/2^subBits of their value wide.
const subBits = 5

// Histogram counts durations.
type Histogram struct {
	counts [64 << subBits]int64
	n      int64
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.n++
}

// bucket gives the bucket of a number of nanoseconds: exact for small ones, then 2^subBits buckets for each doubling.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// lower gives the smallest number of a bucket.
func lower(b int) uint64 {
	shift := max(b>>subBits-1, 0)
	return uint64(b-shift<<subBits) << shift
}

// Merge adds what another has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
}

// MarshalJSON writes the buckets that are not empty, each as its number and its count.
func (h Histogram) MarshalJSON() ([]byte, error) {
	list := [][2]int64{}
	for i, n := range h.counts {
		if n != 0 {
			list = append(list, [2]int64{int64(i), n})
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var list [][2]int64
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*h = Histogram{}
	for _, x := range list {
		if x[0] < 0 || x[0] >= int64(len(h.counts)) {
			return fmt.Errorf("a histogram has no bucket %d", x[0])
		}
		h.counts[x[0]] += x[1]
		h.n += x[1]
	}
	return nil
}

// Quantile gives the duration that a share q of all are not longer than; zero without any.
func (h *Histogram) Quantile(q float64) time.Duration {
	left := int64(q * float64(h.n))
	for i, n := range h.counts {
		if left -= n; left < 0 {
			return time.Duration(lower(i+1) - 1)
		}
	}
	return 0
}

// Count gives how many there are.
func (h *Histogram) Count() int64 { return h.n }
