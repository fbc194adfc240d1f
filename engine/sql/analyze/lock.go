package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
)

var strengths = map[pg_query.LockClauseStrength]query.LockStrength{
	pg_query.LockClauseStrength_LCS_FORKEYSHARE: query.ForKeyShare, pg_query.LockClauseStrength_LCS_FORSHARE: query.ForShare,
	pg_query.LockClauseStrength_LCS_FORNOKEYUPDATE: query.ForNoKeyUpdate, pg_query.LockClauseStrength_LCS_FORUPDATE: query.ForUpdate,
}

var strengthNames = map[query.LockStrength]string{
	query.ForKeyShare: "FOR KEY SHARE", query.ForShare: "FOR SHARE", query.ForNoKeyUpdate: "FOR NO KEY UPDATE", query.ForUpdate: "FOR UPDATE",
}

// locking analyses FOR UPDATE and its like into row marks.
func (s *state) locking(list []*pg_query.Node) error {
	for _, n := range list {
		l := n.GetLockingClause()
		mark := query.RowMark{Strength: strengths[l.Strength], NoWait: l.WaitPolicy == pg_query.LockWaitPolicy_LockWaitError,
			SkipLocked: l.WaitPolicy == pg_query.LockWaitPolicy_LockWaitSkip}
		name := strengthNames[mark.Strength]
		for _, bad := range []struct {
			is   bool
			what string
		}{{len(s.q.Distinct) > 0, "DISTINCT clause"}, {len(s.q.GroupBy) > 0, "GROUP BY clause"}, {s.q.Having != nil, "HAVING clause"},
			{s.q.HasAggs, "aggregate functions"}, {s.q.HasWindows, "window functions"},
			{s.q.HasTargetSRFs, "set-returning functions in the target list"}} {
			if bad.is {
				return pgerror.Newf(pgerror.FeatureNotSupported, "%s is not allowed with %s", name, bad.what)
			}
		}
		if len(l.LockedRels) == 0 {
			for i := range s.q.Range {
				s.mark(i+1, mark)
			}
			continue
		}
		for _, x := range l.LockedRels {
			if err := s.markNamed(x.GetRangeVar(), mark, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *state) markNamed(v *pg_query.RangeVar, mark query.RowMark, name string) error {
	if v.Schemaname != "" || v.Catalogname != "" {
		return s.a.errorf(pgerror.SyntaxError, v.Location, "%s must specify unqualified relation names", name)
	}
	for _, it := range s.ns {
		if it.relVisible && it.name == v.Relname && it.rte > 0 {
			if k := s.q.Range[it.rte-1].Kind; k != query.RangeRelation && k != query.RangeSubquery {
				return s.a.errorf(pgerror.FeatureNotSupported, v.Location, "%s cannot be applied to a function, VALUES or WITH query", name)
			}
			s.mark(it.rte, mark)
			return nil
		}
	}
	return s.a.errorf(pgerror.UndefinedTable, v.Location, "relation \"%s\" in %s clause not found in FROM clause", v.Relname, name)
}

// mark locks the rows of one range entry; those of a sub-select are locked inside it.
func (s *state) mark(rte int, m query.RowMark) {
	r := s.q.Range[rte-1]
	switch r.Kind {
	case query.RangeRelation:
		m.RTE = rte
		r.LockMode = 2
		r.Privileges |= PrivUpdate
		for i := range s.q.RowMarks {
			if o := &s.q.RowMarks[i]; o.RTE == rte {
				o.Strength = max(o.Strength, m.Strength)
				o.NoWait = o.NoWait || m.NoWait
				o.SkipLocked = o.SkipLocked || m.SkipLocked
				return
			}
		}
		s.q.RowMarks = append(s.q.RowMarks, m)
	case query.RangeSubquery:
		inner := &state{a: s.a, q: r.Sub}
		m.PushedDown = true
		for i := range r.Sub.Range {
			inner.mark(i+1, m)
		}
	}
}

// visitRangeVars calls f with every RangeVar inside a raw tree.
func visitRangeVars(n protoreflect.ProtoMessage, f func(*pg_query.RangeVar)) {
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		if v, ok := m.Interface().(*pg_query.RangeVar); ok {
			f(v)
		}
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case fd.Kind() != protoreflect.MessageKind:
			case fd.IsList():
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			default:
				walk(v.Message())
			}
			return true
		})
	}
	walk(n.ProtoReflect())
}
