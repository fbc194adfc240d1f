package types

import (
	"testing"

	"manifold/engine/base"
)

func fuzzTypes() []base.OID {
	var out []base.OID
	for i := range infoTable {
		if infoTable[i].Kind == 'b' {
			out = append(out, infoTable[i].OID)
		}
	}
	return out
}

// FuzzIn reads any text as any type; what is taken must print and read back as an equal value.
func FuzzIn(f *testing.F) {
	for i, s := range []string{"1", "2024-01-02 03:04:05+01", "{1,2}", "1 day", "1e10", `{"a":[1]}`, "(0,1)", "\\x00", "Jan 8 1999", "P1Y"} {
		f.Add(uint16(i), s)
	}
	list := fuzzTypes()
	env := NewEnv()
	f.Fuzz(func(t *testing.T, n uint16, s string) {
		typ := list[int(n)%len(list)]
		d, err := In(typ, -1, s, env)
		if err != nil {
			return
		}
		text := string(AppendText(nil, typ, d, env))
		back, err := In(typ, -1, text, env)
		if err != nil {
			t.Fatalf("%s: %q prints as %q, which fails: %v", FormatType(typ, -1), s, text, err)
		}
		if !Equal(typ, d, back) || Hash(typ, d) != Hash(typ, back) {
			t.Fatalf("%s: %q prints as %q, which is another value", FormatType(typ, -1), s, text)
		}
		if key, err := AppendKey(nil, typ, d, true, true); err == nil && KeyExact(typ) {
			if _, rest, err := DecodeKey(key, typ, true, true); err != nil || len(rest) != 0 {
				t.Fatalf("%s: key of %q: %v", FormatType(typ, -1), s, err)
			}
		}
	})
}

// FuzzRecv reads any bytes as any type; what is taken must print and send.
func FuzzRecv(f *testing.F) {
	f.Add(uint16(1), []byte{0, 0, 0, 1})
	f.Add(uint16(40), []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5})
	f.Add(uint16(30), []byte{0, 1, 0, 0, 0, 0, 0, 2, 0, 1})
	list := fuzzTypes()
	env := NewEnv()
	f.Fuzz(func(t *testing.T, n uint16, b []byte) {
		typ := list[int(n)%len(list)]
		d, err := Recv(typ, -1, b, env)
		if err != nil {
			return
		}
		AppendText(nil, typ, d, env)
		if _, err := AppendBinary(nil, typ, d, env); err != nil {
			t.Fatalf("%s: %v", FormatType(typ, -1), err)
		}
	})
}

// FuzzDecodeKey reads any bytes as a key of any exact type.
func FuzzDecodeKey(f *testing.F) {
	f.Add(uint16(1), true, []byte{1, 2, 3})
	list := fuzzTypes()
	f.Fuzz(func(t *testing.T, n uint16, desc bool, b []byte) {
		typ := list[int(n)%len(list)]
		if KeyExact(typ) {
			if d, _, err := DecodeKey(b, typ, desc, false); err == nil && !d.Null {
				AppendText(nil, typ, d, nil)
			}
		}
	})
}
