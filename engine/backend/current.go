package backend

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/optimize"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/plancache"
)

// place is what WHERE CURRENT OF has to know of a cursor. The cursor's query returns, behind its columns, the table and the
// address of the row that each of its tables contributed.
type place struct {
	columns int        // of the query itself
	refs    int        // tables whose rows can be told
	locked  bool       // FOR UPDATE or SHARE: its tables count, however they are joined
	tables  []base.OID // by locked reference; else the one table of a simple scan
}

// cursorPlan plans the query of a cursor, so that WHERE CURRENT OF can find its row where PostgreSQL could.
func (b *Backend) cursorPlan(text string, query *pg_query.Node, params []base.OID) (*plancache.Variant, place, error) {
	s := query.GetSelectStmt()
	names := addressable(s)
	if len(names) == 0 {
		v, err := b.variant(text, query, nil, params, true)
		return v, place{}, err
	}
	saved := s.TargetList
	defer func() { s.TargetList = saved }()
	s.TargetList = saved[:len(saved):len(saved)]
	for _, name := range names {
		for _, column := range []string{"tableoid", "ctid"} {
			ref := pg_query.MakeColumnRefNode([]*pg_query.Node{pg_query.MakeStrNode(name), pg_query.MakeStrNode(column)}, -1)
			s.TargetList = append(s.TargetList, pg_query.MakeResTargetNodeWithVal(ref, -1))
		}
	}
	v, err := b.variant(text, query, nil, params, true)
	if err != nil { // views have no addresses, groups neither
		s.TargetList = saved
		v, err = b.variant(text, query, nil, params, true)
		return v, place{}, err
	}
	p := place{columns: len(v.Plan.Columns) - 2*len(names), refs: len(names), locked: len(s.LockingClause) > 0}
	simple := true
	optimize.Walk(v.Plan.Root, func(n plan.Node) {
		switch n := n.(type) {
		case *plan.LockRows:
			for i := range n.Marks {
				p.tables = append(p.tables, n.Marks[i].Rel.OID)
			}
		case *plan.SeqScan:
			p.scanned(n.Rel.OID)
		case *plan.IndexScan:
			p.scanned(n.Rel.OID)
		case *plan.BitmapHeap:
			p.scanned(n.Rel.OID)
		case *plan.TidScan:
			p.scanned(n.Rel.OID)
		case *plan.Limit, *plan.Result, *plan.SubqueryScan:
		default:
			simple = false
		}
	})
	if !p.locked && !simple {
		p.tables = nil
	}
	return v, p, nil
}

// scanned notes the table of a scan; of a query that locks rows only the locks count.
func (p *place) scanned(table base.OID) {
	if !p.locked {
		p.tables = append(p.tables, table)
	}
}

// addressable lists the names, in a query, of the tables whose rows WHERE CURRENT OF may mean: those it locks, or the only
// one it reads.
func addressable(s *pg_query.SelectStmt) []string {
	if s == nil || s.Op != pg_query.SetOperation_SETOP_NONE || len(s.DistinctClause)+len(s.GroupClause)+len(s.ValuesLists) > 0 ||
		s.HavingClause != nil || s.IntoClause != nil {
		return nil
	}
	var names []string
	var visit func(n *pg_query.Node)
	visit = func(n *pg_query.Node) {
		if j := n.GetJoinExpr(); j != nil && j.Alias == nil {
			visit(j.Larg)
			visit(j.Rarg)
		}
		if r := n.GetRangeVar(); r != nil {
			name := r.Relname
			if r.Alias != nil {
				name = r.Alias.Aliasname
			}
			names = append(names, name)
		}
	}
	for _, n := range s.FromClause {
		visit(n)
	}
	if len(s.LockingClause) == 0 {
		if len(s.FromClause) != 1 || len(names) != 1 {
			return nil
		}
		return names
	}
	locked := map[string]bool{}
	for _, n := range s.LockingClause {
		list := n.GetLockingClause().GetLockedRels()
		if len(list) == 0 {
			return names
		}
		for _, r := range list {
			locked[r.GetRangeVar().GetRelname()] = true
		}
	}
	var out []string
	for _, name := range names {
		if locked[name] {
			out = append(out, name)
		}
	}
	return out
}

// CurrentRow implements exec.Cursors.
func (b *Backend) CurrentRow(cursor string, table base.OID) (base.TID, bool, error) {
	none := base.TID{}
	po, ok := b.s.Portals[cursor]
	if !ok {
		return none, false, pgerror.Newf(pgerror.UndefinedCursor, "cursor \"%s\" does not exist", cursor)
	}
	bad := func(format string, args ...any) (base.TID, bool, error) {
		return none, false, pgerror.Newf(pgerror.InvalidCursorState, "cursor \"%s\" "+format, append([]any{cursor}, args...)...)
	}
	if po.Held {
		return bad("is held from a previous transaction")
	}
	if po.Statement != nil {
		return bad("is not a SELECT query")
	}
	name, err := b.tableName(table)
	if err != nil {
		return none, false, err
	}
	r := po.Run.(*portalRun)
	count := 0
	for _, t := range r.place.tables {
		if t == table {
			count++
		}
	}
	switch {
	case r.place.locked && count == 0:
		return bad("does not have a FOR UPDATE/SHARE reference to table \"%s\"", name)
	case r.place.locked && count > 1:
		return bad("has multiple FOR UPDATE/SHARE references to table \"%s\"", name)
	case count == 0:
		return bad("is not a simply updatable scan of table \"%s\"", name)
	case r.pos < 1 || r.pos > len(r.rows):
		return bad("is not positioned on a row")
	}
	row := r.rows[r.pos-1]
	for i := range r.place.refs {
		at := r.place.columns + 2*i
		if !row[at].Null && base.OID(uint32(row[at].I)) == table {
			return base.UnpackTID(uint64(row[at+1].I)), true, nil
		}
	}
	return none, false, nil // the null-extended side of an outer join
}

func (b *Backend) tableName(table base.OID) (string, error) {
	d, err := b.view.Relation(table)
	if err != nil || d == nil {
		return "", err
	}
	return d.Name, nil
}

// settleCursor is settle for the query of a cursor.
func (b *Backend) settleCursor(text string, query *pg_query.Node, params []base.OID, po *session.Portal) (*plancache.Variant, error) {
	for {
		v, p, err := b.cursorPlan(text, query, params)
		if err != nil {
			return nil, err
		}
		fits, err := b.lockRelations(v)
		if err != nil {
			return nil, err
		}
		if fits {
			if p.refs == 0 {
				p.columns = len(v.Plan.Columns)
			}
			po.Run.(*portalRun).place = p
			return v, nil
		}
	}
}
