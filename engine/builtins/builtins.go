package builtins

import (
	"math/rand/v2"
	"strconv"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Scalar computes one value. The bytes of the result live in the Context's arena or in an argument, until the batch ends.
type Scalar func(c *Context, args []types.Datum) (types.Datum, error)

// Kernel computes one batch: lanes listed in sel, or 0 to n-1 when sel is nil. The caller has merged the arguments' nulls
// into out.Nulls; what a kernel writes to null lanes is undefined, and it raises no error for them. An error at lane i
// sets c.ErrLane to i and is returned; the lanes before i are valid. out has been Reset for the result type.
type Kernel func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error

// Iterator is a running set-returning function. Next gives the next value, or false at the end; a value lives until the
// following Next.
type Iterator interface {
	Next(c *Context) (types.Datum, bool, error)
}

// SetReturning starts a set-returning function.
type SetReturning func(c *Context, args []types.Datum) (Iterator, error)

// Entry is what the engine has for one pg_proc row; exactly one of Scalar, Set and Aggregate is set.
type Entry struct {
	Name      string // PostgreSQL's name of the C function, or of the aggregate
	Args      int    // number of arguments; -1 is variadic "any"
	Scalar    Scalar
	Kernel    Kernel // nil: row by row
	Set       SetReturning
	Aggregate func() Aggregate
	Moving    func() Aggregate // nil, or one that is an Inverse with the very same results
}

// Context is what functions may use besides their arguments. One belongs to one running statement and is not shared
// between goroutines. Reset frees the arena when a batch ends.
type Context struct {
	Env       *types.Env
	Collation base.OID
	ArgTypes  []base.OID        // of the call at hand, for polymorphic and variadic "any" functions
	Result    base.OID          // declared result type of the call at hand, for polymorphic functions
	Columns   []types.Attribute // the column definition list of the call at hand, or nil
	ErrLane   int

	TransactionTime time.Time
	StatementTime   time.Time
	Clock           func() time.Time

	Rand *rand.Rand // the session's generator; nil: one is made

	Task *activity.Task // of the session that runs the statement, or nil
	Seen base.LSN       // up to which the statement sees commits

	Session any // what functions that need a session or the catalogs find there; nothing in this package looks at it

	arena   []byte
	regexes regexCache
	paths   pathCache
}

// Grab gives n bytes of scratch that live until Reset.
func (c *Context) Grab(n int) []byte {
	if n > cap(c.arena)-len(c.arena) {
		c.arena = make([]byte, 0, max(n, 4096, min(2*cap(c.arena), 1<<20)))
	}
	off := len(c.arena)
	c.arena = c.arena[:off+n]
	return c.arena[off : off+n : off+n]
}

// Reset frees everything that Grab gave.
func (c *Context) Reset() { c.arena = c.arena[:0] }

// text copies s into the arena.
func (c *Context) text(s string) types.Datum {
	b := c.Grab(len(s))
	copy(b, s)
	return types.Datum{B: b}
}

func (c *Context) random() *rand.Rand {
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return c.Rand
}

// Aggregate is one aggregate call over many groups. Init comes first with the types of the arguments; Grow makes room for
// groups 0 to n-1. Add takes a batch: the k-th selected lane goes to groups[k], or everything to group 0 when groups is nil.
// Nulls are the aggregate's own business. Result may be asked at any time; its bytes live until the next call.
type Aggregate interface {
	Init(argTypes []base.OID)
	Grow(groups int)
	Add(c *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error
	Result(c *Context, group int) (types.Datum, error)
	MemBytes() int64
}

// Inverse is an Aggregate that takes rows back which Add was given, in the order they came in.
type Inverse interface {
	Aggregate
	Remove(c *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error
}

const tableSize = 7000

// table is filled once and only read after that.
var table = buildTable()

func buildTable() *[tableSize]Entry {
	t := new([tableSize]Entry)
	byName := implementations()
	for _, p := range procTable {
		if e, ok := byName["sql:"+strconv.Itoa(int(p.oid))]; ok {
			e.Name, e.Args = p.src, int(p.args)
			t[p.oid] = e
			continue
		}
		if e, ok := byName[p.src]; ok {
			e.Name, e.Args = p.src, int(p.args)
			t[p.oid] = e
		}
	}
	for oid, e := range aggregates() {
		t[oid] = e
	}
	return t
}

// Lookup gives the implementation of a built-in function. A pg_proc row without one must fail with 0A000 and its name.
func Lookup(oid base.OID) (Entry, bool) {
	if oid >= tableSize {
		return Entry{}, false
	}
	e := &table[oid]
	return *e, e.Scalar != nil || e.Set != nil || e.Aggregate != nil
}
