package compression

import (
	"github.com/pierrec/lz4/v4"

	"manifold/engine/pgerror"
)

// Method is a way to compress; its number is stored with each value.
type Method uint8

// The methods.
const (
	PGLZ Method = 0
	LZ4  Method = 1
	Zstd Method = 2 // for pages in the log, not for values
)

// String gives the name that SQL has for the method.
func (m Method) String() string {
	switch m {
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return "pglz"
}

// Letter gives the method's letter in pg_attribute.attcompression.
func (m Method) Letter() byte {
	if m == LZ4 {
		return 'l'
	}
	return 'p'
}

// Named gives the method of a name.
func Named(name string) (Method, bool) {
	switch name {
	case "pglz":
		return PGLZ, true
	case "lz4":
		return LZ4, true
	}
	return 0, false
}

// smallest is the length below which nothing is compressed.
const smallest = 32

// Append appends the compressed form of src. It gives false, and dst as it was, when that is not worth it: pglz must save a
// quarter, the others anything.
func Append(dst, src []byte, m Method) ([]byte, bool) {
	if len(src) < smallest {
		return dst, false
	}
	start := len(dst)
	if m == Zstd {
		out := zstdEncoder().EncodeAll(src, dst)
		if len(out)-start >= len(src) {
			return out[:start], false
		}
		return out, true
	}
	if m == LZ4 {
		bound := lz4.CompressBlockBound(len(src))
		if cap(dst)-start < bound {
			dst = append(make([]byte, 0, start+bound), dst...)
		}
		n, err := lz4.CompressBlock(src, dst[start:start+bound], nil)
		if err != nil || n == 0 || n >= len(src)-2 {
			return dst[:start], false
		}
		return dst[:start+n], true
	}
	out, ok := appendLZ(dst, src, len(src)-len(src)/4)
	if !ok {
		return out[:start], false
	}
	return out, true
}

// Decode fills dst, which has the length of the original, from its compressed form.
func Decode(dst, src []byte, m Method) error {
	switch m {
	case PGLZ:
		if decodeLZ(dst, src) {
			return nil
		}
		return pgerror.Corrupt("compressed pglz data is corrupt")
	case LZ4:
		if n, err := lz4.UncompressBlock(src, dst); err == nil && n == len(dst) {
			return nil
		}
		return pgerror.Corrupt("compressed lz4 data is corrupt")
	case Zstd:
		if decodeZstd(dst, src) {
			return nil
		}
		return pgerror.Corrupt("compressed zstd data is corrupt")
	}
	return pgerror.Corrupt("invalid compression method id %d", m)
}
