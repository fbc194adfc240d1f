package copy

import (
	"encoding/binary"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// signature begins a stream in the binary format.
const signature = "PGCOPY\n\xff\r\n\x00"

func badBinary(what string) error { return pgerror.New(pgerror.BadCopyFileFormat, what) }

// loadBinary reads the binary format: a signature, flags, an extension, then rows of a count and sized fields.
func (l *loader) loadBinary() error {
	l.src.full = func() error { return nil } // fields are kept apart from the buffer
	b, err := l.src.bytes(len(signature))
	if err != nil {
		return err
	}
	if string(b) != signature {
		return badBinary("COPY file signature not recognized")
	}
	if b, err = l.src.bytes(8); err != nil {
		return err
	}
	if len(b) < 8 {
		return badBinary("invalid COPY file header (missing flags)")
	}
	if flags := binary.BigEndian.Uint32(b); flags&0xffff0000 != 0 {
		return badBinary("unrecognized critical flags in COPY file header")
	}
	n := int32(binary.BigEndian.Uint32(b[4:]))
	if n < 0 || n > maxLine {
		return badBinary("invalid COPY file header (missing length)")
	}
	if b, err = l.src.bytes(int(n)); err != nil {
		return err
	}
	if len(b) < int(n) {
		return badBinary("invalid COPY file header (wrong length)")
	}
	for {
		more, err := l.binaryRow()
		if err != nil || !more {
			return err
		}
	}
}

func (l *loader) binaryRow() (bool, error) {
	l.line++
	b, err := l.src.bytes(2)
	if err != nil {
		return false, err
	}
	if len(b) == 0 {
		return false, nil
	}
	if len(b) < 2 {
		return false, badBinary("unexpected EOF in COPY data")
	}
	n := int16(binary.BigEndian.Uint16(b))
	if n == -1 {
		if b, err = l.src.bytes(1); err == nil && len(b) > 0 {
			err = badBinary("received copy data after EOF marker")
		}
		return false, err
	}
	if int(n) != len(l.p.columns) {
		return false, pgerror.Newf(pgerror.BadCopyFileFormat, "row field count is %d, expected %d", n, len(l.p.columns))
	}
	row := l.newRow()
	for i := range l.p.columns {
		c := &l.p.columns[i]
		d, err := l.binaryField(c)
		if err != nil {
			return false, pgerror.From(err).WithWhere("COPY %s, line %d, column %s", l.p.rel.Name, l.line, c.name)
		}
		row[c.attr-1] = d
	}
	return true, l.add(row)
}

func (l *loader) binaryField(c *column) (types.Datum, error) {
	b, err := l.src.bytes(4)
	if err != nil {
		return types.Null, err
	}
	if len(b) < 4 {
		return types.Null, badBinary("unexpected EOF in COPY data")
	}
	n := int32(binary.BigEndian.Uint32(b))
	if n == -1 {
		return types.Null, nil
	}
	if n < 0 {
		return types.Null, badBinary("invalid field size")
	}
	if b, err = l.src.bytes(int(n)); err != nil {
		return types.Null, err
	}
	if len(b) < int(n) {
		return types.Null, badBinary("unexpected EOF in COPY data")
	}
	l.size += len(b)
	start := len(l.unescape)
	l.unescape = append(l.unescape, b...)
	own := l.unescape[start:len(l.unescape):len(l.unescape)]
	return types.Recv(c.typ, c.typmod, own, l.p.c.Env)
}
