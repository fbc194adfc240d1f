package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Options is what an analysis depends on.
type Options struct {
	View       *catalog.View
	SearchPath []base.OID // schemas in order of search, pg_catalog among them
	Temp       base.OID   // the session's temporary schema, zero for none
	Env        *types.Env
	Text       string          // the whole query string, for positions
	Literals   []parse.Literal // of Text, when its shape is to be cached
	Params     []base.OID      // types of $1 ...; zero is to be inferred
	FixParams  bool            // a $N beyond Params is an error
	Role       base.OID        // the current user
}

// Result is an analysed statement.
type Result struct {
	Query  *query.Query
	Params []base.OID // with inferred types filled in
	Read   []bool     // by literal slot: the analysis depends on its value
}

// Statement analyses one SELECT, INSERT, UPDATE, DELETE or VALUES.
func Statement(opt *Options, node *pg_query.Node) (*Result, error) {
	a := &analyzer{opt: opt, view: opt.View, params: append([]base.OID(nil), opt.Params...), read: make([]bool, len(opt.Literals))}
	q, err := a.statement(nil, node)
	if err != nil {
		return nil, err
	}
	if err := a.finishParams(); err != nil {
		return nil, err
	}
	return &Result{Query: q, Params: a.params, Read: a.read}, nil
}

// Optimizable tells whether Statement takes the node; other statements are utilities.
func Optimizable(node *pg_query.Node) bool {
	switch node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		return node.GetSelectStmt().GetIntoClause() == nil
	case *pg_query.Node_InsertStmt, *pg_query.Node_UpdateStmt, *pg_query.Node_DeleteStmt:
		return true
	}
	return false
}

// Column is a column that a stand-alone expression may refer to.
type Column = query.RangeColumn

// Expression analyses one expression over the columns of a relation (range table entry 1), as defaults, checks, index
// expressions and predicates are. A target type of zero leaves the type as it is.
func Expression(opt *Options, node *pg_query.Node, entry *query.RangeEntry, what string, target base.OID, typmod int32) (query.Expr, error) {
	a := &analyzer{opt: opt, view: opt.View, read: make([]bool, len(opt.Literals))}
	s := a.newState(nil)
	if entry != nil {
		s.addEntry(entry, true)
	}
	s.clause = clause{name: what, plain: true}
	e, err := s.expr(node)
	if err != nil {
		return nil, err
	}
	if target != 0 {
		if what == "DEFAULT expressions" {
			return s.assignDefault(e, target, typmod)
		}
		if e, err = s.coerceBoolean(e, what, target); err != nil {
			return nil, err
		}
	}
	return s.resolveUnknown(e)
}

type analyzer struct {
	opt    *Options
	view   *catalog.View
	params []base.OID
	read   []bool
	depth  int
	views  int
}

func (a *analyzer) statement(parent *state, node *pg_query.Node) (*query.Query, error) {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		return a.selectStmt(parent, n.SelectStmt, nil)
	case *pg_query.Node_InsertStmt:
		return a.insertStmt(parent, n.InsertStmt)
	case *pg_query.Node_UpdateStmt:
		return a.updateStmt(parent, n.UpdateStmt)
	case *pg_query.Node_DeleteStmt:
		return a.deleteStmt(parent, n.DeleteStmt)
	case *pg_query.Node_MergeStmt:
		return nil, pgerror.Unsupported("MERGE")
	}
	return nil, pgerror.Newf(pgerror.InternalError, "unexpected statement %T", node.GetNode())
}

// at puts the position of a byte offset on an error.
func (a *analyzer) at(err *pgerror.Error, loc int32) error {
	return err.WithPosition(parse.Position(a.opt.Text, int(loc)))
}

func (a *analyzer) errorf(code string, loc int32, format string, args ...any) error {
	return a.at(pgerror.Newf(code, format, args...), loc)
}

// slotAt gives the literal slot whose token stands at loc; negated when a minus sign stands there and the token behind it.
func (a *analyzer) slotAt(loc int32) (slot int, negated bool) {
	if loc < 0 || int(loc) >= len(a.opt.Text) {
		return -1, false
	}
	negated = a.opt.Text[loc] == '-'
	for i, l := range a.opt.Literals {
		if l.Start == loc && !negated || negated && l.Start > loc {
			return i, negated
		}
	}
	return -1, false
}

// readSlot records that the analysis depends on the value of a constant.
func (a *analyzer) readSlot(e query.Expr) {
	query.Walk(e, func(x query.Expr) bool {
		if c, ok := x.(*query.Const); ok && c.Slot >= 0 && c.Slot < len(a.read) {
			a.read[c.Slot] = true
		}
		return true
	})
}

func (a *analyzer) finishParams() error {
	for i, t := range a.params {
		if t == 0 {
			return pgerror.Newf(pgerror.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1)
		}
		if t == types.OIDUnknown {
			a.params[i] = types.OIDText
		}
	}
	return nil
}

// clause tells what an expression may hold where it stands.
type clause struct {
	name     string // as errors say it: "WHERE", "JOIN conditions"
	aggName  string // as errors about aggregates say it, where that differs
	aggs     bool
	windows  bool
	srfs     bool
	plain    bool // neither aggregates nor sub-selects nor set-returning functions
	inAgg    bool
	inTarget bool
}

// state is the analysis of one query level.
type state struct {
	a       *analyzer
	parent  *state
	q       *query.Query
	ns      []*item
	ctes    []*query.CTE
	clause  clause
	refs    int
	target  *item // the target of INSERT, UPDATE or DELETE
	multi   int
	caseArg *query.CaseArg
	lateral bool
	windows []*pg_query.WindowDef // of the WINDOW clause, then of OVER clauses
}

func (a *analyzer) newState(parent *state) *state {
	return &state{a: a, parent: parent, q: &query.Query{}}
}

// item is a visible entry of the FROM clause.
type item struct {
	name        string
	schema      string
	entry       *query.RangeEntry
	rte         int
	cols        []column
	relVisible  bool // its name may qualify columns
	colsVisible bool // its columns are found without a name
	lateralOnly bool // visible to LATERAL items only
	lateralOK   bool
}

// column is a visible column: the expression it stands for, at the item's own query level.
type column struct {
	name string
	expr query.Expr
}

// nextRef gives a fresh reference between a sort item and a target.
func (s *state) nextRef() int {
	s.refs++
	return s.refs
}

// addRange appends to the range table and gives the index, from one.
func (s *state) addRange(e *query.RangeEntry) int {
	s.q.Range = append(s.q.Range, e)
	return len(s.q.Range)
}

// addEntry appends an entry to the range table and makes it visible.
func (s *state) addEntry(e *query.RangeEntry, visible bool) *item {
	rte := s.addRange(e)
	it := newItem(e, rte)
	it.relVisible, it.colsVisible = visible, visible
	if visible {
		s.ns = append(s.ns, it)
	}
	return it
}

func newItem(e *query.RangeEntry, rte int) *item {
	it := &item{name: e.Alias, entry: e, rte: rte, lateralOK: true}
	if e.Rel != nil && e.Alias == e.Rel.Name {
		it.schema = e.Rel.Schema
	}
	for i, c := range e.Columns {
		if c.Dropped {
			continue
		}
		it.cols = append(it.cols, column{c.Name, &query.Var{
			T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}, RTE: rte, Attr: i + 1}})
	}
	return it
}
