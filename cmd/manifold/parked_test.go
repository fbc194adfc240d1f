package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bounds of what a parked client may cost, in bytes; the measured figures stand in proxy/session/README.md.
const (
	maxHeapPlain   = 2304
	maxMemoryPlain = 4096
	maxMemoryTLS   = 32 << 10
)

// TestHoldClients is no test: other tests run it in a process of its own, so that its memory is not the server's. It logs
// clients in, has each run a statement, and keeps them until its input ends.
func TestHoldClients(t *testing.T) {
	dsn, n := os.Getenv("HOLD_DSN"), os.Getenv("HOLD_CLIENTS")
	if dsn == "" {
		t.Skip("it is run by other tests")
	}
	count, err := strconv.Atoi(n)
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		c, err := pgconn.Connect(context.Background(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "select 1").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// hold starts a process with clients that rest, and gives what ends it.
func hold(t *testing.T, dsn string, n int) (release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestHoldClients$", "-test.v")
	cmd.Env = append(os.Environ(), "HOLD_DSN="+dsn, "HOLD_CLIENTS="+strconv.Itoa(n))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() && lines.Text() != "held" {
		said = append(said, lines.Text())
	}
	if lines.Text() != "held" {
		t.Fatalf("the clients did not come in:\n%s", strings.Join(said, "\n"))
	}
	return func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// memory gives the live heap and the anonymous memory of the process, after a collection.
func memory(t *testing.T) (heap, process int64) {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(m.HeapAlloc), kb << 10
}

// TestParkedClientsAreSmall bounds the memory of clients that have logged in, run a statement and rest.
func TestParkedClientsAreSmall(t *testing.T) {
	plain, secure := 4000, 1000
	if testing.Short() {
		plain, secure = 1000, 300
	}
	addr := startInProcess(t, "[clients]\nmax_clients = 6000\n"+writeCertificate(t))
	host, port, _ := strings.Cut(addr, ":")
	dsn := fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres sslmode=", host, port)
	hold(t, dsn+"disable", 20)() // what the first clients make is for all
	hold(t, dsn+"require", 20)()
	for _, x := range []struct {
		mode         string
		n            int
		heap, memory int64
	}{{"disable", plain, maxHeapPlain, maxMemoryPlain}, {"require", secure, maxMemoryTLS, maxMemoryTLS}} {
		heap0, process0 := memory(t)
		threads0 := runtime.NumGoroutine()
		release := hold(t, dsn+x.mode, x.n)
		heap1, process1 := memory(t)
		heap, process := (heap1-heap0)/int64(x.n), (process1-process0)/int64(x.n)
		t.Logf("sslmode %s, %d clients: %d bytes of heap, %d bytes of memory each; %d goroutines more in all", x.mode, x.n, heap, process,
			runtime.NumGoroutine()-threads0)
		if heap > x.heap {
			t.Errorf("sslmode %s: a parked client keeps %d bytes of heap, more than %d", x.mode, heap, x.heap)
		}
		if process > x.memory && !testing.Short() { // few clients do not stand out of what else grows
			t.Errorf("sslmode %s: a parked client costs %d bytes of memory, more than %d", x.mode, process, x.memory)
		}
		if n := runtime.NumGoroutine() - threads0; n > 200 {
			t.Errorf("sslmode %s: %d goroutines more than without clients", x.mode, n)
		}
		release()
		waitFor(t, "the end of the clients", func() bool { return runtime.NumGoroutine() <= threads0+100 })
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}
