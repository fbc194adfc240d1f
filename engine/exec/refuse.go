package exec

import (
	"manifold/engine/access/btree"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// refuse is the error for a key that another row has in a unique index or an exclusion constraint's.
func (t *Target) refuse(x *Context, ix *targetIndex, values []types.Datum, c btree.Conflict) error {
	name := ix.desc.Name
	cols := x.Printer.KeyText(t.rel, ix.desc)
	if len(ix.desc.Exclusion) == 0 {
		e := pgerror.Newf(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", name).
			WithTable(t.rel.Schema, t.rel.Name).WithConstraint(name)
		mine, err := t.keyValues(x, ix, values)
		if err != nil {
			return e
		}
		return e.WithDetail("Key (%s)=(%s) already exists.", cols, mine)
	}
	e := pgerror.Newf(pgerror.ExclusionViolation, "conflicting key value violates exclusion constraint \"%s\"", name).
		WithTable(t.rel.Schema, t.rel.Name).WithConstraint(name)
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
