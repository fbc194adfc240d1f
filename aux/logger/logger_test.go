package logger

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"manifold/engine/pgerror"
	"manifold/proxy/session"
)

// run logs what f logs and gives the bytes.
func run(t *testing.T, o Options, f func(*Logger)) string {
	t.Helper()
	var b bytes.Buffer
	l := New(&b, o)
	f(l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	l.Say("after the end")
	return b.String()
}

func TestText(t *testing.T) {
	who := &session.Who{PID: 7, User: "u", Database: "d"}
	got := run(t, Options{Min: "warning", MinStatement: "error"}, func(l *Logger) {
		l.Event(who, pgerror.New("42601", "wrong\nhere").WithHint("think"), "selec 1")
		l.Event(who, pgerror.Notice(pgerror.SeverityNotice, "00000", "not kept"), "")
		l.Warn("careful %d", 1)
	})
	for _, want := range []string{" UTC [7] u@d ERROR:  wrong\n\there\n", "[7] u@d HINT:  think\n", "[7] u@d STATEMENT:  selec 1\n",
		" UTC WARNING:  careful 1\n", "LOG:  after the end\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "not kept") {
		t.Error(got)
	}
}

func TestJSON(t *testing.T) {
	got := run(t, Options{Format: JSON, Min: "warning", MinStatement: "error"}, func(l *Logger) {
		l.Event(&session.Who{PID: 7, User: "u", Database: "d"}, pgerror.New("42601", "wrong"), "selec 1")
	})
	var m map[string]any
	if err := json.Unmarshal([]byte(strings.SplitN(got, "\n", 2)[0]), &m); err != nil {
		t.Fatal(err, got)
	}
	for k, v := range map[string]string{"user": "u", "dbname": "d", "pid": "7", "error_severity": "ERROR", "state_code": "42601",
		"message": "wrong", "statement": "selec 1"} {
		if m[k] != v {
			t.Errorf("%s is %v", k, m[k])
		}
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFile(filepath.Join(dir, "sub", "log"), 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := f.Write(bytes.Repeat([]byte("x"), 40)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, n := range names {
		info, err := n.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
		if info.Size() > 100 {
			t.Errorf("%s has %d bytes", n.Name(), info.Size())
		}
	}
	if total != 400 || len(names) != 5 {
		t.Errorf("%d bytes in %d files", total, len(names))
	}
}
