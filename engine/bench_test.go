package engine

import (
	"testing"

	"manifold/engine/backend"
	"manifold/engine/base"
)

// BenchmarkPreparedPointSelect measures Bind, Execute and Sync of a prepared look-up by key. It must not allocate.
func BenchmarkPreparedPointSelect(b *testing.B) {
	c := benchClient(b)
	if err := c.b.Parse(c.s, "p", "select relname, relnatts from pg_class where oid = $1", []base.OID{26}); err != nil {
		b.Fatal(err)
	}
	params := [][]byte{[]byte("1259")}
	var out backend.Sink = backend.Discard{}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.b.Bind(c.s, "", "p", nil, params, nil); err != nil {
			b.Fatal(err)
		}
		if _, err := c.b.Execute(c.s, "", 0, out); err != nil {
			b.Fatal(err)
		}
		if err := c.b.Sync(c.s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSimplePointSelect measures the same as a simple query whose plan is in the cache.
func BenchmarkSimplePointSelect(b *testing.B) {
	c := benchClient(b)
	var out backend.Sink = backend.Discard{}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.b.Simple(c.s, "select relname, relnatts from pg_class where oid = 1259;", out); err != nil {
			b.Fatal(err)
		}
	}
}

func benchClient(t testing.TB) *client {
	e := testEngine(t, newCluster(t))
	return connect(t, e)
}
