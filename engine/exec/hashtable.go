package exec

import (
	"hash/maphash"

	"manifold/engine/base"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// keyTable numbers distinct keys: open hashing over the keys' normal forms, so that equal values have equal keys whatever
// they look like. A single fixed-width key is kept as its bits.
type keyTable struct {
	types  []base.OID
	single bool // one fixed-width column whose bits decide equality
	seed   maphash.Seed

	buckets []uint32 // entry number plus one
	hashes  []uint64
	bits    []int64
	nulls   []bool // of a single key
	arena   []byte
	ends    []uint64
	scratch []byte
}

func (t *keyTable) init(typs []base.OID, fixed []bool) {
	t.types = typs
	t.single = len(typs) == 1 && fixed[0] && typs[0] != types.OIDFloat4 && typs[0] != types.OIDFloat8
	if t.seed == (maphash.Seed{}) {
		t.seed = maphash.MakeSeed()
	}
	t.clear()
}

func (t *keyTable) clear() {
	if len(t.buckets) > 1<<14 {
		t.buckets, t.hashes, t.bits, t.nulls, t.arena, t.ends = nil, nil, nil, nil, nil, nil
	}
	if t.buckets == nil {
		t.buckets = make([]uint32, 64)
	}
	clear(t.buckets)
	t.hashes, t.bits, t.nulls, t.arena, t.ends = t.hashes[:0], t.bits[:0], t.nulls[:0], t.arena[:0], t.ends[:0]
}

func (t *keyTable) len() int { return len(t.hashes) }

// memory gives the bytes in use.
func (t *keyTable) memory() int64 {
	return int64(len(t.buckets)*4 + len(t.hashes)*8 + len(t.bits)*9 + len(t.arena) + len(t.ends)*8)
}

func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0x9E3779B97F4A7C15
	x ^= x >> 29
	x *= 0xBF58476D1CE4E5B9
	return x ^ x>>32
}

// hash gives the hash of lane i's key and, unless the key is single, leaves its normal form in scratch. null tells that
// some column is null.
func (t *keyTable) hash(cols []*vector.Vector, i int) (h uint64, null bool, err error) {
	if t.single {
		if cols[0].IsNull(i) {
			return 0x5bd1e995, true, nil
		}
		return mix(uint64(cols[0].Fixed[i])), false, nil
	}
	t.scratch = t.scratch[:0]
	for c, v := range cols {
		if v.IsNull(i) {
			null = true
		}
		if t.scratch, err = types.AppendKey(t.scratch, t.types[c], v.Get(i), false, false); err != nil {
			return 0, false, err
		}
	}
	return maphash.Bytes(t.seed, t.scratch), null, nil
}

// find gives the entry of the key last hashed, or -1.
func (t *keyTable) find(h uint64, cols []*vector.Vector, i int) int {
	mask := uint64(len(t.buckets) - 1)
	for b := h & mask; ; b = (b + 1) & mask {
		e := t.buckets[b]
		if e == 0 {
			return -1
		}
		if t.hashes[e-1] == h && t.equal(int(e-1), cols, i) {
			return int(e - 1)
		}
	}
}

func (t *keyTable) equal(e int, cols []*vector.Vector, i int) bool {
	if t.single {
		if null := cols[0].IsNull(i); null || t.nulls[e] {
			return null == t.nulls[e]
		}
		return t.bits[e] == cols[0].Fixed[i]
	}
	return string(t.key(e)) == string(t.scratch)
}

func (t *keyTable) key(e int) []byte {
	start := uint64(0)
	if e > 0 {
		start = t.ends[e-1]
	}
	return t.arena[start:t.ends[e]]
}

// insert adds the key last hashed, which must not be there, and gives its entry.
func (t *keyTable) insert(h uint64, cols []*vector.Vector, i int) int {
	if len(t.hashes)*2 >= len(t.buckets) {
		t.grow()
	}
	e := len(t.hashes)
	t.hashes = append(t.hashes, h)
	if t.single {
		null := cols[0].IsNull(i)
		t.nulls = append(t.nulls, null)
		bits := int64(0)
		if !null {
			bits = cols[0].Fixed[i]
		}
		t.bits = append(t.bits, bits)
	} else {
		t.arena = append(t.arena, t.scratch...)
		t.ends = append(t.ends, uint64(len(t.arena)))
	}
	t.place(uint32(e+1), h)
	return e
}

func (t *keyTable) place(e uint32, h uint64) {
	mask := uint64(len(t.buckets) - 1)
	b := h & mask
	for t.buckets[b] != 0 {
		b = (b + 1) & mask
	}
	t.buckets[b] = e
}

func (t *keyTable) grow() {
	t.buckets = make([]uint32, len(t.buckets)*4)
	for e, h := range t.hashes {
		t.place(uint32(e+1), h)
	}
}

// partition gives which of n (a power of two) parts a hash belongs to; other bits than the buckets' decide.
func partition(h uint64, n int) int { return int(h>>48) & (n - 1) }
