package analyze

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// procs gives the functions a name may mean, in the schemas of the search path or the one it is qualified with.
func (a *analyzer) procs(name []string, loc int32) ([]*catalog.Proc, error) {
	all, err := a.view.ProcsByName(name[len(name)-1])
	if err != nil {
		return nil, err
	}
	var out []*catalog.Proc
	if len(name) == 1 {
		for _, p := range all {
			if a.pathRank(p.Namespace) >= 0 {
				out = append(out, p)
			}
		}
		return out, nil
	}
	ns, err := a.schema(name[len(name)-2], loc)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.Namespace == ns {
			out = append(out, p)
		}
	}
	return out, nil
}

// schema gives the OID of a schema that has to exist.
func (a *analyzer) schema(name string, loc int32) (base.OID, error) {
	if name == "pg_temp" && a.opt.Temp != 0 {
		return a.opt.Temp, nil
	}
	n, err := a.view.NamespaceByName(name)
	if err != nil {
		return 0, err
	}
	if n == nil {
		return 0, a.errorf(pgerror.InvalidSchemaName, loc, "schema \"%s\" does not exist", name)
	}
	return n.OID, nil
}

// candidates spreads the functions out to the shape of a call with n positional arguments and the names of the others.
func (a *analyzer) candidates(procs []*catalog.Proc, n int, argNames []string, explicitVariadic bool) []*candidate {
	var out []*candidate
	add := func(c *candidate) {
		for i, o := range out {
			if !sameTypes(o.args, c.args) {
				continue
			}
			// The same signature twice: the earlier schema wins, then the function without spreading.
			if o.rank > c.rank || o.rank == c.rank && o.variadic && !c.variadic {
				out[i] = c
			}
			return
		}
		out = append(out, c)
	}
	for _, p := range procs {
		c := &candidate{oid: p.OID, rank: max(a.pathRank(p.Namespace), 0)}
		total := n + len(argNames)
		switch {
		case len(argNames) > 0:
			if !matchNamed(p, n, argNames, c) {
				continue
			}
		case len(p.Args) == total:
			c.args = append(c.args, p.Args...)
		case total < len(p.Args) && total+p.NDefaults >= len(p.Args):
			c.args, c.defaults = append(c.args, p.Args[:total]...), len(p.Args)-total
		}
		if c.args != nil || total == 0 && len(p.Args) == c.defaults {
			add(c)
		}
		if p.Variadic != 0 && !explicitVariadic && total >= len(p.Args) && len(argNames) == 0 && p.Variadic != types.OIDAny {
			v := &candidate{oid: p.OID, rank: c.rank, variadic: true, nvar: total - len(p.Args) + 1}
			v.args = append(v.args, p.Args[:len(p.Args)-1]...)
			for range v.nvar {
				v.args = append(v.args, p.Variadic)
			}
			add(v)
		}
		if p.Variadic == types.OIDAny && total > len(p.Args) && len(argNames) == 0 {
			v := &candidate{oid: p.OID, rank: c.rank}
			v.args = append(v.args, p.Args[:len(p.Args)-1]...)
			for len(v.args) < total {
				v.args = append(v.args, types.OIDAny)
			}
			add(v)
		}
	}
	return out
}

func sameTypes(a, b []base.OID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// matchNamed fits a call in named notation: n positional arguments, then names.
func matchNamed(p *catalog.Proc, n int, argNames []string, c *candidate) bool {
	if n+len(argNames) > len(p.Args) {
		return false
	}
	used := make([]bool, len(p.Args))
	for i := range n {
		used[i] = true
		c.argNums = append(c.argNums, i)
	}
	for _, want := range argNames {
		found := -1
		in := 0
		for i, name := range p.Names {
			if p.Modes != nil && p.Modes[i] != 'i' && p.Modes[i] != 'b' && p.Modes[i] != 'v' {
				continue
			}
			if name == want && in < len(used) && !used[in] {
				found = in
			}
			in++
		}
		if found < 0 {
			return false
		}
		used[found] = true
		c.argNums = append(c.argNums, found)
	}
	for i, u := range used {
		if !u && i < len(p.Args)-p.NDefaults {
			return false
		}
	}
	for _, k := range c.argNums {
		c.args = append(c.args, p.Args[k])
	}
	c.defaults = len(p.Args) - len(c.argNums)
	return true
}

func (s *state) funcCall(n *pg_query.FuncCall) (query.Expr, error) {
	name := names(n.Funcname)
	var args []query.Expr
	var argNames []string
	for _, x := range n.Args {
		if na, ok := x.Node.(*pg_query.Node_NamedArgExpr); ok {
			argNames = append(argNames, na.NamedArgExpr.Name)
			x = na.NamedArgExpr.Arg
		} else if len(argNames) > 0 {
			return nil, s.a.errorf(pgerror.SyntaxError, n.Location, "positional argument cannot follow named argument")
		}
		e, err := s.exprNested(x)
		if err != nil {
			return nil, err
		}
		if p, ok := e.(*query.Param); ok && p.Typ == types.OIDVoid && len(argNames) == 0 {
			continue // how JDBC writes an OUT parameter
		}
		args = append(args, e)
	}
	if n.AggWithinGroup { // what is sorted is an argument too
		for _, x := range n.AggOrder {
			e, err := s.exprNested(x.GetSortBy().Node)
			if err != nil {
				return nil, err
			}
			args = append(args, e)
		}
	}
	call := &funcCall{state: s, node: n, name: name, args: args, argNames: argNames}
	return call.resolve()
}

// funcCall is the resolution of one call.
type funcCall struct {
	*state
	node     *pg_query.FuncCall
	name     []string
	args     []query.Expr
	argNames []string
}

func (f *funcCall) resolve() (query.Expr, error) {
	n := f.node
	plainCall := n.AggOrder == nil && n.AggFilter == nil && n.Over == nil && !n.AggStar && !n.AggDistinct && !n.FuncVariadic && len(f.argNames) == 0
	procs, err := f.a.procs(f.name, n.Location)
	if err != nil {
		return nil, err
	}
	if len(f.args) == 1 && plainCall && len(f.name) == 1 && len(procs) == 0 {
		if e, err := f.projection(); e != nil || err != nil {
			return e, err
		}
	}
	cands := f.a.candidates(procs, len(f.args)-len(f.argNames), f.argNames, n.FuncVariadic)
	actual := exprTypes(f.args)
	best, err := f.choose(cands, actual)
	if err != nil {
		return nil, err
	}
	if best == nil && len(f.args) == 1 && plainCall {
		if e, err := f.asCast(); e != nil || err != nil {
			return e, err
		}
	}
	if best == nil {
		return nil, f.notFound(cands, actual)
	}
	return f.build(best)
}

// choose takes an exact match at once, and otherwise narrows.
func (f *funcCall) choose(cands []*candidate, actual []base.OID) (*candidate, error) {
	var exact *candidate
	for _, c := range cands {
		if sameTypes(c.args, actual) && (exact == nil || c.rank < exact.rank) {
			exact = c
		}
	}
	if exact != nil {
		return exact, nil
	}
	if len(f.args) == 1 && len(f.node.AggOrder) == 0 {
		if e, err := f.castFirst(actual[0]); err != nil || e {
			return nil, err
		}
	}
	return f.a.narrow(actual, cands)
}

// castFirst tells whether a one-argument call whose name is a type's is to be taken for a cast before other functions are
// tried: when the argument is a literal or the cast needs no function.
func (f *funcCall) castFirst(source base.OID) (bool, error) {
	t, err := f.typeNamed()
	if err != nil || t == nil {
		return false, err
	}
	if source == types.OIDUnknown {
		return true, nil
	}
	p, _, err := f.a.pathway(t.OID, source, explicit)
	return err == nil && p == pathRelabel, err
}

func (f *funcCall) typeNamed() (*catalog.Type, error) {
	if len(f.name) > 2 {
		return nil, nil
	}
	return f.a.findType(f.name)
}

func (f *funcCall) asCast() (query.Expr, error) {
	t, err := f.typeNamed()
	if err != nil || t == nil || t.Kind == 'p' {
		return nil, err
	}
	source := f.args[0].Type()
	if source != types.OIDUnknown {
		p, _, err := f.a.pathway(t.OID, source, explicit)
		if err != nil || p != pathRelabel && p != pathViaIO {
			return nil, err
		}
	}
	return f.coerceTo(f.args[0], t.OID, -1, explicit)
}

// projection reads f(x) as x.f; nil when x has no such field.
func (f *funcCall) projection() (query.Expr, error) {
	v := f.args[0]
	t, err := f.a.view.TypeByOID(v.Type())
	if err != nil || t == nil || t.Kind != 'c' {
		return nil, err
	}
	rel, err := f.a.view.Relation(t.RelID)
	if err != nil || rel == nil || rel.ColumnByName(f.name[0]) == 0 {
		return nil, err
	}
	return f.field(v, f.name[0], f.node.Location)
}

func (f *funcCall) signature(actual []base.OID) string {
	parts := make([]string, len(actual))
	for i, t := range actual {
		parts[i] = f.a.typeName(t)
		if k := i - (len(actual) - len(f.argNames)); k >= 0 {
			parts[i] = f.argNames[k] + " => " + parts[i]
		}
	}
	return strings.Join(f.name, ".") + "(" + strings.Join(parts, ", ") + ")"
}

func (f *funcCall) notFound(cands []*candidate, actual []base.OID) error {
	fit, err := f.a.applicable(actual, cands)
	if err != nil {
		return err
	}
	if len(fit) > 1 {
		e := pgerror.Newf(pgerror.AmbiguousFunction, "function %s is not unique", f.signature(actual)).
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts.")
		return f.a.at(e, f.node.Location)
	}
	if f.node.AggStar && len(cands) == 0 {
		e := pgerror.Newf(pgerror.UndefinedFunction, "function %s() does not exist", strings.Join(f.name, ".")).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
		return f.a.at(e, f.node.Location)
	}
	e := pgerror.Newf(pgerror.UndefinedFunction, "function %s does not exist", f.signature(actual)).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
	return f.a.at(e, f.node.Location)
}

// build makes the expression of a chosen function.
func (f *funcCall) build(c *candidate) (query.Expr, error) {
	p, err := f.a.view.MustProc(c.oid)
	if err != nil {
		return nil, err
	}
	args, err := f.withDefaults(p, c)
	if err != nil {
		return nil, err
	}
	declared := append([]base.OID(nil), p.Args...)
	if c.variadic {
		declared = append([]base.OID(nil), c.args...)
	} else if len(args) > len(declared) {
		declared = append([]base.OID(nil), c.args...)
	}
	ret, err := f.a.polymorph(declared, exprTypes(args), p.Ret, false)
	if err != nil {
		return nil, f.a.at(pgerror.From(err), f.node.Location)
	}
	for i := range args {
		if args[i].Type() == types.OIDUnknown && declared[i] == types.OIDAny {
			continue
		}
		x, err := f.coerceTo(args[i], declared[i], -1, implicit)
		if err != nil {
			return nil, err
		}
		if x != nil {
			args[i] = x
		}
	}
	variadic := f.node.FuncVariadic
	if c.variadic {
		args, err = f.spread(args, c.nvar, declared[len(declared)-1])
		if err != nil {
			return nil, err
		}
		variadic = false
	}
	return f.finish(p, args, ret, variadic)
}

// spread gathers the trailing arguments of a variadic call into an array.
func (f *funcCall) spread(args []query.Expr, n int, elem base.OID) ([]query.Expr, error) {
	arr, err := f.a.arrayOf(elem)
	if err != nil {
		return nil, err
	}
	k := len(args) - n
	x := &query.ArrayExpr{T: query.T{Typ: arr, Mod: -1, Coll: f.a.collationOf(arr), Offset: -1}, Elem: elem, Elems: append([]query.Expr(nil), args[k:]...)}
	return append(append([]query.Expr(nil), args[:k]...), x), nil
}

// withDefaults puts named arguments into place and adds the defaults of those not given.
func (f *funcCall) withDefaults(p *catalog.Proc, c *candidate) ([]query.Expr, error) {
	if c.defaults == 0 && c.argNums == nil {
		return f.args, nil
	}
	args := make([]query.Expr, len(p.Args))
	for i, e := range f.args {
		k := i
		if c.argNums != nil {
			k = c.argNums[i]
		}
		args[k] = e
	}
	var defaults []query.Expr
	for i := range args {
		if args[i] != nil {
			continue
		}
		if defaults == nil {
			var err error
			if defaults, err = f.a.defaultArgs(p); err != nil {
				return nil, err
			}
		}
		args[i] = defaults[i-(len(p.Args)-len(defaults))]
	}
	return args, nil
}

// finish checks where the call stands and makes its node.
func (f *funcCall) finish(p *catalog.Proc, args []query.Expr, ret base.OID, variadic bool) (query.Expr, error) {
	n := f.node
	name := strings.Join(f.name, ".")
	t := query.T{Typ: ret, Mod: -1, Offset: int(n.Location)}
	inColl := inputCollation(args)
	if t.Coll = f.a.collationOf(ret); t.Coll != 0 && inColl != 0 {
		t.Coll = inColl
	}
	switch p.Kind {
	case 'a':
		return f.aggregate(p, args, t, inColl, variadic)
	case 'w':
		if n.Over == nil {
			return nil, f.a.errorf(pgerror.WrongObjectType, n.Location, "window function %s requires an OVER clause", name)
		}
		if n.AggWithinGroup {
			return nil, f.a.errorf(pgerror.WrongObjectType, n.Location, "window function %s cannot have WITHIN GROUP", name)
		}
		return f.windowFunc(p, args, t, inColl, variadic)
	case 'p':
		e := pgerror.Newf(pgerror.WrongObjectType, "%s is a procedure", f.signature(exprTypes(args))).
			WithHint("To call a procedure, use CALL.")
		return nil, f.a.at(e, n.Location)
	}
	for _, bad := range []struct {
		is   bool
		what string
	}{{n.AggStar, "%s(*) specified, but %s is not an aggregate function"}, {n.AggDistinct, "DISTINCT specified, but %s is not an aggregate function"},
		{n.AggWithinGroup, "WITHIN GROUP specified, but %s is not an aggregate function"},
		{n.AggOrder != nil, "ORDER BY specified, but %s is not an aggregate function"},
		{n.AggFilter != nil, "FILTER specified, but %s is not an aggregate function"},
		{n.Over != nil, "OVER specified, but %s is not a window function nor an aggregate function"}} {
		if bad.is {
			return nil, f.a.errorf(pgerror.WrongObjectType, n.Location, "%s", strings.ReplaceAll(bad.what, "%s", name))
		}
	}
	if p.RetSet && !f.clause.srfs {
		return nil, f.a.errorf(pgerror.FeatureNotSupported, n.Location, "set-returning functions are not allowed in %s", f.clause.name)
	}
	if p.RetSet {
		f.q.HasTargetSRFs = f.q.HasTargetSRFs || f.clause.inTarget
	}
	form := query.FormCall
	if n.Funcformat == pg_query.CoercionForm_COERCE_SQL_SYNTAX {
		form = query.FormSQLSyntax
	}
	return &query.FuncExpr{T: t, Func: p.OID, Args: args, RetSet: p.RetSet, Strict: p.Strict, Volatile: p.Volatile,
		Variadic: variadic, Form: form, InColl: inColl}, nil
}

// inputCollation gives the collation that a function's arguments agree on: the first that is set.
func inputCollation(args []query.Expr) base.OID {
	for _, e := range args {
		if c, ok := e.(*query.Collate); ok {
			return c.Coll
		}
	}
	for _, e := range args {
		if c := e.Collation(); c != 0 {
			return c
		}
	}
	return 0
}

// aggregate makes an aggregate call and checks where it stands.
func (f *funcCall) aggregate(p *catalog.Proc, args []query.Expr, t query.T, inColl base.OID, variadic bool) (query.Expr, error) {
	n := f.node
	facts, err := f.a.view.AggregateOf(p.OID)
	if err != nil {
		return nil, err
	}
	if facts == nil || facts.Kind != 'n' || n.AggWithinGroup {
		return f.orderedSet(p, facts, args, t, inColl)
	}
	if n.Over != nil {
		return f.windowFunc(p, args, t, inColl, variadic)
	}
	if n.AggStar && len(p.Args) > 0 {
		return nil, f.a.errorf(pgerror.UndefinedFunction, n.Location, "function %s() does not exist", p.Name)
	}
	if !n.AggStar && len(args) == 0 && p.Name == "count" {
		e := pgerror.Newf(pgerror.WrongObjectType, "%s(*) must be used to call a parameterless aggregate function", p.Name)
		return nil, f.a.at(e, n.Location)
	}
	agg := &query.Aggref{T: t, Func: p.OID, Star: n.AggStar, InColl: inColl, ArgTypes: exprTypes(args)}
	for _, e := range args {
		agg.Args = append(agg.Args, &query.Target{Expr: e})
	}
	if err := f.aggregateClauses(agg); err != nil {
		return nil, err
	}
	return agg, f.placeAggregate(agg)
}

func (f *funcCall) aggregateClauses(agg *query.Aggref) error {
	n := f.node
	saved := f.clause
	defer func() { f.clause = saved }()
	if n.AggFilter != nil {
		var err error
		if agg.Filter, err = f.filter(n.AggFilter); err != nil {
			return err
		}
	}
	f.clause = clause{name: "aggregate ORDER BY"}
	for _, x := range n.AggOrder {
		item, err := f.sortBy(x.GetSortBy(), &agg.Args, "aggregate ORDER BY")
		if err != nil {
			return err
		}
		agg.Order = append(agg.Order, item)
	}
	if n.AggDistinct {
		for i := range agg.ArgTypes {
			item, err := f.groupItem(agg.Args[i], -1)
			if err != nil {
				return err
			}
			agg.Distinct = append(agg.Distinct, item)
		}
		for _, o := range agg.Order {
			found := false
			for _, d := range agg.Distinct {
				found = found || d.Ref == o.Ref
			}
			if !found {
				return f.a.errorf(pgerror.InvalidColumnReference, n.Location,
					"in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")
			}
		}
	}
	return nil
}

// placeAggregate finds the query level an aggregate belongs to and checks that it may stand there.
func (f *funcCall) placeAggregate(agg *query.Aggref) error {
	level := -1
	inner := -1
	visit := func(e query.Expr, depth int) {
		switch x := e.(type) {
		case *query.Var:
			if x.Up >= depth && (level < 0 || x.Up-depth < level) {
				level = x.Up - depth
			}
		case *query.Aggref:
			if x.Up >= depth && (inner < 0 || x.Up-depth < inner) {
				inner = x.Up - depth
			}
		}
	}
	exprs := []query.Expr{agg.Filter}
	for _, t := range agg.Args {
		exprs = append(exprs, t.Expr)
	}
	for _, e := range exprs {
		if w := findExpr(e, isWindowFunc); w != nil {
			return f.a.errorf(pgerror.GroupingError, int32(w.Loc()), "aggregate function calls cannot contain window function calls")
		}
		query.Walk(e, func(x query.Expr) bool {
			visit(x, 0)
			if sub, ok := x.(*query.SubLink); ok {
				sub.Query.WalkLevels(func(y query.Expr, l int) { visit(y, l+1) })
			}
			return true
		})
	}
	level = max(level, 0)
	if inner >= 0 && inner <= level {
		return f.a.errorf(pgerror.GroupingError, f.node.Location, "aggregate function calls cannot be nested")
	}
	agg.Up = level
	st := f.state
	for range level {
		st = st.parent
	}
	if !st.clause.aggs {
		name := st.clause.name
		if st.clause.aggName != "" {
			name = st.clause.aggName
		}
		return f.a.errorf(pgerror.GroupingError, f.node.Location, "aggregate functions are not allowed in %s", name)
	}
	st.q.HasAggs = true
	return nil
}
