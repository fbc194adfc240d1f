package compression

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawValue(t *rapid.T) []byte {
	parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 5).Draw(t, "parts")
	var out []byte
	for range rapid.IntRange(0, 400).Draw(t, "count") {
		out = append(out, rapid.SampledFrom(parts).Draw(t, "part")...)
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := drawValue(t)
		for _, m := range []Method{PGLZ, LZ4, Zstd} {
			c, ok := Append([]byte("head"), src, m)
			if !ok {
				continue
			}
			if string(c[:4]) != "head" || len(c)-4 >= len(src) {
				t.Fatalf("%v: %d bytes of %d", m, len(c)-4, len(src))
			}
			got := make([]byte, len(src))
			if err := Decode(got, c[4:], m); err != nil || !bytes.Equal(got, src) {
				t.Fatalf("%v: %v", m, err)
			}
		}
	})
}

func TestWorthIt(t *testing.T) {
	long := []byte(strings.Repeat("a", 300_000))
	for _, m := range []Method{PGLZ, LZ4, Zstd} {
		c, ok := Append(nil, long, m)
		if !ok || len(c) > 3000 {
			t.Fatalf("%v: %v, %d bytes", m, ok, len(c))
		}
		if _, ok := Append(nil, long[:20], m); ok {
			t.Fatalf("%v compresses what is short", m)
		}
	}
}

// FuzzDecode: damaged bytes are an error or some bytes, and never go out of bounds.
func FuzzDecode(f *testing.F) {
	c, _ := Append(nil, []byte(strings.Repeat("one two three ", 100)), PGLZ)
	f.Add(c, uint16(1400), byte(0))
	f.Fuzz(func(_ *testing.T, src []byte, n uint16, m byte) {
		_ = Decode(make([]byte, n), src, Method(m%3))
	})
}

func BenchmarkPGLZ(b *testing.B) {
	src := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog, number 42; ", 1000))
	b.SetBytes(int64(len(src)))
	var dst []byte
	for range b.N {
		dst, _ = Append(dst[:0], src, PGLZ)
	}
}
