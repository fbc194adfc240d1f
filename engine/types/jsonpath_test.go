package types

import (
	"strings"
	"testing"
	"unicode/utf8"

	"manifold/engine/pgerror"
)

// FuzzJSONPath holds that any text is refused or has a canonical form that reads back as itself.
func FuzzJSONPath(f *testing.F) {
	for _, s := range []string{"$", "strict $.a[*].b ? (@ > 1 && !(@.c like_regex \"x\" flag \"i\"))", "$.**{1 to last}.\"a b\"", "-($.a + 1).abs()",
		"$[0, last - 1 to 3]", "exists($.a) || ($.b starts with $x) is unknown", "\"\\u0041\\x41\\u{42}\"", "$.datetime(\"HH24\").type()", "1.5e3", "(1).abs()"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil || strings.Contains(s, "\x00") || !utf8.ValidString(s) { // no text has those
			return
		}
		text := string(p.Append(nil))
		again, err := ParsePath(text)
		if err != nil {
			t.Fatalf("%q gives %q: %v", s, text, err)
		}
		if back := string(again.Append(nil)); back != text {
			t.Fatalf("%q gives %q, which gives %q", s, text, back)
		}
	})
}

// TestJSONPathDepth holds that nothing nests deep enough to harm the stack.
func TestJSONPathDepth(t *testing.T) {
	const n = 100000
	for _, s := range []string{
		strings.Repeat("(", n) + "$" + strings.Repeat(")", n),
		"$" + strings.Repeat(" + 1", n),
		strings.Repeat("-", n) + "$",
		"$" + strings.Repeat("?(@ > 1 && exists(@", n),
		strings.Repeat("$[", n) + "0" + strings.Repeat("]", n),
		"$ > 1" + strings.Repeat(" && $ > 1", n),
		"$" + strings.Repeat(".a", n),
		strings.Repeat("!(", n) + "$ > 1" + strings.Repeat(")", n),
	} {
		if _, err := ParsePath(s); err == nil || pgerror.From(err).Code != pgerror.StatementTooComplex {
			t.Errorf("%.20s...: %v", s, err)
		}
	}
	if _, err := ParsePath("$" + strings.Repeat(".a", maxPathSteps)); err != nil {
		t.Errorf("a long chain of members: %v", err)
	}
}

// TestRowsKnowTheirNames holds that the stored form of a row keeps its type or the names of its fields, beside the fields.
func TestRowsKnowTheirNames(t *testing.T) {
	fields := []Field{{Type: OIDInt4, Typmod: -1, Value: Int(7)}, {Type: OIDText, Typmod: -1, Value: Text("x")}, {Type: OIDText, Typmod: -1, Value: Null}}
	for _, c := range []struct {
		d     Datum
		typ   uint32
		names string
	}{
		{Datum{B: AppendRecord(nil, fields)}, 0, ""},
		{Datum{B: AppendRow(nil, 20000, nil, fields)}, 20000, ""},
		{Datum{B: AppendRow(nil, 0, []string{"a", "", "b c"}, fields)}, 0, "a,,b c"},
	} {
		typ, names := RowShape(c.d)
		if uint32(typ) != c.typ || strings.Join(names, ",") != c.names {
			t.Errorf("shape %d %q, want %d %q", typ, names, c.typ, c.names)
		}
		if got := string(AppendText(nil, OIDRecord, c.d, nil)); got != "(7,x,)" {
			t.Errorf("text %s", got)
		}
		for end := range c.d.B { // cut short anywhere: no panic
			OpenRecord(Datum{B: c.d.B[:end]})
			RowShape(Datum{B: c.d.B[:end]})
		}
	}
}
