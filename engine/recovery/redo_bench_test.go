package recovery

import (
	"math/rand/v2"
	"testing"

	"manifold/engine/txn"
)

// BenchmarkRedo replays updates of random rows, some of which change an index, from a log in memory.
func BenchmarkRedo(b *testing.B) {
	fs := newFS(b)
	c := startOn(b, fs, 8192)
	if err := c.Store.CreateDatabase(1663, testDB); err != nil {
		b.Fatal(err)
	}
	tab, ix := c.openKV()
	s := c.session(b, 1, tab, ix)
	s.createKV()
	r := rand.New(rand.NewPCG(1, 1))
	const rows = 20000
	s.begin()
	for k := range int64(rows) {
		if _, err := s.insert(k*7, k, "some text of thirty bytes ......"); err != nil {
			b.Fatal(err)
		}
	}
	s.commit()
	for range 60000 {
		s.begin()
		if _, err := s.set(r.Int64N(rows)*7, r.Int64(), "some other text of thirty bytes "); err != nil {
			b.Fatal(err)
		}
		s.must(s.tryCommit(txn.LevelOff))
	}
	if err := c.Log.Flush(c.Log.InsertLSN()); err != nil {
		b.Fatal(err)
	}
	crashed := fs.Crash(1)
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		copied := crashed.Clone()
		b.StartTimer()
		o := testOptions(8192)
		o.Ahead = Ahead{Concurrency: 10}
		c, err := Start(copied, o)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(c.Replayed), "records")
		b.StopTimer()
		_ = c.Close()
		b.StartTimer()
	}
}
