package query

import (
	"manifold/engine/base"
	"manifold/engine/relation"
)

// Command is the kind of an optimizable statement.
type Command uint8

// The optimizable statements.
const (
	Select Command = iota
	Insert
	Update
	Delete
)

// Query is one SELECT, INSERT, UPDATE or DELETE, or one branch or sub-select of such a statement.
type Query struct {
	Command   Command
	CTEs      []*CTE
	Recursive bool
	Range     []*RangeEntry // the range table; a Var's RTE counts from one
	From      []FromItem    // the items of FROM, joined by comma
	Where     Expr          // nil is true
	Targets   []*Target
	Result    int // INSERT, UPDATE, DELETE: range table index of the target relation
	Override  byte
	Returning []*Target
	Conflict  *OnConflict

	GroupBy      []*SortItem
	GroupingSets [][]int // nil, or indexes into GroupBy per set
	Having       Expr
	Distinct     []*SortItem // DISTINCT or DISTINCT ON keys
	DistinctOn   bool
	OrderBy      []*SortItem
	Windows      []*Window
	Limit        Expr // int8, nil is ALL
	Offset       Expr
	WithTies     bool
	RowMarks     []RowMark
	SetOp        *SetOp // non-nil: the query is a tree of set operations over sub-select range entries

	HasAggs       bool
	HasWindows    bool
	HasSubLinks   bool
	HasTargetSRFs bool
	HasModifyCTE  bool
}

// Target is an entry of a target list. For INSERT and UPDATE, Attr is the target column the value goes to. A junk entry
// feeds sorting, grouping or row identity and is not sent to the client.
type Target struct {
	Expr  Expr
	Name  string
	Attr  int // INSERT, UPDATE: attribute number assigned
	Ref   int // non-zero: the reference of a SortItem to this entry
	Junk  bool
	Table base.OID // origin, for RowDescription: relation and column, when the entry is a plain column
	Col   int
}

// RangeKind tells what a range table entry stands for.
type RangeKind uint8

// The kinds of range table entries.
const (
	RangeRelation RangeKind = iota
	RangeSubquery
	RangeJoin
	RangeFunction
	RangeValues
	RangeCTE
	RangeResult // no rows of its own: the target of ON CONFLICT's excluded row
)

// RangeEntry is an entry of the range table.
type RangeEntry struct {
	Kind     RangeKind
	Alias    string
	Columns  []RangeColumn // visible columns, by attribute number from one (dropped ones keep their place, with Dropped set)
	Lateral  bool
	Inherit  bool
	Rel      *relation.Desc // RangeRelation; not part of the stored form
	RelOID   base.OID       // RangeRelation
	LockMode uint8          // RangeRelation: the lock.Mode to take
	Sub      *Query         // RangeSubquery
	Join     *JoinInfo      // RangeJoin
	Funcs    []Expr         // RangeFunction: FuncExpr's (several for ROWS FROM)
	FuncCols []int          // RangeFunction: number of columns of each function
	Ordinal  bool           // WITH ORDINALITY
	Values   [][]Expr       // RangeValues
	CTE      string         // RangeCTE
	CTEUp    int            // RangeCTE: query levels up to the WITH
	SelfRef  bool           // RangeCTE: the recursive reference

	Privileges   uint32   // what the user must be granted on Rel
	CheckAs      base.OID // check as this role instead of the current one; zero is none
	SelectedCols []int    // columns read, for column privileges; zero is all of them
	InsertedCols []int    // columns that INSERT was told to give values to
	UpdatedCols  []int    // columns that UPDATE sets
}

// RangeColumn is one column of a range table entry.
type RangeColumn struct {
	Name      string
	Type      base.OID
	Typmod    int32
	Collation base.OID
	Dropped   bool
}

// JoinInfo belongs to a join's range table entry: Aliases gives for each column of the join the expression (in terms of
// the join's inputs) it stands for.
type JoinInfo struct {
	Type    JoinType
	Merged  int // the number of leading USING columns
	Aliases []Expr
}

// FromItem is a leaf or a join of the FROM clause.
type FromItem interface{ fromItem() }

// FromRef is a leaf: the range table entry RTE.
type FromRef struct{ RTE int }

// FromJoin joins two items. RTE is the join's own range table entry; zero for none.
type FromJoin struct {
	Type        JoinType
	Left, Right FromItem
	On          Expr // nil is true
	RTE         int
}

func (*FromRef) fromItem()  {}
func (*FromJoin) fromItem() {}

// JoinType is the kind of a join. The last two are made by the optimizer only.
type JoinType uint8

// The join types.
const (
	JoinInner JoinType = iota
	JoinLeft
	JoinFull
	JoinRight
	JoinSemi
	JoinAnti
)

// SortItem is a key of ORDER BY, GROUP BY or DISTINCT.
type SortItem struct {
	Ref        int // of the Target
	EqOp       base.OID
	SortOp     base.OID // zero when the type has only hashing
	Descending bool
	NullsFirst bool
	Hashable   bool
}

// SetOpKind is UNION, INTERSECT or EXCEPT.
type SetOpKind uint8

// The set operations.
const (
	Union SetOpKind = iota
	Intersect
	Except
)

// SetOp is a node of a tree of set operations; a leaf has only RTE, the range table entry of its sub-select.
type SetOp struct {
	RTE         int
	Kind        SetOpKind
	All         bool
	Left, Right *SetOp
	Columns     []RangeColumn
	Group       []*SortItem // how rows are compared; Ref is the column number from one
}

// CTE is one query of a WITH clause.
type CTE struct {
	Name         string
	Query        *Query
	Columns      []RangeColumn
	Recursive    bool
	Materialized byte // 0 default, 'm' MATERIALIZED, 'n' NOT MATERIALIZED
	Refs         int
}

// OnConflict is the ON CONFLICT clause of an INSERT.
type OnConflict struct {
	Update   bool       // DO UPDATE; else DO NOTHING
	Indexes  []base.OID // arbiters inferred or named; empty (only with DO NOTHING) is all
	Set      []*Target
	Where    Expr
	Excluded int // range table index of the excluded row
}

// RowMark is FOR UPDATE and its like on one range table entry.
type RowMark struct {
	RTE        int
	Strength   LockStrength
	NoWait     bool
	SkipLocked bool
	PushedDown bool
}

// LockStrength is the strength of a row lock.
type LockStrength uint8

// The row lock strengths, weakest first.
const (
	ForKeyShare LockStrength = iota + 1
	ForShare
	ForNoKeyUpdate
	ForUpdate
)
