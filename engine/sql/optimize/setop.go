package optimize

import (
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// setOperation plans UNION, INTERSECT and EXCEPT with what stands above them.
func (l *level) setOperation(fraction float64) built {
	q := l.q
	b := l.setNode(q.SetOp)
	if l.err != nil {
		return l.empty()
	}
	u := &upper{targets: q.Targets, order: l.orderOf(q.OrderBy, q.Targets), limit: l.limitRows()}
	b = l.sortLimit(u, b, nil)
	var final []query.Expr
	for _, t := range q.Targets {
		final = append(final, t.Expr)
	}
	return l.project(b, final)
}

// setNode plans a node of the tree; its columns are those of the query's targets.
func (l *level) setNode(op *query.SetOp) built {
	if op.RTE > 0 {
		return l.setLeaf(op)
	}
	cols := l.setCols(op)
	if op.Kind != query.Union {
		return l.setDifference(op, cols)
	}
	n := &plan.Append{}
	l.appendTo(n, op, op.All)
	if l.err != nil {
		return l.empty()
	}
	var startup, total, rows float64
	for i, c := range n.Children {
		b := c.Common()
		if i == 0 {
			startup = b.Startup
		}
		total += b.Total
		rows += b.Rows
	}
	b := l.finish(built{n, cols}, startup, total+rows*l.set.CPUTupleCost*0.5, rows)
	if op.All {
		return b
	}
	return l.unionDistinct(op, b)
}

// appendTo flattens unions of one kind into one Append.
func (l *level) appendTo(n *plan.Append, op *query.SetOp, all bool) {
	for _, side := range []*query.SetOp{op.Left, op.Right} {
		if side.RTE == 0 && side.Kind == query.Union && (side.All || !all) && sameTypes(side, op) {
			l.appendTo(n, side, all)
			continue
		}
		b := l.setNode(side)
		n.Children = append(n.Children, b.node)
	}
}

func sameTypes(a, b *query.SetOp) bool {
	for i := range a.Columns {
		if a.Columns[i].Type != b.Columns[i].Type {
			return false
		}
	}
	return true
}

// setLeaf plans a branch.
func (l *level) setLeaf(op *query.SetOp) built {
	r := l.q.Range[op.RTE-1]
	sub := l.newLevel(l, r.Sub)
	b := sub.plan(0)
	if l.err != nil {
		return l.empty()
	}
	for _, n := range sub.needs {
		if n.owner == l {
			l.fail(pgerror.Newf(pgerror.InternalError, "a branch of a set operation refers to its own level"))
		}
	}
	return built{b.node, l.setCols(op)}
}

// setCols gives the columns of a node of the tree as the query's targets name them.
func (l *level) setCols(op *query.SetOp) []query.Expr {
	left := op
	for left.RTE == 0 {
		left = left.Left
	}
	out := make([]query.Expr, len(op.Columns))
	for i, c := range op.Columns {
		out[i] = &query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}, RTE: left.RTE, Attr: i + 1}
	}
	return out
}

func groupKeys(op *query.SetOp) (keys []plan.SortKey, hashable, sortable bool) {
	hashable, sortable = true, true
	for _, s := range op.Group {
		keys = append(keys, keyOf(s, s.Ref-1))
		hashable = hashable && s.Hashable
		sortable = sortable && s.SortOp != 0
	}
	return keys, hashable, sortable
}

func (l *level) unionDistinct(op *query.SetOp, b built) built {
	keys, hashable, _ := groupKeys(op)
	c := b.node.Common()
	if len(keys) == 0 {
		n := &plan.Limit{Child: b.node, Count: &query.Const{T: int8T, Value: oneDatum, Slot: -1}}
		return l.finish(built{n, b.cols}, c.Startup, c.Total, 1)
	}
	ops := float64(len(keys)) * l.set.CPUOperatorCost * c.Rows
	if hashable && l.set.EnableHashAgg {
		n := &plan.Agg{Strategy: plan.AggHashed, Child: b.node, Group: keys}
		return l.finish(built{n, b.cols}, c.Total+ops, c.Total+ops+c.Rows*l.set.CPUTupleCost, c.Rows)
	}
	b = l.sortNode(b, keys, nil, 0)
	return l.over(&plan.Unique{Child: b.node, Keys: keys}, b, 0, ops, c.Rows)
}

func (l *level) setDifference(op *query.SetOp, cols []query.Expr) built {
	left, right := l.setNode(op.Left), l.setNode(op.Right)
	if l.err != nil {
		return l.empty()
	}
	keys, hashable, _ := groupKeys(op)
	if !hashable {
		l.unsupported("INTERSECT or EXCEPT over columns that cannot be hashed")
		return l.empty()
	}
	a, b := left.node.Common(), right.node.Common()
	rows := a.Rows
	if op.Kind == query.Intersect {
		rows = min(a.Rows, b.Rows)
	}
	total := a.Total + b.Total + (a.Rows+b.Rows)*l.set.CPUOperatorCost*float64(len(keys))
	n := &plan.SetOp{Kind: op.Kind, All: op.All, Left: left.node, Right: right.node, Keys: keys}
	return l.finish(built{n, cols}, total, total+rows*l.set.CPUTupleCost, rows)
}

// recursive plans a WITH RECURSIVE query: its first branch once, the second over what the round before added.
func (l *level) recursive(c *query.CTE, info *cteInfo) built {
	op := l.q.SetOp
	if op == nil || op.Left == nil || op.Left.RTE == 0 || op.Right.RTE == 0 {
		l.unsupported("this form of WITH RECURSIVE")
		return l.empty()
	}
	left := l.setLeaf(op.Left)
	if l.err != nil {
		return l.empty()
	}
	info.rows = left.node.Common().Rows * 10
	right := l.setLeaf(op.Right)
	if l.err != nil {
		return l.empty()
	}
	keys, hashable, _ := groupKeys(op)
	if !op.All && !hashable {
		l.unsupported("WITH RECURSIVE ... UNION over columns that cannot be hashed")
		return l.empty()
	}
	a, b := left.node.Common(), right.node.Common()
	n := &plan.RecursiveUnion{Table: info.table, Left: left.node, Right: right.node, Distinct: !op.All, Group: keys}
	rows := a.Rows + 10*b.Rows
	return l.finish(built{n, l.setCols(op)}, a.Startup, a.Total+10*b.Total+rows*l.set.CPUTupleCost, rows)
}
