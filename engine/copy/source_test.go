package copy

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// pieces gives a text in messages of n bytes.
type pieces struct {
	text string
	n    int
}

func (p *pieces) Next() ([]byte, error) {
	if p.text == "" {
		return nil, io.EOF
	}
	k := min(p.n, len(p.text))
	m := []byte(p.text[:k])
	p.text = p.text[k:]
	return m, nil
}

func lines(text string, n int, csv bool) string {
	s := &source{in: &pieces{text, n}, buf: make([]byte, 0, 8), full: func() error { return nil }}
	var out []string
	for {
		var b []byte
		var ok bool
		var err error
		if csv {
			b, ok, err = s.csvLine('"', '"')
		} else {
			b, ok, err = s.line()
		}
		if err != nil {
			return err.Error()
		}
		if !ok {
			return strings.Join(out, "|")
		}
		out = append(out, fmt.Sprintf("%q", b))
	}
}

func TestLinesInAnyPieces(t *testing.T) {
	for _, c := range []struct {
		text, want string
		csv        bool
	}{
		{"a\tb\nc\n", `"a\tb"|"c"`, false},
		{"a\r\nb\r\n", `"a"|"b"`, false},
		{"a\rb\r", `"a"|"b"`, false},
		{"a\\\nb\nc", `"a\\\nb"|"c"`, false},
		{"a\\\\\nb\n", `"a\\\\"|"b"`, false},
		{"\n\nx\n", `""|""|"x"`, false},
		{"", "", false},
		{"1,\"a\nb\"\n2,c\n", `"1,\"a\nb\""|"2,c"`, true},
		{"1,\"a\"\"\n\"\n2\n", `"1,\"a\"\"\n\""|"2"`, true},
		{"a\r\nb\r\n", `"a"|"b"`, true},
	} {
		for n := 1; n <= len(c.text)+1; n++ {
			if got := lines(c.text, n, c.csv); got != c.want {
				t.Fatalf("%q in pieces of %d (csv %v): got %s, want %s", c.text, n, c.csv, got, c.want)
			}
		}
	}
}

func fields(o options, columns int, line string) string {
	l := &loader{p: &Copy{o: o}}
	for i := range columns {
		l.p.columns = append(l.p.columns, column{name: string(rune('a' + i))})
	}
	if err := l.split([]byte(line)); err != nil {
		return err.Error()
	}
	var out []string
	for _, f := range l.fields {
		if f.null {
			out = append(out, "NULL")
		} else {
			out = append(out, fmt.Sprintf("%q", f.b))
		}
	}
	return strings.Join(out, "|")
}

func TestFields(t *testing.T) {
	text := options{delim: '\t', null: `\N`}
	csv := options{format: formatCSV, delim: ',', quote: '"', escape: '"'}
	for _, c := range []struct {
		o          options
		line, want string
	}{
		{text, "1\t\\N\t", `"1"|NULL|""`},
		{text, "a\\tb\tc\\\\\td", `"a\tb"|"c\\"|"d"`},
		{text, `\101\x42\x4g` + "\t" + `\\N`, `"AB\x04g"|"\\N"`},
		{csv, `1,"a""b",`, `"1"|"a\"b"|NULL`},
		{csv, `"",x"y,z"`, `""|"xy,z"`},
		{csv, `a,b,`, `"a"|"b"|NULL`},
	} {
		if got := fields(c.o, 3, c.line); got != c.want {
			t.Errorf("%q: got %s, want %s", c.line, got, c.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("a\tb\\n", true)
	f.Add("\"a\"\"b\",c", false)
	f.Fuzz(func(t *testing.T, line string, csv bool) {
		o := options{delim: '\t', null: `\N`}
		if csv {
			o = options{format: formatCSV, delim: ',', quote: '"', escape: '\\'}
		}
		fields(o, 2, line)
		lines(line, 3, csv)
	})
}
