package bootstrap

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed facts/*.tsv facts/own/*.tsv
var files embed.FS

// Facts is the built-in rows of one catalog: values in their text form, Null for null.
type Facts struct {
	Columns []string
	Rows    [][]string
}

// Null is the text of a null value in Facts.
const Null = "\x00null"

// Load reads the facts of a catalog: PostgreSQL's, and those that this engine has in addition. It panics when there are none:
// that is a bug of the build.
func Load(catalog string) Facts {
	data, err := files.ReadFile("facts/" + catalog + ".tsv")
	if err != nil {
		panic(fmt.Sprintf("no facts for catalog %s", catalog))
	}
	f := parse(data)
	if own, err := files.ReadFile("facts/own/" + catalog + ".tsv"); err == nil {
		f.Rows = append(f.Rows, parse(own).Rows...) // of the same columns
	}
	return f
}

func parse(data []byte) Facts {
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	f := Facts{Columns: strings.Split(lines[0], "\t"), Rows: make([][]string, 0, len(lines)-1)}
	for _, l := range lines[1:] {
		row := strings.Split(l, "\t")
		for i, v := range row {
			row[i] = unescape(v)
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// Column gives the position of a column, or -1.
func (f *Facts) Column(name string) int {
	for i, c := range f.Columns {
		if c == name {
			return i
		}
	}
	return -1
}

var unescapes = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\b`, "\b", `\f`, "\f", `\v`, "\v")

func unescape(v string) string {
	if v == `\N` {
		return Null
	}
	if strings.IndexByte(v, '\\') < 0 {
		return v
	}
	return unescapes.Replace(v)
}
