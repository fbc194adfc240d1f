package parse

import (
	"math/rand/v2"
	"strings"
	"testing"

	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// items are what rows are made of here: literals that are read without the grammar, and things that only it knows.
var items = []string{"1", "-1", "- 7", "0", "-0", "007", "2147483647", "2147483648", "-2147483648", "99999999999999999999", "1.", ".5", "1e5",
	"1.5E-3", "-.5", "'a'", "''", "'it''s'", "'a\\b'", "null", "NULL", "true", "False", "default", "'ä,(x)'", "'--'",
	"1+1", "now()", "E'a\\n'", "N'x'", "'1'::int", "- -1", "+1", "1a", "(1)", "'a' 'b'", "'a'\n'b'", "-- c\n1", "/* c */ 1", "$1", "0x1F", "1..2", "array[1]", "values"}

// TestRowsReadWithoutTheGrammarAreWhatItMakes compares trees and errors.
func TestRowsReadWithoutTheGrammarAreWhatItMakes(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	for n := range 3000 {
		plain := r.IntN(3) > 0
		var b strings.Builder
		for range 1 + r.IntN(3) {
			b.WriteString([]string{"insert into t values ", "INSERT INTO t(a,b) VALUES", "with x as (values (1),(2)) insert into t values",
				"insert into t select * from (values (1),(2)) v union values", "values", "insert into values_t values\n"}[r.IntN(6)])
			for i := range 1 + r.IntN(5) {
				if i > 0 {
					b.WriteString([]string{",", " , ", "\n,"}[r.IntN(3)])
				}
				b.WriteByte('(')
				for k := range r.IntN(4) {
					if k > 0 {
						b.WriteString(", ")
					}
					pick := len(items)
					if plain {
						pick = 26
					}
					b.WriteString(items[r.IntN(pick)])
				}
				b.WriteByte(')')
			}
			b.WriteString([]string{";", " on conflict do nothing;", " returning *;", ";;"}[r.IntN(4)])
		}
		text := b.String()
		want, wantErr := pg_query.Parse(text)
		got, gotErr := grammar(text + strings.Repeat(" ", longText))
		if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
			t.Fatalf("%d: %s\n%v\n%v", n, text, wantErr, gotErr)
		}
		if wantErr == nil && !proto.Equal(want, got) {
			t.Fatalf("%d: %s\n%v\n%v", n, text, want, got)
		}
	}
}

func BenchmarkLongInsert(b *testing.B) {
	var t strings.Builder
	t.WriteString("insert into t values (0, 'x', 1.5, null)")
	for range 10000 {
		t.WriteString(", (12345, 'some name', 1.5, null)")
	}
	for b.Loop() {
		if _, err := Parse(t.String()); err != nil {
			b.Fatal(err)
		}
	}
}
