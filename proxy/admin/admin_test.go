package admin

import (
	"strings"
	"testing"
	"time"

	"manifold/engine/backend"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
	"manifold/pool"
)

// lines is a Sink that keeps what it gets as lines.
type lines struct {
	backend.Discard
	out []string
}

func (l *lines) Rows(cols []plan.ResultColumn, _ []int16, b *vector.Batch) error {
	for i := range b.N {
		var row []string
		for j := range cols {
			row = append(row, string(b.Cols[j].Bytes(i)))
		}
		l.out = append(l.out, strings.Join(row, "|"))
	}
	return nil
}

func (l *lines) Complete(tag string) error {
	l.out = append(l.out, tag)
	return nil
}

func TestCommands(t *testing.T) {
	b := New(Sources{Version: "v1",
		Pools: func() []pool.Stat {
			return []pool.Stat{{Name: "db", Slots: 4, Running: 1, Backends: 2, Leases: 7, Counts: pool.Counts{Waited: time.Millisecond}}}
		},
		Clients: func() []Client {
			return []Client{{PID: 3, User: "u", Database: "db", Info: session.Info{State: "idle", ClientPort: -1, Query: "select 1"}}}
		},
		Terminate: func(pid uint32) bool { return pid == 3 },
		Ask:       func(r Request) bool { return r != ShutdownSmart },
		Config:    func() [][3]string { return [][3]string{{"pool.backends", "4", "0"}} }})
	for _, x := range []struct{ text, want string }{
		{"show version;", "v1\nSHOW"},
		{" Show  pools", "db|4|1|0|0|2|7|0|1000\nSHOW"},
		{"SHOW CLIENTS", "3|u|db|idle|[local]|-1||off|0001-01-01T00:00:00Z|select 1\nSHOW"},
		{"SHOW SERVERS; SHOW DATABASES", "db|engine|2|1|0|1\nSHOW\ndb|4|7\nSHOW"},
		{"show config", "pool.backends|4|0\nSHOW"},
		{"reload; kill_client 3; Shutdown", "RELOAD\nKILL_CLIENT\nSHUTDOWN"},
		{"", ""},
	} {
		var l lines
		if err := b.Simple(nil, x.text, &l); err != nil || strings.Join(l.out, "\n") != x.want {
			t.Errorf("%s: %v\n%s", x.text, err, strings.Join(l.out, "\n"))
		}
	}
	for text, want := range map[string]string{"kill_client 4": "there is no client 4", "kill_client x": "there is no client X",
		"shutdown wait_for_clients": "the server has too many requests to serve first", "kill_client": "unknown command of the console: kill_client"} {
		if err := b.Simple(nil, text, &lines{}); err == nil || pgerror.From(err).Message != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := b.Simple(nil, "pause db", &lines{}); pgerror.From(err).Message != "unknown command of the console: pause db" {
		t.Error(err)
	}
}
