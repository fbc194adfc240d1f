package trigger

import (
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// The statements of a foreign key.
const (
	stmtFind            = iota // the referenced row, by values of the referring columns' types
	stmtReferring              // a row that refers to a key
	stmtDelete                 // ON DELETE CASCADE
	stmtUpdate                 // ON UPDATE CASCADE
	stmtNullOnDelete           // ON DELETE SET NULL
	stmtNullOnUpdate           // ON UPDATE SET NULL
	stmtDefaultOnDelete        // ON DELETE SET DEFAULT
	stmtDefaultOnUpdate        // ON UPDATE SET DEFAULT
	stmtCount
)

// act does what the constraint says about a referenced row that is gone or has another key.
func (c *checker) act(f *Firing, rel *relation.Desc, action relation.FKAction, e event, update bool) error {
	old, err := c.keyOf(f, rel, e.old)
	if err != nil || old == nil {
		return err
	}
	for i := range old {
		if old[i].Null {
			return nil
		}
	}
	switch action {
	case relation.Cascade:
		if !update {
			return c.write(f, stmtDelete, old)
		}
		now, err := c.keyOf(f, rel, e.new)
		if err != nil || now == nil {
			return err
		}
		return c.write(f, stmtUpdate, append(now, old...))
	case relation.SetNull:
		if update {
			return c.write(f, stmtNullOnUpdate, old)
		}
		return c.write(f, stmtNullOnDelete, old)
	case relation.SetDefault:
		n := stmtDefaultOnDelete
		if update {
			n = stmtDefaultOnUpdate
		}
		if err := c.write(f, n, old); err != nil {
			return err
		}
		// Rows whose key was the default already did not change, so nothing else would look at them.
	case relation.NoAction:
	case relation.Restrict:
		return c.unreferenced(f, old)
	}
	// Another row may have the key by now.
	if found, err := c.find(f, c.parent, c.fk.Keys, old, true); err != nil || found {
		return err
	}
	return c.unreferenced(f, old)
}

// keyOf gives copies of the referenced columns of a row version; nil when it is gone.
func (c *checker) keyOf(f *Firing, rel *relation.Desc, tid base.TID) ([]types.Datum, error) {
	t := f.Builder.Table(rel)
	row, err := t.FetchVersion(f.Task, tid, &c.row)
	if err != nil || row == nil {
		return nil, err
	}
	if c.values, err = deform(f, t, c.values, row, c.fk.Keys); err != nil {
		return nil, err
	}
	out := make([]types.Datum, len(c.fk.Keys), 2*len(c.fk.Keys))
	for i, a := range c.fk.Keys {
		out[i] = c.values[a-1].Clone()
	}
	return out, nil
}

// unreferenced fails when a row refers to the key.
func (c *checker) unreferenced(f *Firing, key []types.Datum) error {
	found := false
	err := f.Runner.Run(c.statement(stmtReferring), key, func([]types.Datum) bool {
		found = true
		return false
	})
	if err != nil || !found {
		return err
	}
	return c.onChild(pgerror.Newf(pgerror.ForeignKeyViolation,
		"update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"", c.parent.Name, c.fk.Name, c.child.Name)).
		WithDetail("Key %sis still referenced from table \"%s\".", keyText(f, c.parent, c.fk.Keys, key), c.child.Name)
}

// write changes referring rows. What was known of keys may not hold after it.
func (c *checker) write(f *Firing, n int, params []types.Datum) error {
	s := c.statement(n)
	if err := f.Runner.Run(s, params, nil); err != nil {
		e := pgerror.From(err)
		where := "SQL statement \"" + s.Text + "\""
		if e.Where != "" {
			where = e.Where + "\n" + where
		}
		return e.WithWhere("%s", where)
	}
	for _, other := range c.q.checkers {
		clear(other.seen)
	}
	return f.Tx.NextCommand()
}

// statement gives a statement of the constraint, made at its first use.
func (c *checker) statement(n int) *Statement {
	if c.stmts[n] == nil {
		c.stmts[n] = c.newStatement(n)
	}
	return c.stmts[n]
}

func (c *checker) newStatement(n int) *Statement {
	s := &Statement{Role: c.child.Owner, Latest: true, Writes: n >= stmtDelete}
	child, parent := relationName(c.child), relationName(c.parent)
	for _, a := range c.fk.Keys {
		s.Types = append(s.Types, c.parent.Columns[a-1].Type)
	}
	switch n {
	case stmtFind:
		s.Role, s.Latest, s.Types = c.parent.Owner, false, nil
		for _, a := range c.fk.Columns {
			s.Types = append(s.Types, c.child.Columns[a-1].Type)
		}
		var terms []string
		for i, a := range c.fk.Keys {
			terms = append(terms, quote(c.parent.Columns[a-1].Name)+" OPERATOR(pg_catalog.=) $"+strconv.Itoa(i+1))
		}
		s.Text = "SELECT 1 FROM ONLY " + parent + " x WHERE " + strings.Join(terms, " AND ") + " FOR KEY SHARE OF x"
	case stmtReferring:
		s.Text = "SELECT 1 FROM ONLY " + child + " x WHERE " + c.where(1) + " FOR KEY SHARE OF x"
	case stmtDelete:
		s.Text = "DELETE FROM ONLY " + child + " WHERE " + c.where(1)
	case stmtUpdate:
		var set []string
		for i, a := range c.fk.Columns {
			set = append(set, quote(c.child.Columns[a-1].Name)+" = $"+strconv.Itoa(i+1))
		}
		s.Types = append(s.Types, s.Types...)
		s.Text = "UPDATE ONLY " + child + " SET " + strings.Join(set, ", ") + " WHERE " + c.where(len(c.fk.Keys)+1)
	case stmtNullOnDelete, stmtDefaultOnDelete, stmtNullOnUpdate, stmtDefaultOnUpdate:
		cols, to := c.fk.Columns, "NULL"
		if (n == stmtNullOnDelete || n == stmtDefaultOnDelete) && len(c.fk.SetColumns) > 0 {
			cols = c.fk.SetColumns
		}
		if n == stmtDefaultOnDelete || n == stmtDefaultOnUpdate {
			to = "DEFAULT"
		}
		var set []string
		for _, a := range cols {
			set = append(set, quote(c.child.Columns[a-1].Name)+" = "+to)
		}
		s.Text = "UPDATE ONLY " + child + " SET " + strings.Join(set, ", ") + " WHERE " + c.where(1)
	}
	return s
}

// where compares the referring columns with parameters from the first-th on.
func (c *checker) where(first int) string {
	var terms []string
	for i, a := range c.fk.Columns {
		terms = append(terms, "$"+strconv.Itoa(first+i)+" OPERATOR(pg_catalog.=) "+quote(c.child.Columns[a-1].Name))
	}
	return strings.Join(terms, " AND ")
}

func relationName(d *relation.Desc) string { return quote(d.Schema) + "." + quote(d.Name) }

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
