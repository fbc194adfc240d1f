package trigger

import (
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// Validation looks for rows of a table that break a foreign key.
type Validation struct {
	c checker
}

// NewValidation prepares it.
func NewValidation(k *relation.ForeignKey, child, parent *relation.Desc) *Validation {
	return &Validation{checker{fk: k, child: child, parent: parent}}
}

// Run looks; the first row that breaks the constraint is the error.
func (v *Validation) Run(f *Firing) error {
	var bad []types.Datum
	err := f.Runner.Run(v.statement(), nil, func(row []types.Datum) bool {
		for _, d := range row {
			bad = append(bad, d.Clone())
		}
		return false
	})
	if err != nil || bad == nil {
		return err
	}
	for _, d := range bad {
		if d.Null {
			return v.c.onChild(pgerror.Newf(pgerror.ForeignKeyViolation, "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
				v.c.child.Name, v.c.fk.Name)).WithDetail("MATCH FULL does not allow mixing of null and nonnull key values.")
		}
	}
	return v.c.missing(f, bad)
}

// statement joins both tables and keeps the rows that find no partner and are not exempt by their nulls.
func (v *Validation) statement() *Statement {
	c := &v.c
	s := &Statement{Role: c.child.Owner, Latest: true}
	var cols, on, kept []string
	for i, a := range c.fk.Columns {
		fk := "fk." + quote(c.child.Columns[a-1].Name)
		cols, kept = append(cols, fk), append(kept, fk+" IS NOT NULL")
		on = append(on, "pk."+quote(c.parent.Columns[c.fk.Keys[i]-1].Name)+" OPERATOR(pg_catalog.=) "+fk)
	}
	word := " AND "
	if c.fk.Match == 'f' {
		word = " OR "
	}
	s.Text = "SELECT " + strings.Join(cols, ", ") + " FROM ONLY " + relationName(c.child) + " fk LEFT OUTER JOIN ONLY " +
		relationName(c.parent) + " pk ON (" + strings.Join(on, " AND ") + ") WHERE pk." + quote(c.parent.Columns[c.fk.Keys[0]-1].Name) +
		" IS NULL AND (" + strings.Join(kept, word) + ")"
	return s
}
