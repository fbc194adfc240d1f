package sysfuncs

import (
	"strings"

	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/relation"
	"manifold/engine/sql/deparse"
	"manifold/engine/types"
)

func constraintDef(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	row, err := s.View.Row(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, a[0])
	if err != nil || row == nil {
		return types.Null, err
	}
	d, err := s.View.Relation(row.OID(bootstrap.ColConstraintConrelid))
	if err != nil || d == nil {
		return types.Null, err
	}
	text, err := s.constraintText(row, d, len(a) > 1 && a[1].True())
	if err != nil || text == "" {
		return types.Null, err
	}
	if row.Bool(bootstrap.ColConstraintCondeferrable) {
		text += " DEFERRABLE"
	}
	if row.Bool(bootstrap.ColConstraintCondeferred) {
		text += " INITIALLY DEFERRED"
	}
	if row.Byte(bootstrap.ColConstraintContype) != 'c' && !row.Bool(bootstrap.ColConstraintConvalidated) {
		text += " NOT VALID"
	}
	return types.Text(text), nil
}

// constraintText prints a constraint without what stands behind every kind; empty when there is none.
func (s *Scope) constraintText(row catalog.Row, d *relation.Desc, pretty bool) (string, error) {
	switch row.Byte(bootstrap.ColConstraintContype) {
	case 'c':
		for i := range d.Checks {
			if d.Checks[i].OID == row.OID(bootstrap.ColConstraintOid) {
				return deparse.CheckDef(s.Names, d, &d.Checks[i], pretty)
			}
		}
	case 'f':
		k, err := s.View.ForeignKey(row.OID(bootstrap.ColConstraintOid))
		if err != nil || k == nil {
			return "", err
		}
		return s.foreignKeyText(k, d)
	case 'x':
		for _, ix := range d.Indexes {
			if ix.OID == row.OID(bootstrap.ColConstraintConindid) {
				return deparse.ExclusionDef(s.Names, d, ix, pretty)
			}
		}
	case 'p', 'u':
		for _, ix := range d.Indexes {
			if ix.OID == row.OID(bootstrap.ColConstraintConindid) {
				return keyText(ix, d), nil
			}
		}
	}
	return "", nil
}

func keyText(ix *relation.Index, d *relation.Desc) string {
	text := "UNIQUE"
	if ix.Primary {
		text = "PRIMARY KEY"
	}
	if ix.NullsEqual {
		text += " NULLS NOT DISTINCT"
	}
	var keys []int16
	for _, k := range ix.Keys {
		keys = append(keys, k.Attr)
	}
	text += " (" + columnNames(d, keys) + ")"
	if len(ix.Included) > 0 {
		text += " INCLUDE (" + columnNames(d, ix.Included) + ")"
	}
	return text
}

func columnNames(d *relation.Desc, attrs []int16) string {
	var out []string
	for _, a := range attrs {
		out = append(out, catalog.QuoteIdent(d.Columns[a-1].Name))
	}
	return strings.Join(out, ", ")
}

func (s *Scope) foreignKeyText(k *relation.ForeignKey, d *relation.Desc) (string, error) {
	target, err := s.View.Relation(k.Target)
	if err != nil || target == nil {
		return "", err
	}
	name, _ := s.Names.NameOf(types.RegClass, k.Target)
	text := "FOREIGN KEY (" + columnNames(d, k.Columns) + ") REFERENCES " + name + "(" + columnNames(target, k.Keys) + ")"
	if k.Match == 'f' {
		text += " MATCH FULL"
	}
	if w := actionWords(k.OnUpdate); w != "" {
		text += " ON UPDATE " + w
	}
	if w := actionWords(k.OnDelete); w != "" {
		text += " ON DELETE " + w
	}
	if len(k.SetColumns) > 0 {
		text += " (" + columnNames(d, k.SetColumns) + ")"
	}
	return text, nil
}

func actionWords(a relation.FKAction) string {
	switch a {
	case relation.Restrict:
		return "RESTRICT"
	case relation.Cascade:
		return "CASCADE"
	case relation.SetNull:
		return "SET NULL"
	case relation.SetDefault:
		return "SET DEFAULT"
	}
	return ""
}

// triggerDef prints a trigger; those that constraints make for themselves are all there are.
func triggerDef(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	r, err := s.View.Row(bootstrap.RelTrigger, bootstrap.IdxTriggerOidIndex, a[0])
	if err != nil || r == nil {
		return types.Null, err
	}
	pretty := len(a) > 1 && a[1].True()
	table := r.OID(bootstrap.ColTriggerTgrelid)
	name, _ := s.Names.NameOf(types.RegClass, table)
	if d, err := s.View.Relation(table); err != nil {
		return types.Null, err
	} else if d != nil && !pretty {
		name = catalog.QuoteIdent(d.Schema) + "." + catalog.QuoteIdent(d.Name)
	}
	kind := r.Int(bootstrap.ColTriggerTgtype)
	var events []string
	for _, e := range []struct {
		bit  int64
		word string
	}{{4, "INSERT"}, {8, "DELETE"}, {16, "UPDATE"}} {
		if kind&e.bit != 0 {
			events = append(events, e.word)
		}
	}
	text := "CREATE CONSTRAINT TRIGGER " + catalog.QuoteIdent(r.Text(bootstrap.ColTriggerTgname)) + " AFTER " +
		strings.Join(events, " OR ") + " ON " + name
	if other := r.OID(bootstrap.ColTriggerTgconstrrelid); other != 0 {
		from, _ := s.Names.NameOf(types.RegClass, other)
		text += " FROM " + from
	}
	deferrable, deferred := " NOT DEFERRABLE", " INITIALLY IMMEDIATE"
	if r.Bool(bootstrap.ColTriggerTgdeferrable) {
		deferrable = " DEFERRABLE"
	}
	if r.Bool(bootstrap.ColTriggerTginitdeferred) {
		deferred = " INITIALLY DEFERRED"
	}
	proc, _ := s.Names.NameOf(types.RegProc, r.OID(bootstrap.ColTriggerTgfoid))
	return types.Text(text + deferrable + deferred + " FOR EACH ROW EXECUTE FUNCTION " + proc + "()"), nil
}
