package copy

import (
	"bytes"
	"unicode/utf8"

	"manifold/engine/exec"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// A batch of rows is written when it has this many rows or bytes.
const (
	batchRows  = 1000
	batchBytes = 64 << 10
)

// loader writes the rows of COPY FROM.
type loader struct {
	p      *Copy
	x      *exec.Context
	target *exec.Target
	src    source

	fields   []field // of the line at hand
	unescape []byte  // what fields with escapes became; lives as long as the batch
	slab     []types.Datum
	rows     [][]types.Datum
	size     int // bytes of the batch
	line     int64
	lines    []int64 // of the rows of the batch
	text     []byte  // the line at hand, for errors
	count    int64

	defaults []columnDefault
	where    []eval.Node
	frame    eval.Frame
	row      vector.Batch
}

// field is one value of a line.
type field struct {
	b    []byte
	null bool
}

// columnDefault fills a column that the stream leaves out.
type columnDefault struct {
	attr     int
	node     eval.Node // nil for an identity column
	sequence uint32
}

// From reads rows from in and writes them to the table; it gives their number.
func (p *Copy) From(in Reader) (int64, error) {
	if p.refused != nil {
		return 0, p.refused
	}
	l := p.loader
	l.x = p.c.NewExec()
	defer p.show(fromClient)()
	l.src = source{in: in, buf: make([]byte, 0, bufferSize), full: l.flush, shown: p.shown}
	l.frame = eval.Frame{Env: l.x.Eval, Outer: &l.row}
	l.target.Reset(l.x)
	if err := l.load(); err != nil {
		return 0, l.locate(err)
	}
	if err := l.flush(); err != nil {
		return 0, err
	}
	return l.count, l.src.drainUnlessEOF()
}

func (s *source) drainUnlessEOF() error {
	if s.eof {
		return nil
	}
	return s.drain()
}

// locate adds the place in the input to an error, unless it has one.
func (l *loader) locate(err error) error {
	e := pgerror.From(err)
	if e.Where == "" && l.line > 0 {
		if l.text != nil {
			e = e.WithWhere("COPY %s, line %d: \"%s\"", l.p.rel.Name, l.line, shorten(l.text))
		} else {
			e = e.WithWhere("COPY %s, line %d", l.p.rel.Name, l.line)
		}
	}
	return e
}

// shorten cuts what an error shows of the input.
func shorten(b []byte) []byte {
	const most = 100
	if len(b) <= most {
		return b
	}
	n := most
	for n > 0 && b[n]&0xC0 == 0x80 {
		n--
	}
	return append(bytes.Clone(b[:n]), "..."...)
}

// prepare compiles the defaults, the condition and the target.
func (l *loader) prepare() error {
	p, d := l.p, l.p.rel
	k := &eval.Compiler{Lookup: p.c.Builder.Lookup, Name: p.c.Builder.Name, Fixed: p.c.Builder.Fixed}
	given := make([]bool, len(d.Columns)+1)
	for _, c := range p.columns {
		given[c.attr] = true
	}
	var generated []plan.Generated
	for i := range d.Columns {
		c := &d.Columns[i]
		switch {
		case c.Dropped || given[i+1] && c.Generated == 0:
		case c.Identity != 0:
			seq, err := p.identitySequence(d.OID, i+1)
			if err != nil {
				return err
			}
			l.defaults = append(l.defaults, columnDefault{attr: i + 1, sequence: uint32(seq)})
		case c.HasDefault:
			text, err := p.c.View.DefaultExpr(d.OID, i+1)
			if err != nil || text == "" {
				return err
			}
			e, err := query.Unmarshal(text)
			if err != nil {
				return err
			}
			e = overRow(e)
			if c.Generated != 0 {
				generated = append(generated, plan.Generated{Attr: i + 1, Expr: e})
				continue
			}
			n, err := k.Compile(e)
			if err != nil {
				return err
			}
			l.defaults = append(l.defaults, columnDefault{attr: i + 1, node: n})
		}
	}
	if p.stmt.WhereClause != nil {
		e, err := analyze.Expression(p.c.options(), p.stmt.WhereClause, analyze.RelationEntry(d), "COPY FROM WHERE conditions", types.OIDBool, -1)
		if err != nil {
			return err
		}
		n, err := k.Compile(overRow(e))
		if err != nil {
			return err
		}
		l.where = []eval.Node{n}
	}
	l.row.Cols = make([]vector.Vector, len(d.Columns))
	var err error
	if l.target, err = p.c.Builder.NewTarget(d, generated); err != nil {
		return err
	}
	l.target.Given = p.attrs()
	return nil
}

// overRow makes the columns of a stored expression those of a row.
func overRow(e query.Expr) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if v, ok := x.(*query.Var); ok && v.Attr > 0 {
			return &query.Col{T: v.T, N: v.Attr - 1}, true
		}
		return nil, false
	})
}

func (l *loader) load() error {
	if l.p.o.format == formatBinary {
		return l.loadBinary()
	}
	if l.p.o.header {
		if err := l.readHeader(); err != nil {
			return err
		}
	}
	for {
		line, ok, err := l.readLine()
		if err != nil || !ok {
			return err
		}
		if err := l.split(line); err != nil {
			return err
		}
		if err := l.checkCount(len(l.fields)); err != nil {
			return err
		}
		if err := l.addText(); err != nil {
			return err
		}
	}
}

// readLine takes the next line; false at the end of the data or at its marker.
func (l *loader) readLine() (line []byte, ok bool, err error) {
	l.line++
	l.text = nil
	if l.p.o.format == formatCSV {
		line, ok, err = l.src.csvLine(l.p.o.quote, l.p.o.escape)
	} else {
		line, ok, err = l.src.line()
	}
	l.text = line
	if err != nil || !ok {
		if err == nil {
			l.line = 0
		}
		return nil, false, err
	}
	if len(line) == 2 && line[0] == '\\' && line[1] == '.' {
		l.line = 0
		return nil, false, nil
	}
	if !utf8.Valid(line) || bytes.IndexByte(line, 0) >= 0 {
		return nil, false, badEncoding(line)
	}
	return line, true, nil
}

func badEncoding(b []byte) error {
	i := 0
	for i < len(b) && b[i] != 0 {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		i += n
	}
	text := ""
	if i < len(b) {
		for _, c := range b[i:min(len(b), i+max(1, utf8Length(b[i])))] {
			const digits = "0123456789abcdef"
			text += " 0x" + string([]byte{digits[c>>4], digits[c&15]})
		}
	}
	return pgerror.Newf(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\":%s", text)
}

// utf8Length gives the bytes that a character beginning so should have.
func utf8Length(c byte) int {
	switch {
	case c >= 0xF0 && c < 0xF8:
		return 4
	case c >= 0xE0:
		return 3
	case c >= 0xC0:
		return 2
	}
	return 1
}

func (l *loader) readHeader() error {
	line, ok, err := l.readLine()
	if err != nil || !ok || !l.p.o.headerMatch {
		return err
	}
	if err := l.split(line); err != nil {
		return err
	}
	cols := l.p.columns
	if len(l.fields) != len(cols) {
		return pgerror.Newf(pgerror.BadCopyFileFormat, "wrong number of fields in header line: got %d, expected %d", len(l.fields), len(cols))
	}
	for i, f := range l.fields {
		if f.null {
			return pgerror.Newf(pgerror.BadCopyFileFormat,
				"column name mismatch in header line field %d: got null value (\"%s\"), expected \"%s\"", i+1, l.p.o.null, cols[i].name)
		}
		if string(f.b) != cols[i].name {
			return pgerror.Newf(pgerror.BadCopyFileFormat, "column name mismatch in header line field %d: got \"%s\", expected \"%s\"",
				i+1, f.b, cols[i].name)
		}
	}
	return nil
}

func (l *loader) checkCount(n int) error {
	cols := l.p.columns
	if n > len(cols) {
		return pgerror.New(pgerror.BadCopyFileFormat, "extra data after last expected column")
	}
	if n < len(cols) {
		return pgerror.Newf(pgerror.BadCopyFileFormat, "missing data for column \"%s\"", cols[n].name)
	}
	return nil
}

// newRow takes a row of nulls from the batch's memory.
func (l *loader) newRow() []types.Datum {
	n := len(l.p.rel.Columns)
	if l.slab == nil {
		l.slab = make([]types.Datum, batchRows*n)
	}
	at := len(l.rows) * n
	row := l.slab[at : at+n : at+n]
	for i := range row {
		row[i] = types.Null
	}
	return row
}

// addText turns the fields of the line into a row.
func (l *loader) addText() error {
	row := l.newRow()
	env := l.p.c.Env
	for i := range l.fields {
		f, c := &l.fields[i], &l.p.columns[i]
		if f.null {
			continue
		}
		d, err := types.InBytes(c.typ, c.typmod, f.b, env)
		if err != nil {
			return pgerror.From(err).WithWhere("COPY %s, line %d, column %s: \"%s\"", l.p.rel.Name, l.line, c.name, shorten(f.b))
		}
		row[c.attr-1] = d
	}
	return l.add(row)
}

// add completes a row, checks it and puts it into the batch.
func (l *loader) add(row []types.Datum) error {
	if l.line%batchRows == 0 { // all may be left out by WHERE
		if err := l.p.c.Task.Breathe(); err != nil {
			return err
		}
	}
	for _, d := range l.defaults {
		if d.node == nil {
			v, err := l.x.Eval.Values.NextValue(d.sequence)
			if err != nil {
				return err
			}
			row[d.attr-1] = types.Int(v)
			continue
		}
		v, err := d.node.Eval(&l.frame, nil, 1)
		if err != nil {
			return err
		}
		row[d.attr-1] = v.Get(0).Clone()
	}
	if len(l.where) > 0 {
		keep, err := l.passes(row)
		if err != nil {
			return err
		}
		if !keep {
			l.p.shown.Add(shownExcluded, 1)
			return nil
		}
	}
	if err := l.target.Check(l.x, row); err != nil {
		return err
	}
	l.rows, l.lines = append(l.rows, row), append(l.lines, l.line)
	l.size += len(l.text)
	if len(l.rows) >= batchRows || l.size >= batchBytes {
		return l.flush()
	}
	return nil
}

func (l *loader) passes(row []types.Datum) (bool, error) {
	l.row.N = 1
	for i := range row {
		l.row.Cols[i].Reset(!l.p.rel.Columns[i].Fixed(), 1)
		l.row.Cols[i].Set(0, row[i])
	}
	v, err := l.where[0].Eval(&l.frame, nil, 1)
	if err != nil {
		return false, err
	}
	return v.Get(0).True(), nil
}

// flush writes the batch. Its memory may be used anew.
func (l *loader) flush() error {
	if len(l.rows) == 0 {
		return nil
	}
	if err := l.p.c.Task.Breathe(); err != nil {
		return err
	}
	n := len(l.rows)
	if err := l.target.InsertMany(l.x, l.rows); err != nil {
		at := min(max(l.target.Failed, 0), n-1)
		return pgerror.From(err).WithWhere("COPY %s, line %d", l.p.rel.Name, l.lines[at])
	}
	l.count += int64(n)
	l.p.shown.Set(shownRows, l.count)
	l.rows, l.lines, l.size = l.rows[:0], l.lines[:0], 0
	l.unescape = l.unescape[:0]
	l.x.Eval.Ctx.Reset()
	return nil
}
