package engine

import (
	"context"
	"testing"
)

// TestReload: a session takes up what has changed in the configuration, unless something more specific has set it; what needs
// a restart stays; RESET gives the new value.
func TestReload(t *testing.T) {
	e, err := Open(context.Background(), Config{FS: newCluster(t), SharedBuffers: 64 << 20,
		Settings: map[string]string{"work_mem": "1MB", "lock_timeout": "7s", "max_connections": "50"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Abandon() })
	c := connect(t, e)
	c.run("alter role postgres set statement_timeout = '9s'")
	d := connect(t, e)
	d.run("set lock_timeout = '1s'")
	if err := e.SetSettings(map[string]string{"work_mem": "2MB", "lock_timeout": "8s", "statement_timeout": "1s", "max_connections": "60"}); err != nil {
		t.Fatal(err)
	}
	e.Refresh(d.s)
	for name, want := range map[string]string{"work_mem": "2MB", "lock_timeout": "1s", "statement_timeout": "9s", "max_connections": "50"} {
		if _, got, err := d.s.Settings.Show(name); err != nil || got != want {
			t.Errorf("%s is %s, not %s (%v)", name, got, want, err)
		}
	}
	d.run("reset lock_timeout")
	if _, got, _ := d.s.Settings.Show("lock_timeout"); got != "8s" {
		t.Errorf("lock_timeout resets to %s", got)
	}
	n := connect(t, e)
	if _, got, _ := n.s.Settings.Show("work_mem"); got != "2MB" {
		t.Errorf("a new session has work_mem %s", got)
	}
	for range 2 { // two generations at once, the second without any setting
		if err := e.SetSettings(nil); err != nil {
			t.Fatal(err)
		}
	}
	e.Refresh(n.s)
	if _, got, _ := n.s.Settings.Show("work_mem"); got != "4MB" {
		t.Errorf("without configuration work_mem is %s", got)
	}
}
