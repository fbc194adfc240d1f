package query

import (
	"manifold/engine/base"
	"manifold/engine/types"
)

// Expr is a typed expression. Loc is the byte offset in the statement's text, -1 when unknown.
type Expr interface {
	Type() base.OID
	Typmod() int32
	Collation() base.OID
	Loc() int
}

// T is what every expression has: its type, typmod, collation and place.
type T struct {
	Typ    base.OID
	Mod    int32
	Coll   base.OID
	Offset int
}

// Type gives the type of the value.
func (t *T) Type() base.OID { return t.Typ }

// Typmod gives the type modifier, -1 for none.
func (t *T) Typmod() int32 { return t.Mod }

// Collation gives the collation of the value, zero for none.
func (t *T) Collation() base.OID { return t.Coll }

// Loc gives the byte offset in the statement's text.
func (t *T) Loc() int { return t.Offset }

// SetCollation replaces the collation.
func (t *T) SetCollation(c base.OID) { t.Coll = c }

// Var is a column: attribute Attr of range table entry RTE, Up query levels out. System columns have negative numbers as
// PostgreSQL's (ctid -1, xmin -2, cmin -3, xmax -4, cmax -5, tableoid -6); zero is the whole row.
type Var struct {
	T
	RTE  int
	Attr int
	Up   int
}

// The attribute numbers of system columns.
const (
	AttrCtid     = -1
	AttrXmin     = -2
	AttrCmin     = -3
	AttrXmax     = -4
	AttrCmax     = -5
	AttrTableOID = -6
)

// Const is a literal. Slot is the number from zero of the literal token it was written as in the statement's text, or
// -1: the plan cache replaces the value of a slotted constant. Negated tells that the token stood behind a minus sign.
// Unknown keeps that the token was a string literal whose type was resolved, so that input runs again on a cache hit.
type Const struct {
	T
	Value   types.Datum
	Slot    int
	Negated bool
	FromStr bool
}

// Param is $N of the extended protocol or PREPARE; the optimizer adds executor parameters.
type Param struct {
	T
	N    int  // from one
	Exec bool // an executor parameter: the N-th value passed between a plan and its subplans
}

// FuncForm tells how a function call was written.
type FuncForm uint8

// The forms of a function call.
const (
	FormCall FuncForm = iota
	FormExplicitCast
	FormImplicitCast
	FormSQLSyntax
)

// FuncExpr calls a function.
type FuncExpr struct {
	T
	Func     base.OID
	Args     []Expr
	RetSet   bool
	Strict   bool
	Volatile byte // 'i', 's' or 'v'
	Variadic bool
	Form     FuncForm
	InColl   base.OID
	Columns  []RangeColumn // in FROM, of a function returning record: its column definition list
}

// OpExpr applies an operator through its function.
type OpExpr struct {
	T
	Op       base.OID
	Func     base.OID
	Args     []Expr
	Strict   bool
	RetSet   bool
	Volatile byte
	InColl   base.OID
}

// DistinctExpr is `a IS DISTINCT FROM b`, through the equality operator. Not makes it IS NOT DISTINCT FROM.
type DistinctExpr struct {
	OpExpr
	Not bool
}

// NullIf is NULLIF(a, b), through the equality operator. Its type is that of the first argument.
type NullIf struct{ OpExpr }

// ArrayOp is `a op ANY (array)` or `a op ALL (array)`.
type ArrayOp struct {
	T
	Op       base.OID
	Func     base.OID
	Any      bool
	Args     [2]Expr
	Strict   bool
	Volatile byte
	InColl   base.OID
}

// BoolOp is AND, OR or NOT.
type BoolOp uint8

// The boolean connectives.
const (
	And BoolOp = iota
	Or
	Not
)

// BoolExpr is a boolean connective of one (NOT) or more arguments.
type BoolExpr struct {
	T
	Op   BoolOp
	Args []Expr
}

// NullTest is IS [NOT] NULL. Row tells that the argument is a composite value tested field by field.
type NullTest struct {
	T
	Arg Expr
	Not bool
	Row bool
}

// BooleanTest is IS [NOT] TRUE, FALSE or UNKNOWN: Want is 't', 'f' or 'u'.
type BooleanTest struct {
	T
	Arg  Expr
	Want byte
	Not  bool
}

// When is one arm of a CASE.
type When struct{ Cond, Result Expr }

// Case is a CASE expression. With Arg, the conditions of its arms hold a CaseArg where the argument stands.
type Case struct {
	T
	Arg   Expr
	Whens []When
	Else  Expr // never nil: a null constant when absent
}

// CaseArg stands for the argument of the innermost CASE, or the element of an ArrayCoerce.
type CaseArg struct{ T }

// Coalesce is COALESCE.
type Coalesce struct {
	T
	Args []Expr
}

// MinMax is GREATEST or LEAST; Cmp is the btree comparison function of the type.
type MinMax struct {
	T
	Least  bool
	Args   []Expr
	Cmp    base.OID
	InColl base.OID
}

// ArrayExpr is ARRAY[...]. With Multi, the elements are arrays of one dimension less.
type ArrayExpr struct {
	T
	Elem  base.OID
	Elems []Expr
	Multi bool
}

// RowExpr is ROW(...).
type RowExpr struct {
	T
	Args  []Expr
	Names []string
	Attrs []int // of a named row type: the attribute of each argument; nil where none of the type's columns has been dropped
}

// RowCompare compares rows by <, <=, >= or > (Kind 1, 2, 4, 5 as btree strategies); equality is written as AND of OpExprs.
type RowCompare struct {
	T
	Strategy    int
	Ops, Funcs  []base.OID
	Left, Right []Expr
}

// Subscript reads an element or a slice of an array; in an assignment, Assign is the new value and the result the new array.
type Subscript struct {
	T
	Array  Expr
	Elem   base.OID
	Upper  []Expr
	Lower  []Expr // slices: same length as Upper; a nil entry is an omitted bound
	Slice  bool
	Assign Expr
}

// FieldSelect reads a field of a composite value.
type FieldSelect struct {
	T
	Arg   Expr
	Field int
}

// Relabel gives a value another type of the same representation.
type Relabel struct {
	T
	Arg  Expr
	Form FuncForm
}

// CoerceViaIO casts through the text form of the value.
type CoerceViaIO struct {
	T
	Arg  Expr
	Form FuncForm
}

// ArrayCoerce casts each element; Elem is the cast of one element, with a CaseArg where it stands.
type ArrayCoerce struct {
	T
	Arg  Expr
	Elem Expr
	Form FuncForm
}

// Collate is an explicit COLLATE clause.
type Collate struct {
	T
	Arg Expr
}

// Aggref calls an aggregate function. Up is the number of levels out of the query it belongs to.
type Aggref struct {
	T
	Func     base.OID
	Args     []*Target // with Ref for Order and Distinct
	Direct   []Expr
	Order    []*SortItem
	Distinct []*SortItem
	Filter   Expr
	Star     bool
	Variadic bool
	Up       int
	InColl   base.OID
	ArgTypes []base.OID
}

// Grouping is GROUPING(...): indexes into GroupBy.
type Grouping struct {
	T
	Refs []int
	Up   int
}

// SubLinkKind tells how a sub-select is used.
type SubLinkKind uint8

// The uses of a sub-select in an expression.
const (
	SubExists SubLinkKind = iota
	SubAny
	SubAll
	SubScalar
	SubArray
	SubRowCompare
	SubMulti // UPDATE SET (a, b) = (SELECT ...): the whole row, read by Field
)

// SubLink is a sub-select in an expression. For ANY and ALL, Test compares with SubColumn's.
type SubLink struct {
	T
	Kind  SubLinkKind
	Test  Expr
	Query *Query
	ID    int // SubMulti: which sub-select of the statement
}

// SubColumn stands in a SubLink's Test for column N (from one) of the sub-select's row.
type SubColumn struct {
	T
	N   int
	Sub int // SubMulti's ID
}

// SQLValue is CURRENT_DATE and its like, by the name in lower case ("current_date", "current_user" ...).
type SQLValue struct {
	T
	Name string
}

// CurrentOf is WHERE CURRENT OF cursor.
type CurrentOf struct {
	T
	Cursor string
	Param  int
	RTE    int
}

// Default stands for the column's default in VALUES lists and UPDATE, until the analyser replaced it.
type Default struct{ T }

// NextValue takes the next value of an identity column's sequence.
type NextValue struct {
	T
	Sequence base.OID
}

// DomainCheck coerces to a domain and checks its constraints.
type DomainCheck struct {
	T
	Arg Expr
}

// The nodes below are made by the optimizer and read by the executor.

// Side tells which input of a plan node a column comes from.
type Side uint8

// The inputs of a node. A scan's only input is the row it reads.
const (
	Outer Side = iota // the only or left input
	Inner             // the right input of a join
)

// Col is column N (from zero) of an input of the plan node that evaluates it.
type Col struct {
	T
	Side Side
	N    int
}

// ParamSet gives executor parameter N a value from the expression's surroundings.
type ParamSet struct {
	N     int
	Value Expr
}

// SubExpr stands for a sub-select run in place (EXISTS, ANY, ALL, a scalar, an array, a row).
type SubExpr struct {
	T
	Kind   SubLinkKind
	Plan   int        // index into the statement's sub-plans
	Params []ParamSet // set before each run
	Test   Expr       // ANY, ALL, row comparison: over SubColumn
	Hashed bool       // ANY whose test is equality of columns of one type each, and whose rows are the same for every lane
}
