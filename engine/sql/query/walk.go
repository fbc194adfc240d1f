package query

// EachChild calls f with a pointer to each direct sub-expression of e, in evaluation order. The SubLink's query is not
// entered; its test is. Nil sub-expressions are passed over.
func EachChild(e Expr, f func(*Expr)) {
	list := func(l []Expr) {
		for i := range l {
			if l[i] != nil {
				f(&l[i])
			}
		}
	}
	one := func(p *Expr) {
		if *p != nil {
			f(p)
		}
	}
	switch e := e.(type) {
	case *FuncExpr:
		list(e.Args)
	case *OpExpr:
		list(e.Args)
	case *DistinctExpr:
		list(e.Args)
	case *NullIf:
		list(e.Args)
	case *ArrayOp:
		list(e.Args[:])
	case *BoolExpr:
		list(e.Args)
	case *NullTest:
		one(&e.Arg)
	case *BooleanTest:
		one(&e.Arg)
	case *Case:
		one(&e.Arg)
		for i := range e.Whens {
			one(&e.Whens[i].Cond)
			one(&e.Whens[i].Result)
		}
		one(&e.Else)
	case *Coalesce:
		list(e.Args)
	case *MinMax:
		list(e.Args)
	case *ArrayExpr:
		list(e.Elems)
	case *RowExpr:
		list(e.Args)
	case *RowCompare:
		list(e.Left)
		list(e.Right)
	case *Subscript:
		one(&e.Array)
		list(e.Upper)
		list(e.Lower)
		one(&e.Assign)
	case *FieldSelect:
		one(&e.Arg)
	case *Relabel:
		one(&e.Arg)
	case *CoerceViaIO:
		one(&e.Arg)
	case *ArrayCoerce:
		one(&e.Arg)
		one(&e.Elem)
	case *Collate:
		one(&e.Arg)
	case *Aggref:
		list(e.Direct)
		for _, t := range e.Args {
			one(&t.Expr)
		}
		one(&e.Filter)
	case *WindowFunc:
		list(e.Args)
		one(&e.Filter)
	case *SubLink:
		one(&e.Test)
	case *DomainCheck:
		one(&e.Arg)
	case *SubExpr:
		one(&e.Test)
		for i := range e.Params {
			one(&e.Params[i].Value)
		}
	}
}

// Walk visits e and its sub-expressions in pre-order; a false from f keeps it out of that node's children. The queries of
// SubLinks are not entered.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	EachChild(e, func(p *Expr) { Walk(*p, f) })
}

// Any tells whether f holds for e or a sub-expression of it.
func Any(e Expr, f func(Expr) bool) bool {
	found := false
	Walk(e, func(x Expr) bool {
		if !found && f(x) {
			found = true
		}
		return !found
	})
	return found
}

// Mutate rebuilds e: f is called on every node before its children; when it answers a replacement, that stands as it is,
// otherwise the node is copied and its children are rebuilt. The input is never changed.
func Mutate(e Expr, f func(Expr) (Expr, bool)) Expr {
	if e == nil {
		return nil
	}
	if r, ok := f(e); ok {
		return r
	}
	c := Copy(e)
	EachChild(c, func(p *Expr) { *p = Mutate(*p, f) })
	return c
}

// Copy copies one node with its lists of children, but not the children themselves.
func Copy(e Expr) Expr {
	switch e := e.(type) {
	case *Var:
		c := *e
		return &c
	case *Const:
		c := *e
		return &c
	case *Param:
		c := *e
		return &c
	case *FuncExpr:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *OpExpr:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *DistinctExpr:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *NullIf:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *ArrayOp:
		c := *e
		return &c
	case *BoolExpr:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *NullTest:
		c := *e
		return &c
	case *BooleanTest:
		c := *e
		return &c
	case *Case:
		c := *e
		c.Whens = append([]When(nil), e.Whens...)
		return &c
	case *Coalesce:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *MinMax:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	default:
		return copyRare(e)
	}
}

func copyRare(e Expr) Expr {
	switch e := e.(type) {
	case *ArrayExpr:
		c := *e
		c.Elems = cloneList(e.Elems)
		return &c
	case *RowExpr:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *RowCompare:
		c := *e
		c.Left, c.Right = cloneList(e.Left), cloneList(e.Right)
		return &c
	case *Subscript:
		c := *e
		c.Upper, c.Lower = cloneList(e.Upper), cloneList(e.Lower)
		return &c
	case *FieldSelect:
		c := *e
		return &c
	case *Relabel:
		c := *e
		return &c
	case *CoerceViaIO:
		c := *e
		return &c
	case *ArrayCoerce:
		c := *e
		return &c
	case *Collate:
		c := *e
		return &c
	case *Aggref:
		c := *e
		c.Direct = cloneList(e.Direct)
		c.Args = make([]*Target, len(e.Args))
		for i, t := range e.Args {
			tc := *t
			c.Args[i] = &tc
		}
		return &c
	case *WindowFunc:
		c := *e
		c.Args = cloneList(e.Args)
		return &c
	case *SubLink:
		c := *e
		return &c
	case *DomainCheck:
		c := *e
		return &c
	case *SubExpr:
		c := *e
		c.Params = append([]ParamSet(nil), e.Params...)
		return &c
	case *Col:
		c := *e
		return &c
	}
	return e // leaves without children are never changed in place
}

func cloneList(l []Expr) []Expr {
	if l == nil {
		return nil
	}
	return append(make([]Expr, 0, len(l)), l...)
}

// EachExpr calls f with a pointer to every top-level expression of the query itself: targets, conditions, limits, values
// and functions of its range table. Sub-queries are not entered.
func (q *Query) EachExpr(f func(*Expr)) {
	one := func(p *Expr) {
		if *p != nil {
			f(p)
		}
	}
	targets := func(l []*Target) {
		for _, t := range l {
			one(&t.Expr)
		}
	}
	targets(q.Targets)
	one(&q.Where)
	eachJoin(q.From, func(j *FromJoin) { one(&j.On) })
	one(&q.Having)
	one(&q.Limit)
	one(&q.Offset)
	targets(q.Returning)
	if q.Conflict != nil {
		targets(q.Conflict.Set)
		one(&q.Conflict.Where)
	}
	for _, w := range q.Windows {
		one(&w.Start)
		one(&w.End)
	}
	for _, r := range q.Range {
		for i := range r.Funcs {
			one(&r.Funcs[i])
		}
		for _, row := range r.Values {
			for i := range row {
				one(&row[i])
			}
		}
		if r.Join != nil {
			for i := range r.Join.Aliases {
				one(&r.Join.Aliases[i])
			}
		}
	}
}

func eachJoin(items []FromItem, f func(*FromJoin)) {
	for _, it := range items {
		if j, ok := it.(*FromJoin); ok {
			eachJoin([]FromItem{j.Left, j.Right}, f)
			f(j)
		}
	}
}

// EachQuery calls f with every query directly inside q, and the number of levels it lies below q (one).
func (q *Query) EachQuery(f func(*Query)) {
	for _, c := range q.CTEs {
		f(c.Query)
	}
	for _, r := range q.Range {
		if r.Sub != nil {
			f(r.Sub)
		}
	}
	q.EachExpr(func(p *Expr) {
		Walk(*p, func(e Expr) bool {
			if s, ok := e.(*SubLink); ok {
				f(s.Query)
			}
			return true
		})
	})
}

// WalkLevels visits every expression node of q and of the queries inside it; level is the depth below q, so that a Var
// with Up equal to level belongs to q.
func (q *Query) WalkLevels(f func(e Expr, level int)) { q.walkLevels(0, f) }

func (q *Query) walkLevels(level int, f func(Expr, int)) {
	q.EachExpr(func(p *Expr) {
		Walk(*p, func(e Expr) bool {
			f(e, level)
			return true
		})
	})
	q.EachQuery(func(s *Query) { s.walkLevels(level+1, f) })
}
