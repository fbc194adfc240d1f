package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// body reads the fields of a message. The first error stays; reads after it give zeros.
type body struct {
	b   []byte
	err error
}

func (m *body) fail(text string) {
	if m.err == nil {
		m.err = pgerror.New(pgerror.ProtocolViolation, text)
	}
	m.b = nil
}

func (m *body) byte() byte {
	if len(m.b) < 1 {
		m.fail("no data left in message")
		return 0
	}
	v := m.b[0]
	m.b = m.b[1:]
	return v
}

func (m *body) int16() int16 {
	if len(m.b) < 2 {
		m.fail("insufficient data left in message")
		return 0
	}
	v := int16(binary.BigEndian.Uint16(m.b))
	m.b = m.b[2:]
	return v
}

func (m *body) int32() int32 {
	if len(m.b) < 4 {
		m.fail("insufficient data left in message")
		return 0
	}
	v := int32(binary.BigEndian.Uint32(m.b))
	m.b = m.b[4:]
	return v
}

// bytes gives the next n bytes without copying.
func (m *body) bytes(n int) []byte {
	if n < 0 || len(m.b) < n {
		m.fail("insufficient data left in message")
		return nil
	}
	v := m.b[:n:n]
	m.b = m.b[n:]
	return v
}

// raw gives the bytes of a string without its terminator.
func (m *body) raw() []byte {
	i := bytes.IndexByte(m.b, 0)
	if i < 0 {
		m.fail("invalid string in message")
		return nil
	}
	v := m.b[:i]
	m.b = m.b[i+1:]
	return v
}

// text reads a string in UTF-8. When it is the same as the last one of its field, that is given without a copy.
func (m *body) text(last string) string {
	b := m.raw()
	if string(b) == last {
		return last
	}
	if err := CheckText(b); err != nil && m.err == nil {
		m.err, m.b = err, nil
	}
	return string(b)
}

// count reads the number of elements that follow, each of at least size bytes.
func (m *body) count(size int) int {
	n := int(uint16(m.int16()))
	if n*size > len(m.b) {
		m.fail("insufficient data left in message")
		return 0
	}
	return n
}

// int16s reads a counted list. The last one is given again when it is the same, and is never written to: who keeps a list
// may keep it for good.
func (m *body) int16s(last []int16) []int16 {
	n := m.count(2)
	b := m.bytes(2 * n)
	same := n == len(last)
	for i := 0; same && i < n; i++ {
		same = last[i] == int16(binary.BigEndian.Uint16(b[2*i:]))
	}
	if same {
		return last
	}
	list := make([]int16, n)
	for i := range list {
		list[i] = int16(binary.BigEndian.Uint16(b[2*i:]))
	}
	return list
}

// oids is int16s for OIDs.
func (m *body) oids(last []base.OID) []base.OID {
	n := m.count(4)
	b := m.bytes(4 * n)
	same := n == len(last)
	for i := 0; same && i < n; i++ {
		same = last[i] == base.OID(binary.BigEndian.Uint32(b[4*i:]))
	}
	if same {
		return last
	}
	list := make([]base.OID, n)
	for i := range list {
		list[i] = base.OID(binary.BigEndian.Uint32(b[4*i:]))
	}
	return list
}

// end tells what was wrong; bytes left over are.
func (m *body) end() error {
	if m.err == nil && len(m.b) > 0 {
		m.fail("invalid message format")
	}
	return m.err
}

// CheckText refuses bytes that are not UTF-8 or hold a zero, with PostgreSQL's 22021.
func CheckText(b []byte) error {
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 {
		return nil
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 || b[i] == 0 {
			return badText(b[i:])
		}
		i += n
	}
	return nil
}

func badText(b []byte) error {
	n := 1
	switch {
	case b[0] >= 0xF0 && b[0] < 0xF8:
		n = 4
	case b[0] >= 0xE0:
		n = 3
	case b[0] >= 0xC0:
		n = 2
	}
	if b[0] >= 0xF8 {
		n = 1
	}
	var list []byte
	for i, c := range b[:min(n, len(b))] {
		if i > 0 {
			list = append(list, ' ')
		}
		list = fmt.Appendf(list, "0x%02x", c)
	}
	return pgerror.Newf(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", list)
}
