package optimize

import (
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// lockVars adds the addresses that row locks need to what the joins deliver, and gives them.
func (l *level) lockVars(need *vars) []query.Expr {
	if len(l.q.RowMarks) == 0 {
		return nil
	}
	return l.addresses(need, 0)
}

// addresses gives the ctid columns of the level's base tables but one, and adds them to need.
func (l *level) addresses(need *vars, except int) []query.Expr {
	var out []query.Expr
	for i, r := range l.rels {
		if r == nil || i == except || r.entry.Kind != query.RangeRelation || !l.inFrom(i) {
			continue
		}
		v := ctidVar(i)
		need.add(v)
		out = append(out, v)
	}
	return out
}

func ctidVar(rte int) *query.Var {
	return &query.Var{T: query.T{Typ: types.OIDTID, Mod: -1, Offset: -1}, RTE: rte, Attr: query.AttrCtid}
}

// inFrom tells whether a range entry's rows are visible above the joins: not behind a semi or anti join.
func (l *level) inFrom(rte int) bool {
	var visit func(it query.FromItem) bool
	visit = func(it query.FromItem) bool {
		switch it := it.(type) {
		case *query.FromRef:
			return it.RTE == rte
		case *query.FromJoin:
			if it.Type == query.JoinSemi || it.Type == query.JoinAnti {
				return visit(it.Left)
			}
			return visit(it.Left) || visit(it.Right)
		}
		return false
	}
	for _, it := range l.q.From {
		if visit(it) {
			return true
		}
	}
	return false
}

func (l *level) lockRows(b built) built {
	n := &plan.LockRows{Child: b.node}
	marked := map[int]bool{}
	for _, m := range l.q.RowMarks {
		if m.RTE >= len(l.rels) || l.rels[m.RTE] == nil {
			continue
		}
		marked[m.RTE] = true
		r := l.rels[m.RTE]
		at := l.find(b.cols, ctidVar(m.RTE))
		if at < 0 {
			l.unsupported("row locks on a relation that is not joined as such")
			return b
		}
		n.Marks = append(n.Marks, plan.RowMark{Rel: r.entry.Rel, RTE: l.scanRTE(r), Ctid: at, Strength: m.Strength, NoWait: m.NoWait, SkipLocked: m.SkipLocked})
	}
	for i, r := range l.rels {
		if r == nil || marked[i] || r.entry.Kind != query.RangeRelation {
			continue
		}
		if at := l.find(b.cols, ctidVar(i)); at >= 0 {
			n.Old = append(n.Old, plan.OldRow{RTE: l.scanRTE(r), Ctid: at})
		}
	}
	c := b.node.Common()
	return l.over(n, b, 0, c.Rows*l.set.CPUTupleCost, c.Rows)
}
