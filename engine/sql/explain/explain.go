package explain

import (
	"fmt"
	"strings"

	"manifold/engine/catalog"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Options are those of the EXPLAIN statement.
type Options struct {
	Analyze bool
	Verbose bool
	Costs   bool
	Buffers bool
	Timing  bool
	Summary bool
	JSON    bool
}

// NodeStats is what a run measured about a node. Times are milliseconds, for all loops together.
type NodeStats struct {
	Startup float64
	Total   float64
	Rows    float64 // for all loops together
	Loops   float64
	Removed float64 // by Filter
	Recheck float64 // removed by a re-check

	Hit, Read, Dirtied, Written int64 // buffers, with those of the inputs
	TempRead, TempWritten       int64

	HeapFetches int64  // index-only scans
	Method      string // sorts: "quicksort", "top-N heapsort", "external merge"
	SpaceKB     int64  // sorts, hash tables
	Disk        bool
	Buckets     int64 // hash tables
	Batches     int64
}

// Run is what a run of the statement measured: nodes by plan.Base.ID.
type Run struct {
	Nodes     map[int]*NodeStats
	Planning  float64 // milliseconds
	Execution float64
}

// Lines gives EXPLAIN's answer, one row each. Run is nil without ANALYZE.
func Lines(s *plan.Statement, names *catalog.Names, env *types.Env, opt Options, run *Run) []string {
	x := &explainer{stmt: s, opt: opt, run: run, params: map[int]string{}}
	x.p = &deparse.Printer{Names: names, Env: env, Leaves: x, Folded: true, Flat: true}
	x.prefix = opt.Verbose || x.countNames() > 1
	root := x.entry(s.Root)
	x.attach(root, s.Root)
	if opt.JSON {
		return strings.Split(x.json(root), "\n")
	}
	x.text(root, 0)
	if opt.Summary && run != nil {
		x.out = append(x.out, fmt.Sprintf("Planning Time: %.3f ms", run.Planning))
		if opt.Analyze {
			x.out = append(x.out, fmt.Sprintf("Execution Time: %.3f ms", run.Execution))
		}
	}
	return x.out
}

// explainer prints one statement.
type explainer struct {
	stmt   *plan.Statement
	p      *deparse.Printer
	opt    Options
	run    *Run
	prefix bool
	at     plan.Node      // whose expressions are printed
	params map[int]string // executor parameters by what they stand for
	done   map[int]bool   // sub-plans shown
	out    []string
}

// prop is a line below a node.
type prop struct {
	label string
	value any // string, []string, int64, float64 or bool
	text  bool
	json  bool
}

// entry is a node as it is shown.
type entry struct {
	node     plan.Node
	title    string
	head     []prop // JSON: what the title says
	props    []prop
	children []child
	costs    *plan.Base
}

type child struct {
	label string // of a sub-plan, in text
	kind  string // JSON: Parent Relationship
	*entry
}

// countNames counts the relations and other sources of rows.
func (x *explainer) countNames() int {
	n := 0
	visit := func(node plan.Node) {
		switch node.(type) {
		case *plan.SeqScan, *plan.IndexScan, *plan.BitmapHeap, *plan.TidScan, *plan.FunctionScan, *plan.Values, *plan.CTEScan, *plan.WorkTableScan,
			*plan.SubqueryScan:
			n++
		case *plan.Modify:
			if node.(*plan.Modify).Command == query.Insert {
				n++
			}
		}
	}
	x.eachRoot(func(r plan.Node) { walk(r, visit) })
	return n
}

func (x *explainer) eachRoot(f func(plan.Node)) {
	f(x.stmt.Root)
	for _, s := range x.stmt.SubPlans {
		f(s.Root)
	}
	for _, c := range x.stmt.CTEs {
		f(c.Root)
	}
}

// attach puts WITH queries and the sub-plans that run once below the root of a tree.
func (x *explainer) attach(e *entry, root plan.Node) {
	var front []child
	if root == x.stmt.Root {
		for _, c := range x.stmt.CTEs {
			sub := x.entry(c.Root)
			x.attach(sub, c.Root)
			front = append(front, child{label: "CTE " + c.Name, kind: "InitPlan", entry: sub})
		}
	}
	for i, s := range x.stmt.SubPlans {
		if s.Init && !x.shown(i) && x.reads(root, s.Output) {
			x.done[i] = true
			root := x.behind(s.Root)
			sub := x.entry(root)
			x.attach(sub, root)
			front = append(front, child{label: s.Name, kind: "InitPlan", entry: sub})
		}
	}
	e.children = append(front, e.children...)
}

// behind gives the sub-select whose existence, array or row a sub-plan that runs once computes.
func (x *explainer) behind(n plan.Node) plan.Node {
	if r, ok := n.(*plan.Result); ok && r.Child == nil && len(r.Project) == 1 {
		if s, ok := r.Project[0].(*query.SubExpr); ok {
			x.shown(s.Plan)
			x.done[s.Plan] = true
			return x.stmt.SubPlans[s.Plan].Root
		}
	}
	return n
}

func (x *explainer) shown(i int) bool {
	if x.done == nil {
		x.done = map[int]bool{}
	}
	return x.done[i]
}

// reads tells whether a tree reads an executor parameter.
func (x *explainer) reads(root plan.Node, n int) bool {
	found := false
	walk(root, func(node plan.Node) {
		expressions(node, func(e query.Expr) {
			found = found || query.Any(e, func(y query.Expr) bool { p, ok := y.(*query.Param); return ok && p.Exec && p.N == n })
		})
	})
	return found
}

// subPlans shows the sub-selects that a node's expressions run.
func (x *explainer) subPlans(e *entry, n plan.Node) {
	expressions(n, func(ex query.Expr) {
		query.Walk(ex, func(y query.Expr) bool {
			s, ok := y.(*query.SubExpr)
			if !ok || x.shown(s.Plan) {
				return true
			}
			x.done[s.Plan] = true
			x.at = n
			for _, p := range s.Params {
				x.params[p.N] = x.plain(p.Value)
			}
			sp := x.stmt.SubPlans[s.Plan]
			sub := x.entry(sp.Root)
			x.attach(sub, sp.Root)
			x.at = n
			e.children = append(e.children, child{label: sp.Name, kind: "SubPlan", entry: sub})
			return true
		})
	})
}

func (x *explainer) plain(e query.Expr) string { return x.p.Expr(e) }

// conditions prints a list of conditions as one.
func (x *explainer) conditions(l []query.Expr) string {
	if len(l) == 1 {
		return x.p.Expr(l[0])
	}
	return x.p.Expr(&query.BoolExpr{T: query.T{Typ: types.OIDBool, Mod: -1}, Op: query.And, Args: l})
}

func (e *entry) add(label string, value any) {
	e.props = append(e.props, prop{label: label, value: value, text: true, json: true})
}

func (e *entry) say(label string, value any) {
	e.head = append(e.head, prop{label: label, value: value, json: true})
}

func (x *explainer) addConditions(e *entry, label string, l []query.Expr) {
	if len(l) > 0 {
		e.add(label, x.conditions(l))
	}
}
