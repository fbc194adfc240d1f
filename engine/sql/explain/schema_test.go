package explain

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/optimize"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/storage"
	"manifold/engine/types"
)

// facts is a catalog.Source over the built-in rows and those of the test's own schema.
type facts struct {
	t     *testing.T
	rows  map[base.OID][][]types.Datum
	pages map[base.OID]float64
	next  base.OID
}

func (f *facts) table(d *relation.Desc) [][]types.Datum {
	rows, ok := f.rows[d.OID]
	if !ok {
		var err error
		if rows, err = bootstrap.Rows(d); err != nil {
			f.t.Fatal(err)
		}
		f.rows[d.OID] = rows
	}
	return rows
}

func (f *facts) Map(base.OID) *storage.RelMap  { return nil }
func (f *facts) Hold(base.OID, base.OID) error { return nil }
func (f *facts) LetGo(base.OID, base.OID)      {}

func (f *facts) Scan(table *relation.Desc, index *relation.Index, keys []types.Datum, fn func(base.TID, catalog.Row) error) error {
	for _, r := range f.table(table) {
		match := true
		for i, k := range keys {
			attr := index.Keys[i].Attr - 1
			match = match && !r[attr].Null && types.Equal(table.Columns[attr].Type, r[attr], k)
		}
		if match {
			if err := fn(base.TID{}, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// add puts a row into a catalog; columns that are not named are zero, or null where variable.
func (f *facts) add(v *catalog.View, oid base.OID, cols map[int]types.Datum) {
	d := v.Catalog(oid)
	row := make([]types.Datum, len(d.Columns))
	for i := range d.Columns {
		if d.Columns[i].Len < 0 {
			row[i] = types.Null
		}
		if c, ok := cols[i+1]; ok {
			row[i] = c
		}
	}
	f.rows[oid] = append(f.table(d), row)
}

type column struct {
	name string
	typ  base.OID
	mod  int32
	null bool
}

type index struct {
	name    string
	cols    []string
	unique  bool
	pk      bool
	include []string
	pred    string
	expr    string
	desc    bool
}

func i16s(v []int16) types.Datum {
	var e []types.Datum
	for _, x := range v {
		e = append(e, types.Int(int64(x)))
	}
	return types.MakeVector(types.OIDInt2, e)
}

func oids(v []base.OID) types.Datum {
	var e []types.Datum
	for _, x := range v {
		e = append(e, types.Int(int64(x)))
	}
	return types.MakeVector(types.OIDOID, e)
}

func (f *facts) relation(v *catalog.View, name string, kind byte, pages, rows float64) base.OID {
	f.next++
	oid := f.next
	f.pages[oid] = pages
	f.add(v, bootstrap.RelClass, map[int]types.Datum{
		bootstrap.ColClassOid: types.Int(int64(oid)), bootstrap.ColClassRelname: types.Text(name), bootstrap.ColClassRelnamespace: types.Int(2200),
		bootstrap.ColClassRelkind: types.Int(int64(kind)), bootstrap.ColClassRelpersistence: types.Int('p'), bootstrap.ColClassRelfilenode: types.Int(int64(oid)),
		bootstrap.ColClassReltuples: types.Float(rows), bootstrap.ColClassRelpages: types.Int(int64(pages)), bootstrap.ColClassRelhasindex: types.Bool(kind == 'r'),
	})
	return oid
}

func (f *facts) attributes(v *catalog.View, oid base.OID, cols []column) {
	for i, c := range cols {
		coll := base.OID(0)
		if c.typ == types.OIDText || c.typ == types.OIDVarChar || c.typ == types.OIDBPChar {
			coll = 100
		}
		if c.mod == 0 {
			c.mod = -1
		}
		f.add(v, bootstrap.RelAttribute, map[int]types.Datum{
			bootstrap.ColAttributeAttrelid: types.Int(int64(oid)), bootstrap.ColAttributeAttname: types.Text(c.name), bootstrap.ColAttributeAtttypid: types.Int(int64(c.typ)),
			bootstrap.ColAttributeAttnum: types.Int(int64(i + 1)), bootstrap.ColAttributeAtttypmod: types.Int(int64(c.mod)),
			bootstrap.ColAttributeAttnotnull: types.Bool(!c.null), bootstrap.ColAttributeAttcollation: types.Int(int64(coll)),
			bootstrap.ColAttributeAttstorage: types.Int('p'),
		})
	}
}

func opclassOf(t *testing.T, v *catalog.View, typ base.OID) base.OID {
	if typ == types.OIDVarChar {
		typ = types.OIDText
	}
	list, err := v.Opclasses(403)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.Default && c.Input == typ {
			return c.OID
		}
	}
	t.Fatalf("no operator class for type %d", typ)
	return 0
}

func (f *facts) create(v *catalog.View, name string, pages, rows float64, cols []column, indexes ...index) {
	oid := f.relation(v, name, 'r', pages, rows)
	f.attributes(v, oid, cols)
	at := func(n string) (int16, column) {
		for i, c := range cols {
			if c.name == n {
				return int16(i + 1), c
			}
		}
		f.t.Fatalf("no column %s", n)
		return 0, column{}
	}
	for _, x := range indexes {
		ix := f.relation(v, x.name, 'i', pages/4+2, rows)
		var keys, options []int16
		var classes, colls []base.OID
		var own []column
		m := map[int]types.Datum{}
		for _, n := range x.cols {
			k, c := at(n)
			keys, own = append(keys, k), append(own, c)
			coll := base.OID(0)
			if c.typ == types.OIDText || c.typ == types.OIDVarChar {
				coll = 100
			}
			o := int16(0)
			if x.desc {
				o = 3
			}
			colls, classes, options = append(colls, coll), append(classes, opclassOf(f.t, v, c.typ)), append(options, o)
		}
		if x.expr != "" {
			e := f.expr(v, oid, x.expr)
			keys, own = append(keys, 0), append(own, column{name: "expr", typ: e.Type()})
			colls, classes, options = append(colls, e.Collation()), append(classes, opclassOf(f.t, v, e.Type())), append(options, 0)
			m[bootstrap.ColIndexIndexprs] = types.Text(catalog.JoinExprs([]string{query.Marshal(e)}))
		}
		n := len(keys)
		for _, i := range x.include {
			k, c := at(i)
			keys, own = append(keys, k), append(own, c)
		}
		f.attributes(v, ix, own)
		if x.pred != "" {
			m[bootstrap.ColIndexIndpred] = types.Text(query.Marshal(f.expr(v, oid, x.pred)))
		}
		for c, d := range map[int]types.Datum{
			bootstrap.ColIndexIndexrelid: types.Int(int64(ix)), bootstrap.ColIndexIndrelid: types.Int(int64(oid)), bootstrap.ColIndexIndnkeyatts: types.Int(int64(n)),
			bootstrap.ColIndexIndnatts: types.Int(int64(len(keys))), bootstrap.ColIndexIndisunique: types.Bool(x.unique || x.pk), bootstrap.ColIndexIndisprimary: types.Bool(x.pk),
			bootstrap.ColIndexIndisvalid: types.Bool(true), bootstrap.ColIndexIndisready: types.Bool(true), bootstrap.ColIndexIndimmediate: types.Bool(true),
			bootstrap.ColIndexIndkey: i16s(keys), bootstrap.ColIndexIndoption: i16s(options), bootstrap.ColIndexIndclass: oids(classes), bootstrap.ColIndexIndcollation: oids(colls),
		} {
			m[c] = d
		}
		f.add(v, bootstrap.RelIndex, m)
	}
}

// expr analyses an expression over a table that has no indexes yet.
func (f *facts) expr(v *catalog.View, oid base.OID, text string) query.Expr {
	stmts, err := parse.Parse("select " + text)
	if err != nil {
		f.t.Fatal(err)
	}
	plain := catalog.NewView(f, catalog.NewCache(5, 1663))
	d, err := plain.Relation(oid)
	if err != nil {
		f.t.Fatal(err)
	}
	node := stmts[0].Node.GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
	e, err := analyze.Expression(&analyze.Options{View: plain, SearchPath: []base.OID{11, 2200}, Env: types.NewEnv(), Text: "select " + text}, node,
		analyze.RelationEntry(d), "index expressions", 0, -1)
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

// schema makes pgbench's tables and a small shop.
func schema(t *testing.T) (*catalog.View, *facts) {
	f := &facts{t: t, rows: map[base.OID][][]types.Datum{}, pages: map[base.OID]float64{}, next: 20000}
	v := catalog.NewView(f, catalog.NewCache(5, 1663))
	i4, txt := types.OIDInt4, types.OIDText
	f.create(v, "pgbench_accounts", 1640, 100000, []column{{name: "aid", typ: i4}, {name: "bid", typ: i4, null: true}, {name: "abalance", typ: i4, null: true},
		{name: "filler", typ: types.OIDBPChar, mod: 88, null: true}}, index{name: "pgbench_accounts_pkey", cols: []string{"aid"}, pk: true})
	f.create(v, "pgbench_branches", 1, 1, []column{{name: "bid", typ: i4}, {name: "bbalance", typ: i4, null: true}, {name: "filler", typ: types.OIDBPChar, mod: 92, null: true}},
		index{name: "pgbench_branches_pkey", cols: []string{"bid"}, pk: true})
	f.create(v, "customer", 200, 10000, []column{{name: "id", typ: i4}, {name: "name", typ: txt}, {name: "city", typ: types.OIDVarChar, mod: 36, null: true},
		{name: "active", typ: types.OIDBool}, {name: "since", typ: types.OIDDate, null: true}},
		index{name: "customer_pkey", cols: []string{"id"}, pk: true}, index{name: "customer_name_idx", cols: []string{"name"}},
		index{name: "customer_lower_idx", expr: "lower(name)"}, index{name: "customer_active_idx", cols: []string{"since"}, pred: "active"})
	f.create(v, "orders", 2000, 200000, []column{{name: "id", typ: i4}, {name: "customer_id", typ: i4}, {name: "placed", typ: types.OIDTimestampTZ},
		{name: "total", typ: types.OIDNumeric, mod: 655366, null: true}, {name: "note", typ: txt, null: true}},
		index{name: "orders_pkey", cols: []string{"id"}, pk: true}, index{name: "orders_customer_idx", cols: []string{"customer_id", "placed"}, include: []string{"total"}},
		index{name: "orders_total_idx", cols: []string{"total"}}, index{name: "orders_placed_idx", cols: []string{"placed"}, desc: true})
	f.create(v, "item", 3000, 600000, []column{{name: "order_id", typ: i4}, {name: "line", typ: i4}, {name: "sku", typ: txt}, {name: "qty", typ: i4}},
		index{name: "item_pkey", cols: []string{"order_id", "line"}, pk: true}, index{name: "item_sku_idx", cols: []string{"sku"}})
	f.create(v, "small", 1, 20, []column{{name: "a", typ: i4}, {name: "b", typ: i4, null: true}})
	return v, f
}

// planText analyses and plans one statement.
func planText(t *testing.T, v *catalog.View, f *facts, text string, literals bool) (*plan.Statement, error) {
	t.Helper()
	stmts, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	var shape parse.Shape
	if literals {
		if err := parse.Scan(text, &shape); err != nil {
			return nil, err
		}
	}
	env := types.NewEnv()
	env.Names = &catalog.Names{View: v, SearchPath: []base.OID{11, 2200}}
	r, err := analyze.Statement(&analyze.Options{View: v, SearchPath: []base.OID{11, 2200}, Env: env, Text: text, Literals: shape.Literals}, stmts[0].Node)
	if err != nil {
		return nil, err
	}
	before := query.MarshalQuery(r.Query)
	s, err := optimize.Statement(&optimize.Options{View: v, Params: r.Params, Settings: optimize.DefaultSettings(), Literals: len(shape.Literals),
		Blocks: func(d *relation.Desc) float64 { return f.pages[d.OID] }}, r.Query)
	if query.MarshalQuery(r.Query) != before {
		t.Errorf("planning changed its input: %s", text)
	}
	return s, err
}

func analyzed(v *catalog.View, text string) (*query.Query, error) {
	stmts, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	r, err := analyze.Statement(&analyze.Options{View: v, SearchPath: []base.OID{11, 2200}, Env: types.NewEnv(), Text: text}, stmts[0].Node)
	if err != nil {
		return nil, err
	}
	return r.Query, nil
}
