package builtins

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// -record asks the PostgreSQL of MANIFOLD_ORACLE again and rewrites testdata.
var record = flag.Bool("record", false, "record the golden files from a running PostgreSQL 15")

// goldenCall is one line of testdata/calls.in, a signature and arguments, with PostgreSQL's answer.
type goldenCall struct {
	sig           string
	args          []string
	oid, result   base.OID
	set           bool
	types         []base.OID
	out           string
	code, message string
}

func readCalls(t *testing.T) []goldenCall {
	t.Helper()
	b, err := os.ReadFile("testdata/calls.in")
	if err != nil {
		t.Fatal(err)
	}
	var calls []goldenCall
	for _, l := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		if l == "" || l[0] == '#' {
			continue
		}
		f := strings.Split(l, "\t")
		calls = append(calls, goldenCall{sig: f[0], args: f[1:]})
	}
	return calls
}

func recordCalls(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("MANIFOLD_ORACLE"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "set timezone = 'America/New_York'"); err != nil {
		t.Fatal(err)
	}
	var sb strings.Builder
	for _, c := range readCalls(t) {
		name, rest, _ := strings.Cut(c.sig, "(")
		sigTypes := strings.Split(strings.TrimSuffix(rest, ")"), ",")
		var oid, result uint32
		var set bool
		err := conn.QueryRow(ctx, "select oid, prorettype, proretset from pg_proc where oid = $1::text::regprocedure", c.sig).Scan(&oid, &result, &set)
		if err != nil {
			t.Fatalf("%s: %v", c.sig, err)
		}
		var list, oids []string
		for i, a := range c.args {
			typ := sigTypes[min(i, len(sigTypes)-1)]
			if before, after, ok := strings.Cut(a, "::"); ok && (typ == `"any"` || strings.HasPrefix(typ, "any")) {
				a, typ = before, after
			}
			var to uint32
			if err := conn.QueryRow(ctx, "select $1::text::regtype::oid", typ).Scan(&to); err != nil {
				t.Fatal(c.sig, err)
			}
			oids = append(oids, strconv.Itoa(int(to)))
			lit := "null"
			if a != `\N` {
				lit = "'" + strings.ReplaceAll(a, "'", "''") + "'"
			}
			list = append(list, lit+"::"+typ)
		}
		call := `pg_catalog."` + name + `"(` + strings.Join(list, ",") + ")"
		q := "select case when num_nulls(v) = 1 then '\\N' else format('%s', v) end, pg_typeof(v)::oid from (select " + call + " v) s"
		if set {
			q = "select coalesce(string_agg(format('%s', v), '|'), ''), max(pg_typeof(v)::oid) from " + call + " v"
		}
		if strings.HasPrefix(call, `pg_catalog."concat`) || name == "format" {
			q = "select coalesce(v, '\\N'), 25::oid from (select " + call + " v) s"
		}
		var out string
		var rt *uint32
		err = conn.QueryRow(ctx, q, pgx.QueryExecModeSimpleProtocol).Scan(&out, &rt)
		code, message := "", ""
		if err != nil {
			pe, ok := err.(*pgconn.PgError)
			if !ok {
				t.Fatal(c.sig, err)
			}
			code, message = pe.Code, pe.Message
		} else if rt != nil {
			result = *rt
		}
		fmt.Fprintf(&sb, "%s\t%d\t%d\t%t\t%s\t%q\t%s\t%q", c.sig, oid, result, set, strings.Join(oids, ","), out, code, message)
		for _, a := range c.args {
			a, _, _ = strings.Cut(a, "::")
			fmt.Fprintf(&sb, "\t%q", a)
		}
		sb.WriteByte('\n')
	}
	if err := os.WriteFile("testdata/calls.golden", []byte(sb.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t *testing.T) []goldenCall {
	t.Helper()
	b, err := os.ReadFile("testdata/calls.golden")
	if err != nil {
		t.Fatal(err)
	}
	var calls []goldenCall
	for _, l := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		f := strings.Split(l, "\t")
		unq := func(s string) string {
			v, err := strconv.Unquote(s)
			if err != nil {
				t.Fatal(l, err)
			}
			return v
		}
		num := func(s string) base.OID {
			v, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(l, err)
			}
			return base.OID(v)
		}
		c := goldenCall{sig: f[0], oid: num(f[1]), result: num(f[2]), set: f[3] == "true", out: unq(f[5]), code: f[6], message: unq(f[7])}
		for _, o := range strings.Split(f[4], ",") {
			if o != "" {
				c.types = append(c.types, num(o))
			}
		}
		for _, a := range f[8:] {
			c.args = append(c.args, unq(a))
		}
		calls = append(calls, c)
	}
	return calls
}

func testContext(t *testing.T) *Context {
	loc, err := types.LoadZone("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	env := types.NewEnv()
	env.TimeZone = loc
	now := time.Date(2024, 3, 9, 12, 0, 0, 0, time.UTC)
	env.Now = now
	return &Context{Env: env, TransactionTime: now, StatementTime: now}
}

func (g goldenCall) run(t *testing.T, c *Context) (string, error) {
	e, ok := Lookup(g.oid)
	if !ok {
		return "", fmt.Errorf("no entry for %d", g.oid)
	}
	args := make([]types.Datum, len(g.args))
	for i, a := range g.args {
		if a == `\N` {
			args[i] = types.Null
			continue
		}
		d, err := types.In(g.types[i], -1, a, c.Env)
		if err != nil {
			return "", err
		}
		args[i] = d
	}
	c.ArgTypes, c.Result = g.types, g.result
	if e.Set != nil {
		it, err := e.Set(c, args)
		if err != nil {
			return "", err
		}
		var out []string
		for {
			d, ok, err := it.Next(c)
			if err != nil || !ok {
				return strings.Join(out, "|"), err
			}
			out = append(out, string(types.AppendText(nil, g.result, d, c.Env)))
		}
	}
	d, err := e.Scalar(c, args)
	if err != nil || d.Null {
		return `\N`, err
	}
	return string(types.AppendText(nil, g.result, d, c.Env)), nil
}

func TestGoldenCalls(t *testing.T) {
	if *record {
		recordCalls(t)
	}
	c := testContext(t)
	for _, g := range readGolden(t) {
		out, err := g.run(t, c)
		c.Reset()
		if g.code != "" {
			if err == nil || pgerror.Code(err) != g.code || pgerror.From(err).Message != g.message {
				t.Errorf("%s %q: %q %v, want %s %s", g.sig, g.args, out, err, g.code, g.message)
			}
			continue
		}
		if err != nil || out != g.out {
			t.Errorf("%s %q: %q %v, want %q", g.sig, g.args, out, err, g.out)
		}
	}
}
