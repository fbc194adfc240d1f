package wal

import (
	"manifold/engine/compression"
	"manifold/engine/page"
	"manifold/engine/pgerror"
)

// packing is how an image is compressed, as the block header has it: zero is not at all, else one more than the method.
type packing uint8

const unpacked packing = 0

func packingOf(m compression.Method) packing { return packing(m) + 1 }

func (p packing) method() compression.Method { return compression.Method(p - 1) }

// known tells whether a header's byte is a packing.
func (p packing) known() bool { return p <= packingOf(compression.Zstd) }

// Packing gives a value of wal_compression the form that LogTuning has it in.
func Packing(setting string) uint8 {
	switch setting {
	case "pglz", "on":
		return uint8(packingOf(compression.PGLZ))
	case "lz4":
		return uint8(packingOf(compression.LZ4))
	case "zstd":
		return uint8(packingOf(compression.Zstd))
	}
	return uint8(unpacked)
}

// pack compresses the page without its hole; false when that does not make it smaller.
func (k *builderBlock) pack(b *Builder, p packing) bool {
	b.flat = append(append(b.flat[:0], k.page[:k.hole]...), k.page[int(k.hole)+int(k.hlen):page.Size]...)
	var ok bool
	k.packed, ok = compression.Append(k.packed[:0], b.flat, p.method())
	return ok && len(k.packed) < len(b.flat)
}

// unpack gives the bytes of an image without its hole.
func (b *BlockRef) unpack() ([]byte, error) {
	if b.packing == unpacked {
		return b.image, nil
	}
	out := make([]byte, page.Size-b.hlen)
	return out, b.decompress(out)
}

// decompress fills out with a compressed image.
func (b *BlockRef) decompress(out []byte) error {
	if err := compression.Decode(out, b.image, b.packing.method()); err != nil {
		return pgerror.Corrupt("could not restore image of page %s: could not decompress image with %s", b.Tag, b.packing.method())
	}
	return nil
}
