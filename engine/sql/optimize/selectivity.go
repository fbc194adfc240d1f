package optimize

import (
	"math"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// PostgreSQL's guesses where nothing is known (selfuncs.h).
const (
	defaultEq       = 0.005
	defaultIneq     = 0.3333333333333333
	defaultRange    = 0.005
	defaultMatch    = 0.005
	defaultUnknown  = 0.005
	defaultDistinct = 200.0
)

// The estimators that operators name (pg_operator.oprrest, oprjoin), by OID.
const (
	estEq  base.OID = 101
	estNeq base.OID = 102
	estLt  base.OID = 103
	estGt  base.OID = 104
	estLe  base.OID = 336
	estGe  base.OID = 337
)

func clamp01(s float64) float64 {
	if math.IsNaN(s) {
		return 1
	}
	return math.Min(1, math.Max(0, s))
}

// value gives the value of an expression that planning may use.
func (l *level) value(e query.Expr) (types.Datum, bool) {
	switch x := e.(type) {
	case *query.Const:
		if x.Slot < 0 {
			return x.Value, true
		}
	case *query.Param:
		if !x.Exec && x.N >= 1 && x.N <= len(l.opt.ParamValues) {
			return l.opt.ParamValues[x.N-1], true
		}
	case *query.Relabel:
		return l.value(x.Arg)
	}
	return types.Null, false
}

// selectivity estimates the share of rows that pass a condition.
func (l *level) selectivity(e query.Expr) float64 {
	switch x := e.(type) {
	case nil:
		return 1
	case *query.Const:
		if k := literal(x); k != nil {
			if k.Value.True() {
				return 1
			}
			return 0
		}
		return 0.5
	case *query.BoolExpr:
		return l.boolSelectivity(x)
	case *query.OpExpr:
		return l.opSelectivity(x)
	case *query.ArrayOp:
		return l.arraySelectivity(x)
	case *query.NullTest:
		return l.nullSelectivity(x)
	case *query.Var:
		if s := l.columnStats(x); s != nil {
			return l.equalsValue(x, s, types.Bool(true), true)
		}
		return 0.5
	case *query.BooleanTest:
		s := 0.5
		if x.Want == 'u' {
			s = defaultUnknown
		} else if s = l.selectivity(x.Arg); x.Want == 'f' {
			s = 1 - s
		}
		if x.Not {
			return 1 - s
		}
		return s
	case *query.DistinctExpr:
		s := l.opSelectivity(&x.OpExpr)
		if x.Not {
			return s
		}
		return 1 - s
	case *query.CurrentOf:
		return 0
	case *query.FuncExpr:
		return defaultIneq
	case *query.RowCompare:
		return defaultIneq
	}
	return 0.5
}

func (l *level) boolSelectivity(b *query.BoolExpr) float64 {
	switch b.Op {
	case query.Not:
		return 1 - l.selectivity(b.Args[0])
	case query.Or:
		s := 0.0
		for _, a := range b.Args {
			t := l.selectivity(a)
			s = s + t - s*t
		}
		return clamp01(s)
	}
	return l.allSelectivity(b.Args)
}

// allSelectivity estimates conditions that all have to hold; two bounds of one column make a range.
func (l *level) allSelectivity(list []query.Expr) float64 {
	type bounds struct {
		key    query.Expr
		lo, hi float64
	}
	var ranges []*bounds
	s := 1.0
	for _, e := range list {
		o, ok := e.(*query.OpExpr)
		key, upper := query.Expr(nil), false
		if ok && len(o.Args) == 2 {
			key, upper = l.boundOf(o)
		}
		if key == nil {
			s *= l.selectivity(e)
			continue
		}
		var at *bounds
		for _, r := range ranges {
			if same(r.key, key) {
				at = r
			}
		}
		if at == nil {
			at = &bounds{key: key, lo: -1, hi: -1}
			ranges = append(ranges, at)
		}
		p, t := &at.lo, l.selectivity(e)
		if upper {
			p = &at.hi
		}
		if *p < 0 || t < *p {
			*p = t
		}
	}
	for _, r := range ranges {
		switch {
		case r.lo < 0:
			s *= r.hi
		case r.hi < 0:
			s *= r.lo
		case r.lo == defaultIneq && r.hi == defaultIneq:
			s *= defaultRange
		default:
			s *= math.Max(r.lo+r.hi-1, 1e-10)
		}
	}
	return clamp01(s)
}

// boundOf tells whether an operator bounds an expression by something without columns, and from which side.
func (l *level) boundOf(o *query.OpExpr) (key query.Expr, upper bool) {
	rest := l.operator(o.Op).Rest
	lt, gt := rest == estLt || rest == estLe, rest == estGt || rest == estGe
	if !lt && !gt {
		return nil, false
	}
	switch {
	case exprRels(o.Args[1]).empty():
		return o.Args[0], lt
	case exprRels(o.Args[0]).empty():
		return o.Args[1], gt
	}
	return nil, false
}

// columnStats gives the statistics of a plain column of a table, nil when there are none.
func (l *level) columnStats(e query.Expr) *catalog.ColumnStatistics {
	v, ok := strip(e).(*query.Var)
	if !ok || v.Up != 0 || v.RTE < 1 || v.RTE > len(l.q.Range) {
		return nil
	}
	r := l.q.Range[v.RTE-1]
	if r.Kind != query.RangeRelation || r.Rel == nil {
		return nil
	}
	return l.statistics(r.Rel.OID).Columns[v.Attr]
}

// strip takes off casts that change nothing.
func strip(e query.Expr) query.Expr {
	for {
		r, ok := e.(*query.Relabel)
		if !ok {
			return e
		}
		e = r.Arg
	}
}

func (l *level) opSelectivity(o *query.OpExpr) float64 {
	if len(o.Args) != 2 {
		return 0.5
	}
	op := l.operator(o.Op)
	a, b := o.Args[0], o.Args[1]
	ra, rb := exprRels(a), exprRels(b)
	if !ra.empty() && !rb.empty() && ra != rb {
		return l.joinSelectivity(op, a, b)
	}
	rest := op.Rest
	if ra.empty() && !rb.empty() { // the column stands right: look at the commuted operator
		a, b = b, a
		rest = commuted(rest)
	}
	switch rest {
	case estEq:
		return l.eqSelectivity(a, b)
	case estNeq:
		s := l.columnStats(a)
		null := 0.0
		if s != nil {
			null = s.NullFraction
		}
		return clamp01(1 - null - l.eqSelectivity(a, b))
	case estLt, estLe, estGt, estGe:
		return l.ineqSelectivity(rest, a, b)
	case 0:
		return 0.5
	}
	return defaultMatch
}

func commuted(est base.OID) base.OID {
	switch est {
	case estLt:
		return estGt
	case estGt:
		return estLt
	case estLe:
		return estGe
	case estGe:
		return estLe
	}
	return est
}

func (l *level) eqSelectivity(a, b query.Expr) float64 {
	s := l.columnStats(a)
	if l.uniqueColumn(a) {
		return 1 / math.Max(l.tableRows(a), 1)
	}
	if s == nil {
		if n, ok := l.distinct(a); ok {
			return 1 / math.Max(n, 1)
		}
		return defaultEq
	}
	v, known := l.value(b)
	if known && v.Null {
		return 0
	}
	return l.equalsValue(a, s, v, known && b.Type() == strip(a).Type())
}

// equalsValue estimates `column = value`.
func (l *level) equalsValue(a query.Expr, s *catalog.ColumnStatistics, v types.Datum, known bool) float64 {
	n, _ := l.distinct(a)
	if !known {
		sel := (1 - s.NullFraction) / math.Max(n, 1)
		if len(s.CommonFreqs) > 0 {
			sel = math.Min(sel, s.CommonFreqs[0])
		}
		return clamp01(sel)
	}
	common := 0.0
	typ := strip(a).Type()
	for i, m := range s.CommonValues {
		if i < len(s.CommonFreqs) {
			if types.Equal(typ, m, v) {
				return s.CommonFreqs[i]
			}
			common += s.CommonFreqs[i]
		}
	}
	sel := 1 - common - s.NullFraction
	if other := n - float64(len(s.CommonValues)); other > 1 {
		sel /= other
	}
	if k := len(s.CommonFreqs); k > 0 {
		sel = math.Min(sel, s.CommonFreqs[k-1])
	}
	return clamp01(sel)
}

func (l *level) ineqSelectivity(rest base.OID, a, b query.Expr) float64 {
	s := l.columnStats(a)
	v, known := l.value(b)
	if known && v.Null {
		return 0
	}
	typ := strip(a).Type()
	if s == nil || !known || b.Type() != typ {
		return defaultIneq
	}
	less := rest == estLt || rest == estLe
	match, common := 0.0, 0.0
	for i, m := range s.CommonValues {
		c := types.Compare(typ, m, v)
		if less && (c < 0 || c == 0 && rest == estLe) || !less && (c > 0 || c == 0 && rest == estGe) {
			match += s.CommonFreqs[i]
		}
		common += s.CommonFreqs[i]
	}
	h := s.Histogram
	if len(h) < 2 {
		if common == 0 {
			return defaultIneq
		}
		return clamp01(match + defaultIneq*math.Max(0, 1-common-s.NullFraction))
	}
	return clamp01(match + histogramShare(typ, h, v, less)*math.Max(0, 1-common-s.NullFraction))
}

// histogramShare estimates the share of a histogram below (or above) a value, interpolating inside a bin of numbers.
func histogramShare(typ base.OID, h []types.Datum, v types.Datum, less bool) float64 {
	i := 0
	for i < len(h) && types.Compare(typ, h[i], v) < 0 {
		i++
	}
	var below float64
	switch {
	case i == 0:
		below = 0
	case i == len(h):
		below = 1
	default:
		at := 0.5
		if lo, hi, x, ok := numeric(typ, h[i-1], h[i], v); ok && hi > lo {
			at = (x - lo) / (hi - lo)
		}
		below = (float64(i-1) + at) / float64(len(h)-1)
	}
	if !less {
		below = 1 - below
	}
	return math.Min(math.Max(below, 0.0001), 0.9999)
}

func numeric(typ base.OID, a, b, c types.Datum) (x, y, z float64, ok bool) {
	switch typ {
	case types.OIDFloat4, types.OIDFloat8:
		return a.Float(), b.Float(), c.Float(), true
	case types.OIDInt2, types.OIDInt4, types.OIDInt8, types.OIDDate, types.OIDTimestamp, types.OIDTimestampTZ, types.OIDOID, types.OIDTime:
		return float64(a.I), float64(b.I), float64(c.I), true
	}
	return 0, 0, 0, false
}

func (l *level) nullSelectivity(n *query.NullTest) float64 {
	s := defaultUnknown
	if c := l.columnStats(n.Arg); c != nil {
		s = c.NullFraction
	} else if v, ok := strip(n.Arg).(*query.Var); ok && v.Up == 0 {
		if r := l.q.Range[v.RTE-1]; r.Kind == query.RangeRelation && v.Attr > 0 && v.Attr <= len(r.Rel.Columns) && r.Rel.Columns[v.Attr-1].NotNull {
			s = 0
		}
	}
	if n.Not {
		return 1 - s
	}
	return s
}

func (l *level) arraySelectivity(a *query.ArrayOp) float64 {
	n := 10.0
	one := defaultEq
	probe := &query.OpExpr{T: boolT, Op: a.Op, Func: a.Func, Args: []query.Expr{a.Args[0], &query.Param{N: -1, Exec: true}}}
	switch x := a.Args[1].(type) {
	case *query.ArrayExpr:
		n = float64(len(x.Elems))
	case *query.Const:
		if v, ok := l.value(x); ok && !v.Null {
			n = float64(arrayCount(v))
		}
	}
	one = l.opSelectivity(probe)
	op := l.operator(a.Op)
	if a.Any {
		if op.Rest == estEq {
			return clamp01(n * one)
		}
		return clamp01(1 - math.Pow(1-one, n))
	}
	if op.Rest == estNeq {
		return clamp01(1 - n*(1-one))
	}
	return clamp01(math.Pow(one, n))
}

// tableRows gives the rows of the relation a column belongs to.
func (l *level) tableRows(e query.Expr) float64 {
	if v, ok := strip(e).(*query.Var); ok && v.Up == 0 && v.RTE < len(l.rels) && l.rels[v.RTE] != nil {
		return l.rels[v.RTE].tuples
	}
	return 1000
}

// uniqueColumn tells whether a unique index covers exactly this column.
func (l *level) uniqueColumn(e query.Expr) bool {
	v, ok := strip(e).(*query.Var)
	if !ok || v.Up != 0 || v.Attr < 1 || v.RTE < 1 || v.RTE > len(l.q.Range) {
		return false
	}
	r := l.q.Range[v.RTE-1]
	if r.Kind != query.RangeRelation || r.Rel == nil {
		return false
	}
	for _, x := range r.Rel.Indexes {
		if x.Unique && x.Immediate && x.Predicate == "" && len(x.Keys) == 1 && int(x.Keys[0].Attr) == v.Attr {
			return true
		}
	}
	return false
}

// distinct estimates the number of distinct values of an expression; false for a guess.
func (l *level) distinct(e query.Expr) (float64, bool) {
	rows := l.tableRows(e)
	if l.uniqueColumn(e) {
		return rows, true
	}
	if s := l.columnStats(e); s != nil && s.Distinct != 0 {
		if s.Distinct > 0 {
			return s.Distinct, true
		}
		return math.Max(1, -s.Distinct*rows), true
	}
	if e.Type() == types.OIDBool {
		return 2, false
	}
	if v, ok := strip(e).(*query.Var); ok && v.Up == 0 && v.RTE < len(l.rels) && l.rels[v.RTE] != nil {
		return math.Min(defaultDistinct, math.Max(rows, 1)), false
	}
	return defaultDistinct, false
}

func (l *level) joinSelectivity(op *catalog.Operator, a, b query.Expr) float64 {
	switch op.Rest {
	case estEq:
		na, _ := l.distinct(a)
		nb, _ := l.distinct(b)
		s := 1 / math.Max(math.Max(na, nb), 1)
		for _, e := range []query.Expr{a, b} {
			if c := l.columnStats(e); c != nil {
				s *= 1 - c.NullFraction
			}
		}
		return clamp01(s)
	case estNeq:
		return clamp01(1 - l.joinSelectivity(&catalog.Operator{Rest: estEq}, a, b))
	case estLt, estLe, estGt, estGe:
		return defaultIneq
	}
	return defaultMatch
}

// groups estimates the number of groups among rows by the given keys.
func (l *level) groups(keys []query.Expr, rows float64) float64 {
	n := 1.0
	var seen []query.Expr
	for _, k := range keys {
		var vars []query.Expr
		query.Walk(k, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok && v.Up == 0 && !contains(seen, v) {
				vars = append(vars, v)
				seen = append(seen, v)
			}
			return true
		})
		if k.Type() == types.OIDBool && len(vars) > 0 {
			n *= 2
			continue
		}
		for _, v := range vars {
			d, _ := l.distinct(v)
			n *= d
		}
	}
	return clampRows(math.Min(n, rows))
}
