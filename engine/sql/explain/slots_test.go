package explain

import (
	"fmt"
	"testing"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/relation"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/optimize"
)

// TestSlots tells which literals stay replaceable in a plan.
func TestSlots(t *testing.T) {
	v, f := schema(t)
	for _, c := range []struct{ text, want string }{
		{"select abalance from pgbench_accounts where aid = 1", "[true]"},
		{"select id from orders where total = 5.5", "[true]"},
		{"select id from orders where total > 5 and note = 'x' limit 3", "[true true true]"},
		{"select a + 1, count(*) from small group by a + 1", "[true false]"},
		{"select c.name from customer c join orders o on o.customer_id = c.id where c.id = 5", "[true]"},
		{"select id from customer where since > '2020-01-01' and active and 1 = 1", "[true true true]"},
		{"insert into small values (1, 2), (3, 4)", "[true true true true]"},
		{"update pgbench_accounts set abalance = abalance + 10 where aid = 5", "[true true]"},
		{"select x from (select a + 1 as x from small) s where x > 3 order by x", "[true true]"},
	} {
		s, err := planText(t, v, f, c.text, true)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := fmt.Sprint(s.Slots); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestGeneric(t *testing.T) {
	v, f := schema(t)
	for text, want := range map[string]bool{
		"select abalance from pgbench_accounts where aid = $1":                            true,
		"update pgbench_accounts set abalance = abalance + $1 where aid = $2":             true,
		"select aid from pgbench_accounts where aid > $1":                                 false,
		"select name from customer where city = $1":                                       false,
		"select c.name from customer c, pgbench_branches b where c.id = $1 and b.bid = 1": false,
	} {
		s, err := planText(t, v, f, text, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := optimize.Generic(s); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestIndexDefinitions(t *testing.T) {
	v, _ := schema(t)
	names := &catalog.Names{View: v, SearchPath: []base.OID{11, 2200}}
	want := map[string]string{
		"customer_pkey":       "CREATE UNIQUE INDEX customer_pkey ON public.customer USING btree (id)",
		"customer_lower_idx":  "CREATE INDEX customer_lower_idx ON public.customer USING btree (lower(name))",
		"customer_active_idx": "CREATE INDEX customer_active_idx ON public.customer USING btree (since) WHERE active",
		"orders_customer_idx": "CREATE INDEX orders_customer_idx ON public.orders USING btree (customer_id, placed) INCLUDE (total)",
		"orders_placed_idx":   "CREATE INDEX orders_placed_idx ON public.orders USING btree (placed DESC)",
	}
	for _, table := range []string{"customer", "orders"} {
		oid, err := v.RelationByName(2200, table)
		if err != nil {
			t.Fatal(err)
		}
		d, err := v.Relation(oid)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range d.Indexes {
			got, err := deparse.IndexDef(names, d, x, 0, false)
			if w := want[x.Name]; err != nil || w != "" && got != w {
				t.Errorf("%s: %v\n got %s\nwant %s", x.Name, err, got, w)
			}
		}
	}
}

// BenchmarkPlan measures planning alone.
func BenchmarkPlan(b *testing.B) {
	v, f := schema(&testing.T{})
	for name, text := range map[string]string{
		"point": "select abalance from pgbench_accounts where aid = 1",
		"join3": "select c.name, i.sku, sum(i.qty) from customer c, orders o, item i where c.id = o.customer_id and o.id = i.order_id and c.city = 'Bern' group by c.name, i.sku",
		"join7": "select count(*) from customer a, customer b, customer c, customer d, customer e, customer f, customer g where a.id = b.id and b.id = c.id and c.id = d.id and d.id = e.id and e.id = f.id and f.id = g.id",
	} {
		q, err := analyzed(v, text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if _, err := optimize.Statement(&optimize.Options{View: v, Settings: optimize.DefaultSettings(),
					Blocks: func(d *relation.Desc) float64 { return f.pages[d.OID] }}, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
