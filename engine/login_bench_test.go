package engine

import (
	"testing"

	"manifold/engine/activity"
)

// BenchmarkLogin is what the engine does for a client that comes and goes.
func BenchmarkLogin(b *testing.B) {
	e := testEngine(b, newCluster(b))
	b.ReportAllocs()
	for b.Loop() {
		task := activity.NewTask(1, nil)
		s := e.NewSession(task)
		l, err := e.Login(task, "postgres", "postgres")
		if err != nil {
			b.Fatal(err)
		}
		if err := e.StartSession(s, l, nil); err != nil {
			b.Fatal(err)
		}
		if err := e.Register(s); err != nil {
			b.Fatal(err)
		}
		e.Unregister(s)
	}
}
