package exec

import (
	"manifold/engine/access/heap"
	"manifold/engine/exec/eval"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/tuple"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// rowKeys makes the key of an index for a row of its table, and the payload of its included columns.
type rowKeys struct {
	index     *relation.Index
	exprs     []eval.Node // expression columns, over the row
	predicate []eval.Node
	frame     eval.Frame
	row       vector.Batch
	variable  []bool
	sel       [1]int32
	key       []byte
	payload   []byte
	fields    []types.Field
	values    []types.Datum
	needRow   bool
	null      bool // a key column of the row that of was last given is null
}

// rowExpr plans a stored expression over a row: its Vars become columns of the row.
func rowExpr(text string) (query.Expr, error) {
	e, err := query.Unmarshal(text)
	if err != nil {
		return nil, err
	}
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if v, ok := x.(*query.Var); ok {
			return &plan.Col{T: v.T, N: v.Attr - 1}, true
		}
		return nil, false
	}), nil
}

func (in *Instance) rowKeys(rel *relation.Desc, ix *relation.Index) (*rowKeys, error) {
	return in.b.rowKeys(in.c, rel, ix)
}

func (b *Builder) rowKeys(c *eval.Compiler, rel *relation.Desc, ix *relation.Index) (*rowKeys, error) {
	k := &rowKeys{index: ix, row: vector.Batch{Cols: make([]vector.Vector, len(rel.Columns))}, values: make([]types.Datum, len(rel.Columns))}
	for i := range rel.Columns {
		k.variable = append(k.variable, !rel.Columns[i].Fixed())
	}
	for _, text := range ix.Exprs {
		if text == "" {
			continue
		}
		e, err := rowExpr(text)
		if err != nil {
			return nil, err
		}
		n, err := c.Compile(e)
		if err != nil {
			return nil, err
		}
		k.exprs = append(k.exprs, n)
	}
	if ix.Predicate != "" {
		e, err := rowExpr(ix.Predicate)
		if err != nil {
			return nil, err
		}
		n, err := c.Compile(e)
		if err != nil {
			return nil, err
		}
		k.predicate = append(k.predicate, n)
	}
	k.needRow = len(k.exprs) > 0 || len(k.predicate) > 0
	for _, a := range ix.Included {
		c := &rel.Columns[a-1]
		k.fields = append(k.fields, types.Field{Type: c.Type, Typmod: c.Typmod})
	}
	return k, nil
}

// of gives the key of a row; ok is false when the row does not belong to a partial index. The key lives until the next call.
func (k *rowKeys) of(x *eval.Env, values []types.Datum) (key []byte, ok bool, err error) {
	if k.needRow {
		k.row.N = 1
		for i := range values {
			k.row.Cols[i].Reset(k.variable[i], 1)
			k.row.Cols[i].Set(0, values[i])
		}
		k.frame.Env, k.frame.Outer = x, &k.row
		if len(k.predicate) > 0 {
			sel, err := eval.Filter(&k.frame, k.predicate, nil, 1, k.sel[:])
			if err != nil || len(sel) == 0 {
				return nil, false, err
			}
		}
	}
	k.key, k.null = k.key[:0], false
	next := 0
	for i := range k.index.Keys {
		c := &k.index.Keys[i]
		var d types.Datum
		if c.Attr > 0 {
			d = values[c.Attr-1]
		} else {
			v, err := k.exprs[next].Eval(&k.frame, nil, 1)
			if err != nil {
				return nil, false, err
			}
			next++
			d = v.Get(0)
		}
		k.null = k.null || d.Null
		if k.key, err = types.AppendKey(k.key, c.Type, d, c.Descending, c.NullsFirst); err != nil {
			return nil, false, err
		}
	}
	return k.key, true, nil
}

// ofTuple is of for a row as it is stored.
func (k *rowKeys) ofTuple(x *Context, t *heap.Table, row tuple.Tuple) ([]byte, bool, error) {
	var err error
	if k.values, err = t.Deform(x.Task, k.values[:0], row); err != nil {
		return nil, false, err
	}
	return k.of(x.Eval, k.values)
}

// included gives the payload of the included columns, in the form of a row value.
func (k *rowKeys) included(values []types.Datum) []byte {
	if len(k.fields) == 0 {
		return nil
	}
	for i, a := range k.index.Included {
		k.fields[i].Value = values[a-1]
	}
	k.payload = types.AppendRecord(k.payload[:0], k.fields)
	return k.payload
}
