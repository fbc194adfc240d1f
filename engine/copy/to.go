package copy

import (
	"bytes"
	"encoding/binary"

	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// unloader forms the rows of COPY TO.
type unloader struct {
	p     *Copy
	out   Writer
	row   []byte
	value []byte
	size  int64  // of the rows of a batch
	plain []bool // by column: its text never needs escaping
}

// To writes the rows of the table or query to out; it gives their number.
func (p *Copy) To(out Writer) (int64, error) {
	defer p.show(toClient)()
	u := &unloader{p: p, out: out}
	for _, c := range p.columns {
		u.plain = append(u.plain, neverEscaped(&c))
	}
	if err := u.begin(); err != nil {
		return 0, err
	}
	n, err := u.run(p.query)
	if err != nil {
		return 0, err
	}
	if p.o.format == formatBinary {
		return n, out.Write([]byte{0xff, 0xff})
	}
	return n, nil
}

// neverEscaped tells whether values of a column are digits and signs only.
func neverEscaped(c *column) bool {
	switch c.typ {
	case types.OIDInt2, types.OIDInt4, types.OIDInt8, types.OIDOID, types.OIDBool, types.OIDUUID:
		return true
	}
	return false
}

// begin writes the header.
func (u *unloader) begin() error {
	o := &u.p.o
	if o.format == formatBinary {
		return u.out.Write(append([]byte(signature), 0, 0, 0, 0, 0, 0, 0, 0))
	}
	if !o.header {
		return nil
	}
	u.row = u.row[:0]
	for i, c := range u.p.columns {
		if i > 0 {
			u.row = append(u.row, o.delim)
		}
		if o.format == formatCSV {
			u.row = u.appendCSV(u.row, []byte(c.name), false)
		} else {
			u.row = appendEscaped(u.row, []byte(c.name), o.delim)
		}
	}
	return u.out.Write(append(u.row, '\n'))
}

func (u *unloader) run(p *plan.Statement) (int64, error) {
	c := u.p.c
	in, err := c.Builder.NewInstance(p, false)
	if err != nil {
		return 0, err
	}
	x := c.NewExec()
	env := in.Env()
	env.Ctx, env.Values, env.External = x.Eval.Ctx, x.Eval.Values, x.Eval.External
	if err := in.Start(x); err != nil {
		in.Stop()
		return 0, err
	}
	defer in.Stop()
	n := int64(0)
	for {
		b, err := in.Next(x, vector.BatchSize)
		if err != nil || b == nil {
			return n, err
		}
		if err := c.Task.Breathe(); err != nil {
			return n, err
		}
		for k := range b.Live() {
			if err := u.one(b, b.Lane(k)); err != nil {
				return n, err
			}
			u.size += int64(len(u.row))
			n++
		}
		u.p.shown.Add(shownBytes, u.size)
		u.p.shown.Set(shownRows, n)
		u.size = 0
	}
}

func (u *unloader) one(b *vector.Batch, lane int) error {
	u.row = u.row[:0]
	if u.p.o.format == formatBinary {
		return u.binary(b, lane)
	}
	o, env := &u.p.o, u.p.c.Env
	for i := range u.p.columns {
		if i > 0 {
			u.row = append(u.row, o.delim)
		}
		d := b.Cols[i].Get(lane)
		if d.Null {
			u.row = append(u.row, o.null...)
			continue
		}
		typ := u.p.columns[i].typ
		if u.plain[i] && o.format == formatText {
			u.row = types.AppendText(u.row, typ, d, env)
			continue
		}
		u.value = types.AppendText(u.value[:0], typ, d, env)
		if o.format == formatCSV {
			u.row = u.appendCSV(u.row, u.value, o.forceQuote.has(u.p.columns[i].name))
		} else {
			u.row = appendEscaped(u.row, u.value, o.delim)
		}
	}
	u.row = append(u.row, '\n')
	return u.out.Write(u.row)
}

func (u *unloader) binary(b *vector.Batch, lane int) error {
	u.row = binary.BigEndian.AppendUint16(u.row, uint16(len(u.p.columns)))
	for i := range u.p.columns {
		d := b.Cols[i].Get(lane)
		if d.Null {
			u.row = append(u.row, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(u.row)
		u.row = append(u.row, 0, 0, 0, 0)
		var err error
		if u.row, err = types.AppendBinary(u.row, u.p.columns[i].typ, d, u.p.c.Env); err != nil {
			return err
		}
		n := len(u.row) - at - 4
		if n > maxLine {
			return pgerror.New(pgerror.ProgramLimitExceeded, "value is too long for COPY")
		}
		binary.BigEndian.PutUint32(u.row[at:], uint32(n))
	}
	return u.out.Write(u.row)
}

// appendEscaped appends a value of the text format.
func appendEscaped(dst, b []byte, delim byte) []byte {
	start := 0
	for i, c := range b {
		e := byte(0)
		switch {
		case c == '\\':
			e = c
		case c >= ' ':
			if c != delim {
				continue
			}
			e = c
		case c == '\b':
			e = 'b'
		case c == '\f':
			e = 'f'
		case c == '\n':
			e = 'n'
		case c == '\r':
			e = 'r'
		case c == '\t':
			e = 't'
		case c == '\v':
			e = 'v'
		case c == delim:
			e = c
		default:
			continue
		}
		dst = append(append(dst, b[start:i]...), '\\', e)
		start = i + 1
	}
	return append(dst, b[start:]...)
}

// appendCSV appends a value of the CSV format, quoted when it has to be.
func (u *unloader) appendCSV(dst, b []byte, force bool) []byte {
	o := &u.p.o
	if !force {
		force = string(b) == o.null || len(u.p.columns) == 1 && string(b) == `\.`
		for _, c := range b {
			if c == o.delim || c == o.quote || c == '\n' || c == '\r' {
				force = true
				break
			}
		}
	}
	if !force {
		return append(dst, b...)
	}
	dst = append(dst, o.quote)
	if bytes.IndexByte(b, o.quote) < 0 && bytes.IndexByte(b, o.escape) < 0 {
		dst = append(dst, b...)
	} else {
		for _, c := range b {
			if c == o.quote || c == o.escape {
				dst = append(dst, o.escape)
			}
			dst = append(dst, c)
		}
	}
	return append(dst, o.quote)
}
