package main

import (
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"manifold/cmd/internal/drive"
	"manifold/cmd/internal/many"
)

// size gives a test's size: the second in short runs.
func size(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// crowd starts a server with a table to select from.
func crowd(t *testing.T, toml string) *many.Server {
	t.Helper()
	s := &many.Server{Addr: startInProcess(t, "[clients]\nmax_clients = 9000\n"+toml), Rows: 1000}
	if _, err := s.Query("create table pgbench_accounts (aid int primary key, abalance int)",
		"insert into pgbench_accounts select g, 0 from generate_series(1, 1000) g"); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestThinkingClients: thousands of clients that think between their statements are all served. Timings are for cmd/bench.
func TestThinkingClients(t *testing.T) {
	got, err := crowd(t, "").Think(size(8000, 1000), 0.5, time.Duration(size(4000, 500))*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	if got.Rate == 0 {
		t.Error("no statement was answered")
	}
}

// TestCrowdUnderOrders: a process of clients does what it is told, and ends when there are no more orders.
func TestCrowdUnderOrders(t *testing.T) {
	s := crowd(t, "")
	in, orders := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.Serve(20, in, out) }()
	read := json.NewDecoder(answers)
	var a struct {
		Result *drive.Result
		Failed string
	}
	if err := read.Decode(&a); err != nil || a.Failed != "" || a.Result != nil {
		t.Fatalf("%v, %+v", err, a)
	}
	if _, err := io.WriteString(orders, `{"Think": 1000000, "For": 200000000}`); err != nil {
		t.Fatal(err)
	}
	if err := read.Decode(&a); err != nil || a.Failed != "" || a.Result.Answers == 0 || a.Result.Latency.Count() != a.Result.Answers {
		t.Fatalf("%v, %+v", err, a)
	}
	if err := errors.Join(orders.Close(), <-done); err != nil {
		t.Error(err)
	}
}

// TestReconnectStorm: clients that hang up and come back all at once get in, and nobody who works meanwhile fails.
func TestReconnectStorm(t *testing.T) {
	got, err := crowd(t, "").Reconnect(size(4000, 500), 50, time.Duration(size(3000, 300))*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
}

// TestRestingTransactions: sessions that rest inside of transactions hold none of the few backends.
func TestRestingTransactions(t *testing.T) {
	got, err := crowd(t, "[pool]\nbackends = 4\n").RestInTransactions(size(5000, 500), 64, 1, time.Duration(size(2000, 200))*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
}

// TestLockingOnOneBackend: many sessions lock rows in transactions with time to think on one backend; all finish, whatever
// they wait for and however they fail.
func TestLockingOnOneBackend(t *testing.T) {
	s := crowd(t, "[pool]\nbackends = 1\n")
	for _, kind := range many.Kinds() {
		got, err := s.Lock(kind, size(500, 60), size(4, 2), 2*time.Millisecond)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s: %+v", kind, got)
	}
}
