package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// onConflict analyses ON CONFLICT: the indexes that arbitrate, and what DO UPDATE sets, which sees the existing row by the
// table's name and the proposed one as "excluded".
func (s *state) onConflict(it *item, n *pg_query.OnConflictClause) error {
	c := &query.OnConflict{Update: n.Action == pg_query.OnConflictAction_ONCONFLICT_UPDATE}
	s.q.Conflict = c
	if n.Infer != nil {
		indexes, err := s.inferIndexes(it, n.Infer, n.Action == pg_query.OnConflictAction_ONCONFLICT_UPDATE)
		if err != nil {
			return err
		}
		c.Indexes = indexes
	} else if c.Update {
		err := pgerror.New(pgerror.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			WithHint("For example, ON CONFLICT (column_name).")
		return s.a.at(err, n.Location)
	}
	if !c.Update {
		return nil
	}
	it.entry.Privileges |= PrivUpdate
	ex := RelationEntry(it.entry.Rel)
	ex.Kind, ex.Alias = query.RangeResult, "excluded"
	c.Excluded = s.addRange(ex)
	exItem := newItem(ex, c.Excluded)
	exItem.relVisible, exItem.colsVisible = true, true
	saved := s.ns
	defer func() { s.ns = saved }()
	target := *it
	s.ns = []*item{&target, exItem}
	exItem.colsVisible = false
	var err error
	if c.Set, err = s.setList(it.entry.Rel, n.TargetList); err != nil {
		return err
	}
	for _, t := range c.Set {
		it.entry.UpdatedCols = append(it.entry.UpdatedCols, t.Attr)
	}
	c.Where, err = s.condition(n.WhereClause, "WHERE")
	return err
}

// inferIndexes finds the unique indexes that ON CONFLICT (columns) or ON CONSTRAINT names.
func (s *state) inferIndexes(it *item, n *pg_query.InferClause, update bool) ([]base.OID, error) {
	rel := it.entry.Rel
	if n.Conname != "" {
		for _, x := range rel.Indexes {
			if x.Constraint == n.Conname && x.Exclusive() {
				if update && !x.Unique {
					return nil, pgerror.New(pgerror.WrongObjectType, "ON CONFLICT DO UPDATE not supported with exclusion constraints")
				}
				for _, k := range x.Keys {
					noteRead(it.entry, int(k.Attr))
				}
				return []base.OID{x.OID}, nil
			}
		}
		return nil, pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", n.Conname, rel.Name)
	}
	saved := s.ns
	target := *it
	target.relVisible, target.colsVisible = true, true
	s.ns = []*item{&target}
	defer func() { s.ns = saved }()
	attrs := map[int16]bool{}
	var exprs []query.Expr
	for _, e := range n.IndexElems {
		el := e.GetIndexElem()
		if el.Expr == nil {
			k := rel.ColumnByName(el.Name)
			if k == 0 {
				return nil, s.a.errorf(pgerror.UndefinedColumn, n.Location, "column \"%s\" does not exist", el.Name)
			}
			attrs[int16(k)] = true
			noteRead(it.entry, k)
			continue
		}
		s.clause = clause{name: "ON CONFLICT", plain: true}
		x, err := s.expr(el.Expr)
		if err != nil {
			return nil, err
		}
		s.a.readSlot(x)
		exprs = append(exprs, x)
	}
	where, err := s.condition(n.WhereClause, "ON CONFLICT WHERE")
	if err != nil {
		return nil, err
	}
	if where != nil {
		s.a.readSlot(where)
	}
	out, err := s.matchIndexes(rel, attrs, exprs, where)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, pgerror.New(pgerror.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification")
	}
	return out, nil
}

func (s *state) matchIndexes(rel *relation.Desc, attrs map[int16]bool, exprs []query.Expr, where query.Expr) ([]base.OID, error) {
	var out []base.OID
	for _, x := range rel.Indexes {
		if !x.Unique || !x.Valid || len(x.Keys) != len(attrs)+len(exprs) {
			continue
		}
		ok, err := s.indexMatches(x, attrs, exprs, where)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, x.OID)
		}
	}
	return out, nil
}

func (s *state) indexMatches(x *relation.Index, attrs map[int16]bool, exprs []query.Expr, where query.Expr) (bool, error) {
	next := 0
	for _, k := range x.Keys {
		if k.Attr != 0 {
			if !attrs[k.Attr] {
				return false, nil
			}
			continue
		}
		ix, err := query.Unmarshal(x.Exprs[next])
		if err != nil {
			return false, err
		}
		next++
		found := false
		for _, e := range exprs {
			found = found || equalExpr(e, ix)
		}
		if !found {
			return false, nil
		}
	}
	if x.Predicate == "" {
		return true, nil
	}
	if where == nil {
		return false, nil
	}
	p, err := query.Unmarshal(x.Predicate)
	return err == nil && equalExpr(p, where), err
}

// identitySequence finds the sequence that an identity column owns, by its internal dependency.
func (a *analyzer) identitySequence(table base.OID, attr int) (base.OID, error) {
	var seq base.OID
	keys := []types.Datum{types.Int(int64(bootstrap.RelClass)), types.Int(int64(table)), types.Int(int64(attr))}
	err := a.view.Scan(bootstrap.RelDepend, bootstrap.IdxDependReferenceIndex, keys, func(_ base.TID, r catalog.Row) error {
		if r.OID(bootstrap.ColDependClassid) == bootstrap.RelClass && r.Byte(bootstrap.ColDependDeptype) == 'i' {
			seq = r.OID(bootstrap.ColDependObjid)
		}
		return nil
	})
	if err == nil && seq == 0 {
		err = pgerror.Newf(pgerror.InternalError, "no owned sequence found")
	}
	return seq, err
}
