package plancache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/exec"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plan"
)

// Limits of the cache.
const (
	shardCount  = 16
	maxVariants = 8
	ghosts      = 1024 // shapes seen once, per shard
)

// Variant is one plan of a shape.
type Variant struct {
	Plan       *plan.Statement
	Text       string // the text it was made from
	Literals   []parse.Literal
	Generation uint64 // of the catalog cache
	Params     []base.OID
	Tag        string
	Slots      []Slot // by literal: how its value is read, where Plan.Slots says that it is

	// Checked is the role the privileges were last granted to, for this generation; zero for none.
	Checked atomic.Uint32

	// Stale is set when the plan should not be used again though the catalogs have not changed: a table has outgrown it.
	Stale atomic.Bool
	// Uses counts look-ups of sizes; Sizes is what the tables measured when the plan was made.
	Uses  atomic.Uint32
	Sizes []Size

	mu    sync.Mutex // guards free
	more  sync.Pool  // of *exec.Instance, those beyond keep
	free  []*exec.Instance
	keep  int
	bytes int64
}

// Slot says how a literal becomes the value of the constant it stands for.
type Slot struct {
	Type       base.OID
	Typmod     int32
	Negated    bool
	FromString bool
}

// Size is how large a table was when a plan was made, in pages.
type Size struct {
	Table  *heap.Table
	Blocks base.BlockNumber
}

// Outgrown tells whether a table of the plan has become so much larger or smaller that planning anew is worth it.
func (v *Variant) Outgrown() bool {
	for i := range v.Sizes {
		s := &v.Sizes[i]
		n, err := s.Table.Blocks()
		if err == nil && (n > 2*s.Blocks+8 || s.Blocks > 2*n+8) {
			return true
		}
	}
	return false
}

// NewVariant makes a variant that keeps up to keep idle instances.
func NewVariant(p *plan.Statement, text string, literals []parse.Literal, generation uint64, keep int) *Variant {
	return &Variant{Plan: p, Text: text, Literals: append([]parse.Literal(nil), literals...), Generation: generation, keep: keep,
		bytes: int64(len(text))*8 + 4096}
}

// Matches tells whether the plan serves a statement of the same shape: the literals it depends on are the same.
func (v *Variant) Matches(text string, literals []parse.Literal) bool {
	for i, fixed := range v.Plan.Slots {
		if fixed { // the value is read at run time
			continue
		}
		a, b := v.Literals[i], literals[i]
		if v.Text[a.Start:a.End] != text[b.Start:b.End] {
			return false
		}
	}
	return true
}

// Take gives an idle instance, or nil.
func (v *Variant) Take() *exec.Instance {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.free)
	if n == 0 {
		in, _ := v.more.Get().(*exec.Instance)
		return in
	}
	in := v.free[n-1]
	v.free[n-1] = nil
	v.free = v.free[:n-1]
	return in
}

// Put gives an instance back; what is kept beyond keep goes when the collector runs.
func (v *Variant) Put(in *exec.Instance) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.free) < v.keep {
		v.free = append(v.free, in)
		return
	}
	v.more.Put(in)
}

// Cache is the plans of one database. It is safe for concurrent use.
type Cache struct {
	shards [shardCount]shard
	seed   maphash.Seed
	limit  int64 // bytes per shard
	hits   atomic.Uint64
	misses atomic.Uint64
}

type shard struct {
	mu      sync.Mutex // guards the fields below
	entries map[string]*entry
	bytes   int64
	tick    uint64
	ghost   [ghosts]uint64
	next    int
}

type entry struct {
	variants []*Variant
	used     uint64
	bytes    int64
}

// New makes a cache of at most limit bytes.
func New(limit int64) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), limit: limit / shardCount}
	for i := range c.shards {
		c.shards[i].entries = map[string]*entry{}
	}
	return c
}

// Find gives the variant that serves a statement, made at the current generation, or nil. seen tells that the shape was met
// before, so that a plan made now is worth keeping.
func (c *Cache) Find(key []byte, text string, literals []parse.Literal, generation uint64) (v *Variant, seen bool) {
	h := maphash.Bytes(c.seed, key)
	s := &c.shards[h%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[string(key)]; ok {
		s.tick++
		e.used = s.tick
		for _, v := range e.variants {
			if v.Generation == generation && !v.Stale.Load() && v.Matches(text, literals) {
				c.hits.Add(1)
				return v, true
			}
		}
		c.misses.Add(1)
		return nil, true
	}
	c.misses.Add(1)
	for _, g := range s.ghost {
		if g == h {
			return nil, true
		}
	}
	s.ghost[s.next] = h
	s.next = (s.next + 1) % ghosts
	return nil, false
}

// Add keeps a variant; the oldest of its shape goes when there are too many, and the least used shapes when the cache is full.
func (c *Cache) Add(key []byte, v *Variant) {
	h := maphash.Bytes(c.seed, key)
	s := &c.shards[h%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[string(key)]
	if !ok {
		e = &entry{}
		s.entries[string(key)] = e
	}
	kept := e.variants[:0]
	for _, o := range e.variants {
		if o.Generation == v.Generation && !o.Stale.Load() {
			kept = append(kept, o)
		} else {
			e.bytes -= o.bytes
			s.bytes -= o.bytes
		}
	}
	clear(e.variants[len(kept):])
	e.variants = kept
	if len(e.variants) >= maxVariants {
		e.bytes -= e.variants[0].bytes
		s.bytes -= e.variants[0].bytes
		e.variants = append(e.variants[:0], e.variants[1:]...)
	}
	e.variants = append(e.variants, v)
	e.bytes += v.bytes
	s.bytes += v.bytes
	s.tick++
	e.used = s.tick
	for s.bytes > c.limit && len(s.entries) > 1 {
		s.evictLocked(string(key))
	}
}

// evictLocked drops the least recently used of a sample of entries.
func (s *shard) evictLocked(keep string) {
	victim, oldest, n := "", ^uint64(0), 0
	for k, e := range s.entries {
		if k == keep {
			continue
		}
		if e.used < oldest {
			victim, oldest = k, e.used
		}
		if n++; n >= 16 {
			break
		}
	}
	s.bytes -= s.entries[victim].bytes
	delete(s.entries, victim)
}

// Stats gives the number of look-ups that found a plan and that did not.
func (c *Cache) Stats() (hits, misses uint64) { return c.hits.Load(), c.misses.Load() }
