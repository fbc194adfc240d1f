package query

import "manifold/engine/base"

// Window is one window definition: of the WINDOW clause when it has a name, else of an OVER clause. Partition and Order
// refer to targets of the query.
type Window struct {
	Name        string // in the WINDOW clause
	Base        string // the window it was copied from
	Partition   []*SortItem
	Order       []*SortItem
	CopiedOrder bool // Order is Base's
	Frame       Frame
	Start, End  Expr // offsets: int8 of ROWS and GROUPS, what StartInRange and EndInRange take of RANGE

	StartInRange, EndInRange base.OID // support functions of the order's operator class
}

// Frame says which rows of a partition make up the frame of a row.
type Frame uint32

// The parts of a frame clause, by the numbers that parse trees use.
const (
	FrameNonDefault Frame = 1 << iota // a frame clause was written
	FrameRange
	FrameRows
	FrameGroups
	FrameBetween
	FrameStartUnboundedPreceding
	FrameEndUnboundedPreceding   // refused by the grammar
	FrameStartUnboundedFollowing // refused by the grammar
	FrameEndUnboundedFollowing
	FrameStartCurrentRow
	FrameEndCurrentRow
	FrameStartOffsetPreceding
	FrameEndOffsetPreceding
	FrameStartOffsetFollowing
	FrameEndOffsetFollowing
	FrameExcludeCurrentRow
	FrameExcludeGroup
	FrameExcludeTies

	FrameStartOffset = FrameStartOffsetPreceding | FrameStartOffsetFollowing
	FrameEndOffset   = FrameEndOffsetPreceding | FrameEndOffsetFollowing
	FrameExclusion   = FrameExcludeCurrentRow | FrameExcludeGroup | FrameExcludeTies
	FrameDefault     = FrameRange | FrameStartUnboundedPreceding | FrameEndCurrentRow
)

// Has tells whether a frame has one of the parts.
func (f Frame) Has(parts Frame) bool { return f&parts != 0 }

// WindowFunc calls a function over window number Window (from one) of its query.
type WindowFunc struct {
	T
	Func     base.OID
	Args     []Expr
	Filter   Expr
	Window   int
	Star     bool
	Agg      bool // an ordinary aggregate
	Variadic bool
	InColl   base.OID
}
