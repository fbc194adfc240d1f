package exec

import (
	"slices"

	"manifold/engine/access/btree"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// refuse is the error for a key that another row has in a unique index or an exclusion constraint's.
func (t *Target) refuse(x *Context, ix *targetIndex, values []types.Datum, c btree.Conflict) error {
	name := ix.desc.Name
	readable := MayReadKey(x.Printer.MayRead, t.rel.OID, ix.desc.KeyAttrs())
	if len(ix.desc.Exclusion) == 0 {
		e := pgerror.Newf(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", name).
			WithTable(t.rel.Schema, t.rel.Name).WithConstraint(name)
		if !readable {
			return e
		}
		mine, err := t.keyValues(x, ix, values)
		if err != nil {
			return e
		}
		return e.WithDetail("Key (%s)=(%s) already exists.", x.Printer.KeyText(t.rel, ix.desc), mine)
	}
	e := pgerror.Newf(pgerror.ExclusionViolation, "conflicting key value violates exclusion constraint \"%s\"", name).
		WithTable(t.rel.Schema, t.rel.Name).WithConstraint(name)
	if !readable {
		return e.WithDetail("Key conflicts with existing key.")
	}
	mine, err := t.keyValues(x, ix, values)
	if err != nil {
		return e
	}
	_, _, at, err := t.Table.Probe(&t.view, c.TID)
	if err != nil {
		return err
	}
	var buf []byte
	row, err := t.Table.FetchVersion(x.Task, at, &buf)
	if err != nil || row == nil {
		return e
	}
	other, err := t.Table.Deform(x.Task, make([]types.Datum, 0, len(t.rel.Columns)), row)
	if err != nil {
		return e
	}
	theirs, err := t.keyValues(x, ix, other)
	if err != nil {
		return e
	}
	cols := x.Printer.KeyText(t.rel, ix.desc)
	return e.WithDetail("Key (%s)=(%s) conflicts with existing key (%s)=(%s).", cols, mine, cols, theirs)
}

// keyValues prints a row's key.
func (t *Target) keyValues(x *Context, ix *targetIndex, values []types.Datum) (string, error) {
	if _, _, err := ix.keys.of(x.Eval, values); err != nil { // fills the row that the expressions read
		return "", err
	}
	var out []byte
	next := 0
	for i, k := range ix.desc.Keys {
		if i > 0 {
			out = append(out, ", "...)
		}
		var d types.Datum
		if k.Attr > 0 {
			d = values[k.Attr-1]
		} else {
			v, err := ix.keys.exprs[next].Eval(&ix.keys.frame, nil, 1)
			next++
			if err != nil {
				return "", err
			}
			d = v.Get(0)
		}
		if d.Null {
			out = append(out, "null"...)
		} else {
			out = types.AppendText(out, k.Type, d, x.Eval.Ctx.Env)
		}
	}
	return string(out), nil
}

// failing says of an error to which row it is due.
func (t *Target) failing(x *Context, values []types.Datum, e *pgerror.Error) *pgerror.Error {
	if text := t.describe(x, values); text != "" {
		e = e.WithDetail("Failing row contains %s.", text)
	}
	return e.WithTable(t.rel.Schema, t.rel.Name)
}

// describe prints a row for an error: values as text, at most 64 bytes each. To a role that may not read the table it shows only
// columns that it may read or has given, with their names; nothing when there are none.
func (t *Target) describe(x *Context, values []types.Datum) string {
	whole := x.Printer.MayRead(t.rel.OID, 0)
	var names, out []byte
	for i, d := range values {
		c := &t.rel.Columns[i]
		if c.Dropped || !whole && !slices.Contains(t.Given, i+1) && !x.Printer.MayRead(t.rel.OID, int16(i+1)) {
			continue
		}
		if names != nil {
			names, out = append(names, ", "...), append(out, ", "...)
		}
		names = append(names, c.Name...)
		out = t.appendValue(x, out, c, d)
	}
	switch {
	case whole:
		return "(" + string(out) + ")"
	case names == nil:
		return ""
	}
	return "(" + string(names) + ") = (" + string(out) + ")"
}

func (t *Target) appendValue(x *Context, out []byte, c *relation.Column, d types.Datum) []byte {
	if d.Null {
		return append(out, "null"...)
	}
	if v, err := t.Table.Value(x.Task, d); err == nil {
		d = v
	}
	from := len(out)
	out = types.AppendText(out, c.Type, d, x.Eval.Ctx.Env)
	if len(out)-from <= shownValue {
		return out
	}
	cut := from + shownValue
	for cut > from && out[cut]&0xC0 == 0x80 {
		cut--
	}
	return append(out[:cut], "..."...)
}

// shownValue is how many bytes of a value errors show.
const shownValue = 64
