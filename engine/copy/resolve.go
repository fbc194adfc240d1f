package copy

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/parse"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

// resolve finds the table, its columns and the plan of the query.
func (p *Copy) resolve() error {
	if p.stmt.Query != nil {
		return p.planQuery(p.stmt.Query)
	}
	mode := lock.AccessShare
	if p.stmt.IsFrom {
		mode = lock.RowExclusive
	}
	d, err := p.open(p.stmt.Relation, mode)
	if err != nil {
		return err
	}
	p.rel = d
	if err := p.allowed(d); err != nil {
		if p.stmt.IsFrom {
			p.refused = err
			return p.chooseColumns(d)
		}
		return err
	}
	if err := p.chooseColumns(d); err != nil {
		return err
	}
	if p.stmt.IsFrom {
		return p.privileges(sysfuncs.PrivInsert)
	}
	if err := p.privileges(sysfuncs.PrivSelect); err != nil {
		return err
	}
	return p.planTable(d)
}

func (p *Copy) privileges(want sysfuncs.Priv) error {
	return sysfuncs.CheckColumns(p.c.View, p.c.Session.Role, p.rel.OID, want, p.attrs())
}

// attrs gives the attributes of the columns that are copied.
func (p *Copy) attrs() []int {
	var attrs []int
	for _, c := range p.columns {
		attrs = append(attrs, c.attr)
	}
	return attrs
}

// open finds and locks the table.
func (p *Copy) open(rv *pg_query.RangeVar, mode lock.Mode) (*relation.Desc, error) {
	last := base.OID(0)
	for {
		oid, err := p.find(rv)
		if err != nil {
			return nil, err
		}
		if oid == 0 {
			name := rv.Relname
			if rv.Schemaname != "" {
				name = rv.Schemaname + "." + name
			}
			return nil, pgerror.Newf(pgerror.UndefinedTable, "relation \"%s\" does not exist", name)
		}
		if oid == last {
			d, err := p.c.View.Relation(oid)
			if err != nil || d != nil {
				return d, err
			}
			last = 0
			continue
		}
		db := p.c.Session.Database.OID
		if x, ok := bootstrap.Relation(oid); ok && x.Shared {
			db = 0
		}
		_, err = p.c.Tx.Manager().Locks().Acquire(p.c.Task, p.c.Session.Proc.Owner(), lock.Request{Tag: lock.Relation(db, oid),
			Mode: mode, Timeout: p.c.Wait.Timeout, DeadlockTimeout: p.c.Wait.DeadlockTimeout})
		if err != nil {
			return nil, err
		}
		last = oid
	}
}

func (p *Copy) find(rv *pg_query.RangeVar) (base.OID, error) {
	v := p.c.View
	if rv.Schemaname == "pg_temp" {
		return v.RelationByName(p.c.Session.Temp.Namespace, rv.Relname)
	}
	if rv.Schemaname != "" {
		ns, err := v.NamespaceByName(rv.Schemaname)
		if err != nil || ns == nil {
			return 0, err
		}
		return v.RelationByName(ns.OID, rv.Relname)
	}
	for _, ns := range p.c.SearchPath {
		if oid, err := v.RelationByName(ns, rv.Relname); oid != 0 || err != nil {
			return oid, err
		}
	}
	return 0, nil
}

// allowed tells whether the kind of relation can be copied.
func (p *Copy) allowed(d *relation.Desc) error {
	if d.Kind == relation.KindTable {
		return nil
	}
	direction, word := "from", "non-table relation"
	if p.stmt.IsFrom {
		direction = "to"
	}
	hint := ""
	switch d.Kind {
	case relation.KindView:
		word, hint = "view", "Try the COPY (SELECT ...) TO variant."
		if p.stmt.IsFrom {
			hint = "To enable copying to a view, provide an INSTEAD OF INSERT trigger."
		}
	case relation.KindSequence:
		word = "sequence"
	}
	e := pgerror.Newf(pgerror.WrongObjectType, "cannot copy %s %s \"%s\"", direction, word, d.Name)
	e.Hint = hint
	return e
}

// chooseColumns takes the columns that are named, or all that are not generated.
func (p *Copy) chooseColumns(d *relation.Desc) error {
	add := func(attr int) {
		c := &d.Columns[attr-1]
		p.columns = append(p.columns, column{name: c.Name, typ: c.Type, typmod: c.Typmod, attr: attr})
	}
	if len(p.stmt.Attlist) == 0 {
		for i := range d.Columns {
			if !d.Columns[i].Dropped && d.Columns[i].Generated == 0 {
				add(i + 1)
			}
		}
	}
	seen := map[int]bool{}
	for _, n := range p.stmt.Attlist {
		name := n.GetString_().GetSval()
		attr := d.ColumnByName(name)
		switch {
		case attr == 0:
			return pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, d.Name)
		case seen[attr]:
			return pgerror.Newf(pgerror.DuplicateColumn, "column \"%s\" specified more than once", name)
		case d.Columns[attr-1].Generated != 0:
			return pgerror.Newf(pgerror.InvalidColumnReference, "column \"%s\" is a generated column", name).WithDetail(
				"Generated columns cannot be used in COPY.")
		}
		seen[attr] = true
		add(attr)
	}
	return p.checkForced()
}

// checkForced looks the columns of the FORCE options up.
func (p *Copy) checkForced() error {
	for _, s := range []struct {
		set  *columnSet
		name string
	}{{&p.o.forceQuote, "FORCE_QUOTE"}, {&p.o.forceNot, "FORCE_NOT_NULL"}, {&p.o.forceNull, "FORCE_NULL"}} {
		s.set.attrs = map[string]bool{}
		for _, name := range s.set.names {
			found := false
			for _, c := range p.columns {
				found = found || c.name == name
			}
			if !found {
				return pgerror.Newf(pgerror.InvalidColumnReference, "%s column \"%s\" not referenced by COPY", s.name, name)
			}
			s.set.attrs[name] = true
		}
	}
	return nil
}

// planTable plans the reading of a table as a query of its columns.
func (p *Copy) planTable(d *relation.Desc) error {
	cols := make([]string, len(p.columns))
	for i, c := range p.columns {
		cols[i] = catalog.QuoteIdent(c.name)
	}
	text := "SELECT " + strings.Join(cols, ", ") + " FROM ONLY " + catalog.QuoteIdent(d.Schema) + "." + catalog.QuoteIdent(d.Name)
	stmts, err := parse.Parse(text)
	if err != nil {
		return err
	}
	opt := p.c.options()
	opt.Text = text
	r, err := analyze.Statement(opt, stmts[0].Node)
	if err != nil {
		return err
	}
	p.query, err = p.c.Plan(r.Query)
	return err
}

// planQuery plans COPY (query) TO.
func (p *Copy) planQuery(n *pg_query.Node) error {
	if !analyze.Optimizable(n) {
		if n.GetSelectStmt().GetIntoClause() != nil {
			return pgerror.New(pgerror.FeatureNotSupported, "COPY (SELECT INTO) is not supported")
		}
		return pgerror.New(pgerror.FeatureNotSupported, "COPY query must not be a utility command")
	}
	r, err := analyze.Statement(p.c.options(), n)
	if err != nil {
		return err
	}
	if p.query, err = p.c.Plan(r.Query); err != nil {
		return err
	}
	if len(p.query.Columns) == 0 && n.GetSelectStmt() == nil {
		return pgerror.New(pgerror.FeatureNotSupported, "COPY query must have a RETURNING clause")
	}
	for _, k := range p.query.Locks {
		_, err := p.c.Tx.Manager().Locks().Acquire(p.c.Task, p.c.Session.Proc.Owner(), lock.Request{
			Tag: lock.Relation(p.c.Session.Database.OID, k.Relation), Mode: lock.Mode(k.Mode), Timeout: p.c.Wait.Timeout})
		if err != nil {
			return err
		}
	}
	if err := sysfuncs.CheckPlan(p.c.View, p.c.Session.Role, p.query.Checks); err != nil {
		return err
	}
	for _, c := range p.query.Columns {
		p.columns = append(p.columns, column{name: c.Name, typ: c.Type, typmod: c.Typmod})
	}
	return p.checkForced()
}

// identitySequence finds the sequence of an identity column by its internal dependency.
func (p *Copy) identitySequence(table base.OID, attr int) (base.OID, error) {
	var seq base.OID
	keys := []types.Datum{types.Int(int64(bootstrap.RelClass)), types.Int(int64(table)), types.Int(int64(attr))}
	err := p.c.View.Scan(bootstrap.RelDepend, bootstrap.IdxDependReferenceIndex, keys, func(_ base.TID, r catalog.Row) error {
		if r.OID(bootstrap.ColDependClassid) == bootstrap.RelClass && r.Byte(bootstrap.ColDependDeptype) == 'i' {
			seq = r.OID(bootstrap.ColDependObjid)
		}
		return nil
	})
	return seq, err
}
