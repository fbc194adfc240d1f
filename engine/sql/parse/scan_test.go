package parse

import (
	"strings"
	"testing"

	"manifold/engine/pgerror"
)

func shapeOf(t *testing.T, text string) *Shape {
	t.Helper()
	var s Shape
	if err := Scan(text, &s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &s
}

func TestShapeTakesLiteralsOut(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"SELECT abalance FROM t WHERE aid = 1;", "SELECT  abalance FROM t /* x */ WHERE aid = 4242"},
		{"select 'a''b', 1.5", "select\n'c', 20e3"},
		{"select E'ab'", "select 'x'"},
	} {
		a, b := shapeOf(t, c.a), shapeOf(t, c.b)
		if string(a.Key) != strings.TrimSuffix(string(b.Key), " ") && string(a.Key) != string(b.Key) {
			t.Errorf("%q and %q differ: %q %q", c.a, c.b, a.Key, b.Key)
		}
		if !a.Cacheable || a.Statements != 1 {
			t.Errorf("%q: %+v", c.a, a)
		}
	}
	if s := shapeOf(t, "select E'a\\'b'"); s.Cacheable {
		t.Error("a literal whose value takes more than a look at the token is cacheable")
	}
	for _, c := range []struct{ a, b string }{
		{"select 1", "select 3000000000"}, {"select 1", "select 1.0"}, {"select 1", "select '1'"}, {"select a", "select b"},
		{"select a b", "select ab"}, {"select - 1", "select --\n1"}, {`select "a"`, "select a"}, {"select $1", "select $2"},
	} {
		if a, b := shapeOf(t, c.a), shapeOf(t, c.b); string(a.Key) == string(b.Key) {
			t.Errorf("%q and %q share the shape %q", c.a, c.b, a.Key)
		}
	}
}

func TestScanRefusesDeepStatements(t *testing.T) {
	var s Shape
	for _, deep := range []string{
		"select " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000),
		"select 1" + strings.Repeat("+1", 64000),
		"select " + strings.Repeat("-", 1) + strings.Repeat(" - ", 5000) + "1",
		"select " + strings.Repeat("not ", 5000) + "true",
		"select 1" + strings.Repeat(" union select 1", 5000),
		"select " + strings.Repeat("case when a then ", 5000) + "1" + strings.Repeat(" end", 5000),
		"select a" + strings.Repeat("::int", 5000),
		"select a" + strings.Repeat("[1]", 4600),
	} {
		if err := Scan(deep, &s); pgerror.Code(err) != pgerror.StatementTooComplex {
			t.Errorf("%.40s...: %v", deep, err)
		}
	}
	for _, wide := range []string{
		"select 1" + strings.Repeat(", 1+1", 50000),
		"select 1 where a = 1" + strings.Repeat(" or a = 1", 50000),
		"insert into t values (1, 2)" + strings.Repeat(", (1, 2+3)", 50000),
	} {
		if err := Scan(wide, &s); err != nil {
			t.Errorf("%.40s...: %v", wide, err)
		}
	}
}

func TestParseAtTheLimitOfDepth(t *testing.T) {
	var s Shape
	for _, text := range []string{
		"select " + strings.Repeat("(", 4400) + "1" + strings.Repeat(")", 4400),
		"select 1" + strings.Repeat("+1", 4400),
		"select 1" + strings.Repeat(" union select 1", 4400),
		"select " + strings.Repeat("case when a then ", 900) + "1" + strings.Repeat(" end", 900),
	} {
		if err := Scan(text, &s); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err != nil {
			t.Errorf("%.40s...: %.200v", text, err)
		}
	}
}

func TestScanSurvivesWhatItCannotLex(t *testing.T) {
	for _, text := range []string{"'", `"`, "$", "$a", "$a$b", "/*", "/* /*", "--", "e'", "u&'", "E'\\", "1.", "1e", ".", ";;;", "\x00\xff", "select 'a'\n'b'"} {
		shapeOf(t, text)
	}
}

func FuzzScan(f *testing.F) {
	f.Add("select 'a', $1, \"b\" from t where x = 1.5e3 -- c")
	f.Fuzz(func(t *testing.T, text string) {
		var s Shape
		if Scan(text, &s) != nil {
			return
		}
		for _, l := range s.Literals {
			if l.Start < 0 || l.End > int32(len(text)) || l.Start >= l.End {
				t.Fatalf("literal %+v of %q", l, text)
			}
		}
	})
}
