package types

import (
	"bytes"
	"context"
	"encoding/hex"
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
)

// -record asks the PostgreSQL of MANIFOLD_ORACLE again and rewrites testdata.
var record = flag.Bool("record", false, "record the golden files from a running PostgreSQL 15")

const goldenZone = "America/New_York"

var goldenNow = time.Date(2024, 3, 9, 12, 0, 0, 0, time.UTC)

// goldenLine is one input with PostgreSQL's answer: text, binary form and rank among the inputs of its type, or an error.
type goldenLine struct {
	typ, input        string
	out, wire         string
	rank              int
	code, message, dt string
}

func readInputs(t *testing.T) []goldenLine {
	t.Helper()
	b, err := os.ReadFile("testdata/values.in")
	if err != nil {
		t.Fatal(err)
	}
	var lines []goldenLine
	for _, l := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		typ, in, ok := strings.Cut(l, "\t")
		if !ok || strings.HasPrefix(l, "#") {
			continue
		}
		lines = append(lines, goldenLine{typ: typ, input: in})
	}
	return lines
}

func recordGolden(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("MANIFOLD_ORACLE"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "set timezone = '"+goldenZone+"'"); err != nil {
		t.Fatal(err)
	}
	lines := readInputs(t)
	good := map[string][]string{}
	for i := range lines {
		l := &lines[i]
		quoted := "E'" + strings.ReplaceAll(strings.ReplaceAll(l.input, `\`, `\\`), "'", "''") + "'"
		var send string
		base := l.typ
		q := fmt.Sprintf("select typsend::text from pg_type where oid = '%s'::regtype", base)
		if err := conn.QueryRow(ctx, q).Scan(&send); err != nil {
			t.Fatal(base, err)
		}
		q = fmt.Sprintf("select format('%%s', v), encode(%s(v), 'hex') from (select %s::%s v) s", send, quoted, l.typ)
		err := conn.QueryRow(ctx, q, pgx.QueryExecModeSimpleProtocol).Scan(&l.out, &l.wire)
		if err == nil {
			good[l.typ] = append(good[l.typ], quoted+"::"+l.typ)
			continue
		}
		pe, ok := err.(*pgconn.PgError)
		if !ok {
			t.Fatal(l, err)
		}
		l.code, l.message, l.dt = pe.Code, pe.Message, pe.Detail
	}
	var sb strings.Builder
	for typ, vals := range good {
		if typ == "json" || typ == "xid" || typ == "cid" || typ == "int2vector" || strings.HasSuffix(typ, "_snapshot") {
			continue
		}
		q := "select format('%s', v), dense_rank() over (order by v) from (values (" + strings.Join(vals, "),(") + ")) s(v)"
		rows, err := conn.Query(ctx, q, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var v string
			var r int
			if err := rows.Scan(&v, &r); err != nil {
				t.Fatal(typ, err)
			}
			for i := range lines {
				if lines[i].typ == typ && lines[i].code == "" && strings.TrimRight(lines[i].out, " ") == strings.TrimRight(v, " ") {
					lines[i].rank = r
				}
			}
		}
		if rows.Err() != nil {
			t.Fatal(typ, rows.Err())
		}
	}
	for _, l := range lines {
		fmt.Fprintf(&sb, "%s\t%q\t%q\t%s\t%d\t%s\t%q\t%q\n", l.typ, l.input, l.out, l.wire, l.rank, l.code, l.message, l.dt)
	}
	if err := os.WriteFile("testdata/values.golden", []byte(sb.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t *testing.T) []goldenLine {
	t.Helper()
	b, err := os.ReadFile("testdata/values.golden")
	if err != nil {
		t.Fatal(err)
	}
	var lines []goldenLine
	for _, s := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		f := strings.Split(s, "\t")
		unq := func(i int) string {
			v, err := strconv.Unquote(f[i])
			if err != nil {
				t.Fatal(s, err)
			}
			return v
		}
		rank, _ := strconv.Atoi(f[4])
		lines = append(lines, goldenLine{typ: f[0], input: unq(1), out: unq(2), wire: f[3], rank: rank, code: f[5], message: unq(6), dt: unq(7)})
	}
	return lines
}

// typeByName resolves a type name of the golden file with its typmod.
func typeByName(t *testing.T, name string) (base.OID, int32) {
	t.Helper()
	array := strings.HasSuffix(name, "[]")
	name = strings.TrimSuffix(name, "[]")
	head, mods, has := strings.Cut(name, "(")
	if has {
		var tail string
		mods, tail, _ = strings.Cut(mods, ")")
		head += tail
	}
	typmod := int32(-1)
	var typ base.OID
	for i := range infoTable {
		if infoTable[i].SQLName == head || infoTable[i].Name == strings.Trim(head, `"`) && head != "char" {
			typ = infoTable[i].OID
		}
	}
	if typ == 0 {
		t.Fatalf("no type %q", name)
	}
	if has {
		list := strings.Split(mods, ",")
		if typ == OIDInterval {
			list = []string{"32767", mods}
		}
		m, err := TypmodIn(typ, list)
		if err != nil {
			t.Fatal(err)
		}
		typmod = m
	}
	if array {
		typ = ArrayType(typ)
	}
	return typ, typmod
}

func goldenEnv(t *testing.T) *Env {
	loc, err := LoadZone(goldenZone)
	if err != nil {
		t.Fatal(err)
	}
	env := NewEnv()
	env.TimeZone, env.Now = loc, goldenNow
	return env
}

func TestGolden(t *testing.T) {
	if *record {
		recordGolden(t)
	}
	env := goldenEnv(t)
	ranked := map[string][]rankedValue{}
	for _, l := range readGolden(t) {
		typ, typmod := typeByName(t, l.typ)
		d, err := In(typ, -1, l.input, env)
		if err == nil && typmod >= 0 {
			d, err = Coerce(typ, typmod, d, true)
		}
		if l.code != "" {
			checkError(t, l, err)
			continue
		}
		if err != nil {
			t.Errorf("%s %q: %v", l.typ, l.input, err)
			continue
		}
		if got := string(AppendText(nil, typ, d, env)); got != l.out {
			t.Errorf("%s %q prints %q, want %q", l.typ, l.input, got, l.out)
		}
		checkWire(t, l, typ, d, env)
		if l.rank > 0 {
			ranked[l.typ] = append(ranked[l.typ], rankedValue{l.rank, typ, d, l.input})
		}
	}
	for _, vals := range ranked {
		checkOrder(t, vals)
	}
}

func checkError(t *testing.T, l goldenLine, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s %q is taken, want %s %s", l.typ, l.input, l.code, l.message)
		return
	}
	e := pgerror.From(err)
	if e.Code != l.code || e.Message != l.message || e.Detail != l.dt {
		t.Errorf("%s %q fails with %s %s (%s), want %s %s (%s)", l.typ, l.input, e.Code, e.Message, e.Detail, l.code, l.message, l.dt)
	}
}

func checkWire(t *testing.T, l goldenLine, typ base.OID, d Datum, env *Env) {
	t.Helper()
	wire, err := AppendBinary(nil, typ, d, env)
	if err != nil {
		t.Errorf("%s %q: %v", l.typ, l.input, err)
		return
	}
	if got := hex.EncodeToString(wire); got != l.wire {
		t.Errorf("%s %q sends %s, want %s", l.typ, l.input, got, l.wire)
	}
	back, err := Recv(typ, -1, wire, env)
	if err != nil {
		t.Errorf("%s %q comes back as %v", l.typ, l.input, err)
		return
	}
	if got := string(AppendText(nil, typ, back, env)); got != l.out {
		t.Errorf("%s %q comes back as %q, want %q", l.typ, l.input, got, l.out)
	}
}

type rankedValue struct {
	rank  int
	typ   base.OID
	d     Datum
	input string
}

func checkOrder(t *testing.T, vals []rankedValue) {
	t.Helper()
	sign := func(i int) int { return cmpInt(int64(i), 0) }
	for _, a := range vals {
		for _, b := range vals {
			want := sign(a.rank - b.rank)
			if got := sign(Compare(a.typ, a.d, b.d)); got != want {
				t.Errorf("%s: compare %q with %q gives %d, want %d", FormatType(a.typ, -1), a.input, b.input, got, want)
			}
			if want == 0 && Hash(a.typ, a.d) != Hash(b.typ, b.d) {
				t.Errorf("%s: %q and %q are equal and hash differently", FormatType(a.typ, -1), a.input, b.input)
			}
			for _, desc := range []bool{false, true} {
				ka, err := AppendKey(nil, a.typ, a.d, desc, false)
				if err != nil {
					if pgerror.Code(err) != pgerror.FeatureNotSupported {
						t.Error(err)
					}
					continue
				}
				kb, _ := AppendKey(nil, b.typ, b.d, desc, false)
				w := want
				if desc {
					w = -w
				}
				if got := bytes.Compare(ka, kb); got != w {
					t.Errorf("%s: key of %q against %q gives %d, want %d (descending %t)", FormatType(a.typ, -1), a.input, b.input, got, w, desc)
				}
				if w != 0 && bytes.HasPrefix(kb, ka) {
					t.Errorf("%s: key of %q is a prefix of %q", FormatType(a.typ, -1), a.input, b.input)
				}
				if KeyExact(a.typ) {
					back, rest, err := DecodeKey(append(ka, 'x'), a.typ, desc, false)
					if err != nil || string(rest) != "x" || back.I != a.d.I || !bytes.Equal(back.B, a.d.B) {
						t.Errorf("%s: key of %q decodes to %v %q, %v", FormatType(a.typ, -1), a.input, back, rest, err)
					}
				}
			}
		}
	}
}
