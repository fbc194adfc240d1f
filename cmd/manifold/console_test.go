package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestConsole rules a server from its console: PAUSE waits for transactions and keeps statements waiting, DISABLE keeps clients
// out, KILL ends them; views and metrics tell the same.
func TestConsole(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := ln.Addr().String()
	_ = ln.Close()
	host, port, err := net.SplitHostPort(startInProcess(t, fmt.Sprintf("[metrics]\naddress = %q\n[pool]\nbackends = 2\n", metrics)))
	if err != nil {
		t.Fatal(err)
	}
	connect := func(database string) (*pgconn.PgConn, error) {
		c, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=%s port=%s user=postgres dbname=%s sslmode=disable", host, port, database))
		if err == nil {
			t.Cleanup(func() { _ = c.Close(context.Background()) })
		}
		return c, err
	}
	must := func(database string) *pgconn.PgConn {
		c, err := connect(database)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	console, a, b := must("pgbouncer"), must("postgres"), must("postgres")
	value(t, a, "begin; select 1")
	paused := begins(t, must("manifold"), "PAUSE postgres")
	shows(t, console, "SHOW DATABASES", 11, "1")
	waits := begins(t, b, "select 2")
	if err := <-begins(t, a, "commit"); err != nil {
		t.Fatal(err)
	}
	if err := <-paused; err != nil {
		t.Fatal(err)
	}
	shows(t, console, "SHOW POOLS", 3, "1")
	if _, err := console.Exec(t.Context(), "RESUME postgres").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; err != nil {
		t.Fatal(err)
	}
	value(t, console, "DISABLE postgres; SHOW VERSION")
	if _, err := connect("postgres"); err == nil || !strings.Contains(err.Error(), `database "postgres" is disabled`) {
		t.Error(err)
	}
	value(t, console, "ENABLE postgres; KILL postgres; RESUME postgres; SHOW VERSION")
	if _, err := a.Exec(t.Context(), "select 1").ReadAll(); code(err) != "57P01" {
		t.Error(err)
	}
	a = must("postgres")
	do(t, a, "create database d")
	d := must("d")
	value(t, d, "select 1")
	_ = d.Close(t.Context())
	until(t, a, "select count(*) from manifold.clients where database = 'd'", "0")
	do(t, a, "drop database d")
	if got := value(t, a, "select string_agg(database, ',') from manifold.pools"); got != "postgres" {
		t.Errorf("pools of %s", got)
	}
	if got := value(t, a, "select client_addr from pg_stat_activity where pid = pg_backend_pid()"); got != "127.0.0.1" {
		t.Errorf("client_addr is %s", got)
	}
	scrape(t, "http://"+metrics+"/metrics", `manifold_pool_slots{database="postgres"} 2`, `manifold_errors_total{sqlstate="57P01"}`)
}

func do(t *testing.T, c *pgconn.PgConn, sql string) {
	t.Helper()
	if err := <-begins(t, c, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// shows waits until a command of the console has a value in a column of the row of database postgres.
func shows(t *testing.T, c *pgconn.PgConn, command string, column int, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(time.Millisecond) {
		r, err := c.Exec(t.Context(), command).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r[0].Rows {
			if string(row[0]) == "postgres" && string(row[column]) == want {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never shows %s", command, want)
		}
	}
}

// scrape looks for lines in what Prometheus is told.
func scrape(t *testing.T, url string, want ...string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(string(body), w) {
			t.Errorf("%s is missing", w)
		}
	}
}
