package plan

import (
	"manifold/engine/base"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
)

// The leaves of a plan's expressions, which live beside the other expressions.
type (
	Side     = query.Side
	Col      = query.Col
	ParamSet = query.ParamSet
	SubExpr  = query.SubExpr
)

// The inputs of a node.
const (
	Outer = query.Outer
	Inner = query.Inner
)

// Statement is a complete plan.
type Statement struct {
	Root     Node
	Command  query.Command
	Columns  []ResultColumn // what the client gets; empty when the statement returns no rows
	SubPlans []*SubPlan
	Params   []base.OID // types of executor parameters (query.Param with Exec set, N from zero)
	External []base.OID // types of $1 ...
	Locks    []RelationLock
	Checks   []Privilege
	CTEs     []*CTE
	Slots    []bool             // by literal slot: the value is read at run time and may differ from the one planned with
	RowLock  query.LockStrength // of the first of its row marks, zero for none
	ReadOnly bool               // changes nothing: no ModifyTable, no row locks
}

// ResultColumn is a column of the result as RowDescription tells it.
type ResultColumn struct {
	Name   string
	Type   base.OID
	Typmod int32
	Table  base.OID
	Attr   int
}

// RelationLock is a lock to take before a shared plan runs.
type RelationLock struct {
	Relation base.OID
	Mode     uint8 // lock.Mode
}

// Privilege is what the user must be granted before the plan runs.
type Privilege struct {
	Relation base.OID
	Bits     uint32 // analyze.Priv bits
	CheckAs  base.OID
	Selected []int // columns that suffice
	Inserted []int
	Updated  []int
}

// SubPlan is a sub-select that runs as part of an expression.
type SubPlan struct {
	Root   Node
	Init   bool // runs at most once a statement; its value goes to executor parameter Output
	Output int
	Name   string // as EXPLAIN shows it
	Hashed bool   // ANY whose test is equality of hashable values: the rows are hashed once
}

// CTE is a WITH query that is read by CTEScans. It is computed once, and again when an executor parameter that it reads was set.
type CTE struct {
	Name   string
	Root   Node
	Output []base.OID
	Params []int
}

// Node is a plan node.
type Node interface{ Common() *Base }

// Base is what every node has. Its output columns are Project when that is set, otherwise its natural columns, which each
// node type declares. Filter is over the natural columns (of a join: over both sides) and comes before Project.
type Base struct {
	ID      int
	Out     []Column
	Filter  []query.Expr // conjuncts, cheapest first
	Project []query.Expr
	Rows    float64 // estimated
	Width   int
	Startup float64
	Total   float64
	Names   []string // of the natural columns, for EXPLAIN; nil where Attrs or the inputs tell them
}

// Common implements Node.
func (b *Base) Common() *Base { return b }

// Column is an output column. Fixed tells that its values are kept in types.Datum.I.
type Column struct {
	Type   base.OID
	Typmod int32
	Fixed  bool
	Name   string // for EXPLAIN
}

// Scan is what the scans of a relation share. Natural columns: Attrs (system columns by negative number; 0 the whole row).
// RTE is unique in a statement: the executor keeps the rows of a re-check by it.
type Scan struct {
	Base
	Rel   *relation.Desc
	Alias string
	RTE   int
	Attrs []int
}

// SeqScan reads a relation page by page.
type SeqScan struct{ Scan }

// KeyCond is a condition on an index column: `column op Value`, Strategy as in pg_amop (1 to 5). Any: Value is an array of
// which any element may match (equality only). IsNull and NotNull have no Value. Values hold no columns of the scanned
// relation: they are constants, parameters, or parameters set by an outer join.
type KeyCond struct {
	Column   int // of the index, from zero
	Strategy int
	Op       base.OID
	Func     base.OID
	Value    query.Expr
	Any      bool
	IsNull   bool
	NotNull  bool
}

// IndexScan reads a relation in the order of an index. Conds hold for what the index returns up to lossy keys; Recheck
// lists the conditions to test again on the row (all that the keys do not decide exactly). With Only, Attrs are read from
// the index alone where the visibility map allows.
type IndexScan struct {
	Scan
	Index    *relation.Index
	Conds    []KeyCond
	Recheck  []query.Expr
	Backward bool
	Only     bool
}

// BitmapHeap fetches the rows whose addresses its Source yields, in physical order.
type BitmapHeap struct {
	Scan
	Source  Bitmap
	Recheck []query.Expr
}

// Bitmap yields row addresses.
type Bitmap interface{ bitmap() }

// BitmapIndex takes addresses from an index.
type BitmapIndex struct {
	Index *relation.Index
	Conds []KeyCond
	Rows  float64
	Total float64
}

// BitmapAnd and BitmapOr combine addresses.
type (
	BitmapAnd struct{ Sources []Bitmap }
	BitmapOr  struct{ Sources []Bitmap }
)

func (*BitmapIndex) bitmap() {}
func (*BitmapAnd) bitmap()   {}
func (*BitmapOr) bitmap()    {}

// TidScan fetches rows by address: TIDs are expressions of type tid, or tid[] when Array is set; Cursor is WHERE CURRENT OF.
type TidScan struct {
	Scan
	TIDs   []query.Expr
	Array  bool
	Cursor string
}

// Result yields one row without columns, or the rows of Child (if any) with a one-time condition. Natural columns: Child's.
type Result struct {
	Base
	Child   Node // may be nil
	OneTime []query.Expr
}

// Values yields rows of expressions. Natural columns: those of the rows.
type Values struct {
	Base
	Alias string
	Rows  [][]query.Expr
}

// FunctionScan runs set-returning functions side by side. Natural columns: all their columns, then the ordinal.
type FunctionScan struct {
	Base
	Alias   string
	Funcs   []query.Expr
	Widths  []int // columns of each
	Ordinal bool
	Natural []base.OID // types of the natural columns without the ordinal
}

// CTEScan reads the rows of Statement.CTEs[Index].
type CTEScan struct {
	Base
	Alias string
	Index int
}

// WorkTableScan reads the rows of the last round of the RecursiveUnion around it.
type WorkTableScan struct {
	Base
	Alias string
	Table int
}

// RecursiveUnion runs Left once, then Right over what the last round added until nothing is added. With Distinct, rows seen
// before are dropped. Natural columns: Left's.
type RecursiveUnion struct {
	Base
	Table       int
	Left, Right Node
	Distinct    bool
	Group       []SortKey
}

// SubqueryScan renames the rows of a planned sub-select. Natural columns: Child's.
type SubqueryScan struct {
	Base
	Alias string
	Child Node
}

// Join is what joins share. Natural columns: Left's, then (not for semi and anti) Right's. On decides whether a pair
// matches; Base.Filter applies to the joined row. Only Inner, Left, Full, Right, Semi and Anti appear.
type Join struct {
	Base
	Type        query.JoinType
	Left, Right Node
	On          []query.Expr
}

// NestLoop runs Right once for each row of Left, after setting Params from that row.
type NestLoop struct {
	Join
	Params []ParamSet // values over Left (Side Outer)
}

// HashJoin builds a table of Right's rows and probes it with Left's. Keys[i] over Left equals RightKeys[i] over Right (its
// columns have Side Outer there), compared by Equal[i].
type HashJoin struct {
	Join
	LeftKeys  []query.Expr
	RightKeys []query.Expr
	Equal     []base.OID // equality functions
}

// MergeJoin joins inputs that are sorted by their keys.
type MergeJoin struct {
	Join
	Keys []MergeKey
}

// MergeKey pairs a column of the left output with one of the right output in a common order.
type MergeKey struct {
	Left, Right int
	Equal       base.OID
	Descending  bool
	NullsFirst  bool
}

// SortKey orders by output column Column.
type SortKey struct {
	Column     int
	Equal      base.OID // equality operator
	Descending bool
	NullsFirst bool
}

// Sort orders its input. Limit, when positive, is how many rows are wanted at most. Natural columns: Child's.
type Sort struct {
	Base
	Child Node
	Keys  []SortKey
	Bound query.Expr // LIMIT + OFFSET above, when they allow a top-N sort; nil otherwise
}

// Material keeps its input's rows so that they can be read again, as long as the executor parameters that they depend on stay as
// they are. Natural columns: Child's.
type Material struct {
	Base
	Child  Node
	Params []int
}

// AggStrategy is how groups are found.
type AggStrategy uint8

// The strategies of aggregation.
const (
	AggPlain  AggStrategy = iota // one group
	AggSorted                    // input is sorted by the group columns
	AggHashed
)

// Agg groups its input. Natural columns: the group columns, then the aggregates' results.
type Agg struct {
	Base
	Strategy AggStrategy
	Child    Node
	Group    []SortKey // columns of Child
	Calls    []AggCall
}

// AggCall is one aggregate; its expressions are over Child.
type AggCall struct {
	Func     base.OID
	Type     base.OID
	Args     []query.Expr
	ArgTypes []base.OID
	Filter   query.Expr
	Distinct bool
	Order    []SortKey // Column is an index into Args (which has the sort keys appended beyond NArgs)
	NArgs    int
	Star     bool
	Expr     *query.Aggref // for EXPLAIN
}

// WindowAgg computes window functions over its input, which is sorted by Partition, then Order. Start and End are the offsets
// of the frame. Natural columns: Child's, then the calls' results.
type WindowAgg struct {
	Base
	Child        Node
	Partition    []SortKey // columns of Child
	Order        []SortKey
	Frame        query.Frame
	Start, End   query.Expr
	StartInRange base.OID // support functions, for RANGE with offsets
	EndInRange   base.OID
	Calls        []WindowCall
	Run          []query.Expr // over the natural columns: once false in a partition, false for the rest of it; such rows are left out
}

// WindowCall is one call of a WindowAgg; its expressions are over Child.
type WindowCall struct {
	Func     base.OID
	Type     base.OID
	Args     []query.Expr
	ArgTypes []base.OID
	Filter   query.Expr
	Agg      bool
	Volatile bool              // an argument or the filter is
	Expr     *query.WindowFunc // for EXPLAIN
}

// Unique drops rows equal to the one before in the key columns. Natural columns: Child's.
type Unique struct {
	Base
	Child Node
	Keys  []SortKey
}

// Limit passes on Count rows after skipping Offset. Natural columns: Child's.
type Limit struct {
	Base
	Child    Node
	Count    query.Expr
	Offset   query.Expr
	WithTies []SortKey
}

// Append yields the rows of its children one after the other. Natural columns: those of each child.
type Append struct {
	Base
	Children []Node
}

// SetOp computes INTERSECT or EXCEPT by hashing. Natural columns: Left's.
type SetOp struct {
	Base
	Kind        query.SetOpKind
	All         bool
	Left, Right Node
	Keys        []SortKey
}

// ProjectSet evaluates Exprs, some of which return sets, for each input row; it yields as many rows as the longest set.
// Natural columns: one for each of Exprs.
type ProjectSet struct {
	Base
	Child Node
	Exprs []query.Expr
}

// LockRows locks the rows that its input names by ctid columns, and re-checks those that changed. Natural columns: Child's.
type LockRows struct {
	Base
	Child Node
	Marks []RowMark
	Old   []OldRow
}

// RowMark locks a row of relation Rel whose address is column Ctid of the child.
type RowMark struct {
	Rel        *relation.Desc
	RTE        int
	Ctid       int
	Strength   query.LockStrength
	NoWait     bool
	SkipLocked bool
}

// OldRow says that column Ctid of the child is the address of the row of scan RTE, which a re-check reads again.
type OldRow struct {
	RTE  int
	Ctid int
}

// Modify inserts, updates or deletes. The child's columns are, for INSERT, the values of Attrs; for UPDATE, the ctid (column
// Ctid) and the new values of Attrs (columns Values[i]); for DELETE, the ctid. Returning is over the new row (of DELETE: the
// old one), whose column N is attribute N+1 of Rel (Side Inner), and the child's row (Side Outer). Natural columns: Returning.
type Modify struct {
	Base
	Command    query.Command
	Rel        *relation.Desc
	RTE        int
	Child      Node
	Attrs      []int
	Given      []int // columns that the statement names or gives values to
	Values     []int
	Ctid       int
	Old        []OldRow // the other relations of the join
	Returning  []query.Expr
	Conflict   *Conflict
	Checks     []Check        // CHECK constraints over the new row (Side Outer: attribute N+1)
	Generated  []Generated    // stored generated columns
	IndexExprs [][]query.Expr // per index of Rel.Indexes: its expression columns over the new row
	Predicates [][]query.Expr // per index of Rel.Indexes: its predicate's conjuncts, nil for none
}

// Check is a CHECK constraint, planned.
type Check struct {
	Name string
	Expr query.Expr
}

// Generated computes a stored generated column.
type Generated struct {
	Attr int
	Expr query.Expr
}

// Conflict is ON CONFLICT: Set and Where are over the existing row (Side Outer, attribute N+1) and the proposed row (Side
// Inner, attribute N+1).
type Conflict struct {
	Update  bool
	Indexes []base.OID
	Attrs   []int
	Set     []query.Expr
	Where   []query.Expr
}
