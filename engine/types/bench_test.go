package types

import "testing"

// BenchmarkHotCodecs measures what runs once a value on the wire; none may allocate but numeric.
func BenchmarkHotCodecs(b *testing.B) {
	env := NewEnv()
	var buf [64]byte
	for _, c := range []struct {
		name, in string
		oid      int
	}{{"int4", "123456", 23}, {"text", "hello world", 25}, {"float8", "3.14159", 701}, {"timestamp", "2024-01-02 03:04:05.678", 1114},
		{"numeric", "1234.56", 1700}} {
		info, _ := Lookup(infoTable[0].OID)
		for i := range infoTable {
			if int(infoTable[i].OID) == c.oid {
				info = &infoTable[i]
			}
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, err := In(info.OID, -1, c.in, env)
				if err != nil {
					b.Fatal(err)
				}
				AppendText(buf[:0], info.OID, d, env)
			}
		})
	}
	key, err := AppendKey(nil, OIDInt8, Int(42), false, false)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			key, _ = AppendKey(key[:0], OIDInt8, Int(42), false, false)
		}
	})
}
