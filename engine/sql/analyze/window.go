package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// clauseWindow is what errors call the inside of a window definition.
const clauseWindow = "window definitions"

// supportInRange is the number of a btree operator class's support function for RANGE with offsets.
const supportInRange = 3

// windowFunc makes a call with OVER: of a window function or of an ordinary aggregate.
func (f *funcCall) windowFunc(p *catalog.Proc, args []query.Expr, t query.T, inColl base.OID, variadic bool) (query.Expr, error) {
	n := f.node
	w := &query.WindowFunc{T: t, Func: p.OID, Args: args, Star: n.AggStar, Agg: p.Kind == 'a', Variadic: variadic, InColl: inColl}
	refuse := func(format string, args ...any) error {
		return f.a.errorf(pgerror.FeatureNotSupported, n.Location, format, args...)
	}
	switch {
	case n.AggDistinct:
		return nil, refuse("DISTINCT is not implemented for window functions")
	case w.Agg && len(args) == 0 && !n.AggStar:
		return nil, f.a.errorf(pgerror.WrongObjectType, n.Location, "%s(*) must be used to call a parameterless aggregate function", p.Name)
	case n.AggOrder != nil:
		return nil, refuse("aggregate ORDER BY is not implemented for window functions")
	case n.AggFilter != nil && !w.Agg:
		return nil, refuse("FILTER is not implemented for non-aggregate window functions")
	}
	for _, e := range args {
		if set := findExpr(e, isSet); set != nil {
			e := pgerror.New(pgerror.FeatureNotSupported, "window function calls cannot contain set-returning function calls").
				WithHint("You might be able to move the set-returning function into a LATERAL FROM item.")
			return nil, f.a.at(e, int32(set.Loc()))
		}
	}
	if n.AggFilter != nil {
		var err error
		if w.Filter, err = f.filter(n.AggFilter); err != nil {
			return nil, err
		}
	}
	for _, e := range args {
		if inner := findExpr(e, isWindowFunc); inner != nil {
			return nil, f.a.errorf(pgerror.WindowingError, int32(inner.Loc()), "window function calls cannot be nested")
		}
	}
	if !f.clause.windows {
		return nil, f.a.errorf(pgerror.WindowingError, n.Location, "window functions are not allowed in %s", f.clause.name)
	}
	var err error
	w.Window, err = f.windowOf(n.Over)
	f.q.HasWindows = true
	return w, err
}

func isWindowFunc(e query.Expr) bool { _, ok := e.(*query.WindowFunc); return ok }

func isSet(e query.Expr) bool { c, ok := e.(*query.FuncExpr); return ok && c.RetSet }

// findExpr gives the first sub-expression that f holds for, nil for none.
func findExpr(e query.Expr, f func(query.Expr) bool) query.Expr {
	var found query.Expr
	query.Walk(e, func(x query.Expr) bool {
		if found == nil && f(x) {
			found = x
		}
		return found == nil
	})
	return found
}

// filter analyses the condition of FILTER.
func (s *state) filter(n *pg_query.Node) (query.Expr, error) {
	saved := s.clause
	defer func() { s.clause = saved }()
	s.clause = clause{name: "FILTER"}
	e, err := s.expr(n)
	if err != nil {
		return nil, err
	}
	return s.coerceBoolean(e, "FILTER", types.OIDBool)
}

// windowOf gives the number of the window that an OVER clause means. One that was not written before is added.
func (s *state) windowOf(over *pg_query.WindowDef) (int, error) {
	if over.Name != "" {
		for i, w := range s.windows {
			if w.Name == over.Name {
				return i + 1, nil
			}
		}
		return 0, s.a.errorf(pgerror.UndefinedObject, over.Location, "window \"%s\" does not exist", over.Name)
	}
	for i, w := range s.windows {
		if s.sameWindow(w, over) {
			return i + 1, nil
		}
	}
	s.windows = append(s.windows, over)
	return len(s.windows), nil
}

// sameWindow tells whether two definitions were written alike. When they were, the analysis depends on their literals.
func (s *state) sameWindow(a, b *pg_query.WindowDef) bool {
	var literals []int32
	if a.Refname != b.Refname || a.FrameOptions != b.FrameOptions || !sameNodes(a.PartitionClause, b.PartitionClause, &literals) ||
		!sameNodes(a.OrderClause, b.OrderClause, &literals) || !sameMessage(a.StartOffset, b.StartOffset, &literals) ||
		!sameMessage(a.EndOffset, b.EndOffset, &literals) {
		return false
	}
	for _, loc := range literals {
		if slot, _ := s.a.slotAt(loc); slot >= 0 && slot < len(s.a.read) {
			s.a.read[slot] = true
		}
	}
	return true
}

func sameNodes(a, b []*pg_query.Node, literals *[]int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameMessage(a[i], b[i], literals) {
			return false
		}
	}
	return true
}

// sameMessage compares parse trees without looking where they stand, and notes where their literals do.
func sameMessage(a, b proto.Message, literals *[]int32) bool {
	if n, ok := a.(*pg_query.Node); ok && n == nil {
		m, ok := b.(*pg_query.Node)
		return ok && m == nil
	}
	return sameReflected(a.ProtoReflect(), b.ProtoReflect(), literals)
}

func sameReflected(a, b protoreflect.Message, literals *[]int32) bool {
	if a.Descriptor() != b.Descriptor() || a.IsValid() != b.IsValid() {
		return false
	}
	for _, m := range []protoreflect.Message{a, b} {
		if c, ok := m.Interface().(*pg_query.A_Const); ok {
			*literals = append(*literals, c.Location)
		}
	}
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Name() == "location" {
			continue
		}
		if a.Has(f) != b.Has(f) || a.Has(f) && !sameField(f, a.Get(f), b.Get(f), literals) {
			return false
		}
	}
	return true
}

func sameField(f protoreflect.FieldDescriptor, a, b protoreflect.Value, literals *[]int32) bool {
	switch {
	case f.IsList() && f.Message() != nil:
		x, y := a.List(), b.List()
		for i := 0; i < x.Len() && x.Len() == y.Len(); i++ {
			if !sameReflected(x.Get(i).Message(), y.Get(i).Message(), literals) {
				return false
			}
		}
		return x.Len() == y.Len()
	case f.Message() != nil && !f.IsList():
		return sameReflected(a.Message(), b.Message(), literals)
	}
	return a.Equal(b)
}

// windowClause analyses all windows of the query, once the calls that use them are known.
func (s *state) windowClause() error {
	for _, def := range s.windows {
		w, err := s.window(def)
		if err != nil {
			return err
		}
		s.q.Windows = append(s.q.Windows, w)
	}
	return nil
}

func (s *state) windowNamed(name string) *query.Window {
	for _, w := range s.q.Windows {
		if w.Name == name {
			return w
		}
	}
	return nil
}

func (s *state) window(def *pg_query.WindowDef) (*query.Window, error) {
	if def.Name != "" && s.windowNamed(def.Name) != nil {
		return nil, s.a.errorf(pgerror.WindowingError, def.Location, "window \"%s\" is already defined", def.Name)
	}
	var from *query.Window
	if def.Refname != "" {
		if from = s.windowNamed(def.Refname); from == nil {
			return nil, s.a.errorf(pgerror.UndefinedObject, def.Location, "window \"%s\" does not exist", def.Refname)
		}
	}
	w := &query.Window{Name: def.Name, Base: def.Refname, Frame: query.Frame(def.FrameOptions)}
	var err error
	for _, n := range def.OrderClause {
		item, err := s.sortBy(n.GetSortBy(), &s.q.Targets, clauseWindow)
		if err != nil {
			return nil, err
		}
		if !hasRef(w.Order, item.Ref) {
			w.Order = append(w.Order, item)
		}
	}
	if w.Partition, err = s.partitionBy(def.PartitionClause, w.Order); err != nil {
		return nil, err
	}
	if from != nil {
		if err := s.inheritWindow(w, from, def); err != nil {
			return nil, err
		}
	}
	return w, s.frame(w, def)
}

// partitionBy analyses PARTITION BY. A key that ORDER BY has too is sorted as ORDER BY wants it.
func (s *state) partitionBy(list []*pg_query.Node, order []*query.SortItem) ([]*query.SortItem, error) {
	var out []*query.SortItem
	for _, n := range list {
		items := []*pg_query.Node{n}
		if r := n.GetRowExpr(); r != nil && r.RowFormat == pg_query.CoercionForm_COERCE_IMPLICIT_CAST {
			items = r.Args
		}
		for _, x := range items {
			t, err := s.byExpr(x, &s.q.Targets, clauseWindow)
			if err != nil {
				return nil, err
			}
			if t.Ref != 0 && hasRef(out, t.Ref) {
				continue
			}
			item, err := s.groupItem(t, int32(t.Expr.Loc()))
			if err != nil {
				return nil, err
			}
			for _, o := range order {
				if o.Ref == item.Ref {
					item = o
				}
			}
			out = append(out, item)
		}
	}
	return out, nil
}

// inheritWindow takes from another window what a definition may take.
func (s *state) inheritWindow(w, from *query.Window, def *pg_query.WindowDef) error {
	fail := func(format string) *pgerror.Error { return pgerror.Newf(pgerror.WindowingError, format, def.Refname) }
	own := len(w.Order) > 0
	switch {
	case len(w.Partition) > 0:
		return s.a.at(fail("cannot override PARTITION BY clause of window \"%s\""), def.Location)
	case own && len(from.Order) > 0:
		return s.a.at(fail("cannot override ORDER BY clause of window \"%s\""), def.Location)
	}
	w.Partition = from.Partition
	if !own {
		w.Order, w.CopiedOrder = from.Order, true
	}
	if from.Frame == query.FrameDefault {
		return nil
	}
	e := fail("cannot copy window \"%s\" because it has a frame clause")
	if def.Name == "" && !own && w.Frame == query.FrameDefault {
		e = e.WithHint("Omit the parentheses in this OVER clause.")
	}
	return s.a.at(e, def.Location)
}

// frame analyses the offsets of a frame.
func (s *state) frame(w *query.Window, def *pg_query.WindowDef) error {
	ranged := w.Frame.Has(query.FrameRange) && w.Frame.Has(query.FrameStartOffset|query.FrameEndOffset)
	if ranged && len(w.Order) != 1 {
		return s.a.errorf(pgerror.WindowingError, def.Location, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
	}
	if w.Frame.Has(query.FrameGroups) && len(w.Order) == 0 {
		return s.a.errorf(pgerror.WindowingError, def.Location, "GROUPS mode requires an ORDER BY clause")
	}
	var err error
	if w.Start, w.StartInRange, err = s.frameOffset(w, def.StartOffset); err != nil {
		return err
	}
	w.End, w.EndInRange, err = s.frameOffset(w, def.EndOffset)
	return err
}

func (s *state) frameOffset(w *query.Window, n *pg_query.Node) (query.Expr, base.OID, error) {
	if n == nil {
		return nil, 0, nil
	}
	mode := "RANGE"
	switch {
	case w.Frame.Has(query.FrameRows):
		mode = "ROWS"
	case w.Frame.Has(query.FrameGroups):
		mode = "GROUPS"
	}
	saved := s.clause
	defer func() { s.clause = saved }()
	s.clause = clause{name: clauseWindow, aggName: "window " + mode}
	e, err := s.expr(n)
	if err != nil {
		return nil, 0, err
	}
	want, inRange := base.OID(types.OIDInt8), base.OID(0)
	if mode == "RANGE" {
		if want, inRange, err = s.inRange(w.Order[0].SortOp, e); err != nil {
			return nil, 0, err
		}
	}
	out, err := s.coerceTo(e, want, -1, assignment)
	if err != nil {
		return nil, 0, err
	}
	if out == nil {
		return nil, 0, s.a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "argument of %s must be type %s, not type %s", mode,
			s.a.typeName(want), s.a.typeName(e.Type()))
	}
	if v := findExpr(out, func(x query.Expr) bool { v, ok := x.(*query.Var); return ok && v.Up == 0 }); v != nil {
		return nil, 0, s.a.errorf(pgerror.InvalidColumnReference, int32(v.Loc()), "argument of %s must not contain variables", mode)
	}
	return out, inRange, nil
}

// inRange chooses the support function for a RANGE offset, and the type it wants the offset in.
func (s *state) inRange(sortOp base.OID, offset query.Expr) (base.OID, base.OID, error) {
	places, err := s.a.view.AmopsOf(sortOp)
	if err != nil {
		return 0, 0, err
	}
	var family, column base.OID
	for _, p := range places {
		if p.Method == bootstrap.MethodBtree && p.Purpose == 's' && p.Left == p.Right && (p.Strategy == catalog.StrategyLess || p.Strategy == catalog.StrategyGreater) {
			family, column = p.Family, p.Left
		}
	}
	all, err := s.a.view.SupportOver(family, column, supportInRange)
	if err != nil {
		return 0, 0, err
	}
	given := offset.Type()
	prefer := given
	if given == types.OIDUnknown {
		prefer = column
	}
	var best catalog.SupportFunction
	fits := 0
	for _, f := range all {
		ok, err := s.a.canCoerce(given, f.Right, implicit)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			fits++
			if best.Right != prefer {
				best = f
			}
		}
	}
	fail := func(hint, format string, args ...any) error {
		e := pgerror.Newf(pgerror.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING "+format, args...)
		if hint != "" {
			e = e.WithHint("%s", hint)
		}
		return s.a.at(e, int32(offset.Loc()))
	}
	switch {
	case len(all) == 0:
		return 0, 0, fail("", "is not supported for column type %s", s.a.typeName(column))
	case fits == 0:
		return 0, 0, fail("Cast the offset value to an appropriate type.", "is not supported for column type %s and offset type %s",
			s.a.typeName(column), s.a.typeName(given))
	case fits > 1 && best.Right != prefer:
		return 0, 0, fail("Cast the offset value to the exact intended type.", "has multiple interpretations for column type %s and offset type %s",
			s.a.typeName(column), s.a.typeName(given))
	}
	return best.Right, best.Function, nil
}
