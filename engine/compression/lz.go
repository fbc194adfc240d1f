package compression

import "encoding/binary"

// The LZ format: groups of a control byte and eight items, lowest bit first. A clear bit is a literal byte; a set bit is a
// match: two bytes of distance (little-endian, from one), a byte of length less minMatch; length byte 255 is followed by
// two more bytes that are added to it.
const (
	minMatch    = 4
	maxDistance = 1<<16 - 1
	longMatch   = 255
	maxMatch    = minMatch + longMatch + 1<<16 - 1
	hashBits    = 12
)

func hash4(b []byte) uint32 { return binary.LittleEndian.Uint32(b) * 2654435761 >> (32 - hashBits) }

// appendLZ appends src in the LZ format, giving up when it grows beyond limit bytes.
func appendLZ(dst, src []byte, limit int) ([]byte, bool) {
	var table [1 << hashBits]int32 // place+1 of the last four bytes of a hash
	limit += len(dst)
	control, bit := -1, uint(8)
	for i := 0; i < len(src); {
		if bit == 8 {
			control, bit = len(dst), 0
			dst = append(dst, 0)
		}
		length, distance := 0, 0
		if i+minMatch <= len(src) {
			h := hash4(src[i:])
			if at := int(table[h]) - 1; at >= 0 && i-at <= maxDistance {
				length, distance = matchLength(src, at, i), i-at
			}
			table[h] = int32(i + 1)
		}
		if length < minMatch {
			dst = append(dst, src[i])
			i++
		} else {
			dst[control] |= 1 << bit
			dst = binary.LittleEndian.AppendUint16(dst, uint16(distance))
			if n := length - minMatch; n < longMatch {
				dst = append(dst, byte(n))
			} else {
				dst = append(dst, longMatch)
				dst = binary.LittleEndian.AppendUint16(dst, uint16(n-longMatch))
			}
			for k := i + 1; k < i+length && k+minMatch <= len(src); k += 1 + length>>6 {
				table[hash4(src[k:])] = int32(k + 1)
			}
			i += length
		}
		bit++
		if len(dst) > limit {
			return dst, false
		}
	}
	return dst, true
}

func matchLength(src []byte, a, b int) int {
	n, most := 0, min(len(src)-b, maxMatch)
	for n+8 <= most && binary.LittleEndian.Uint64(src[a+n:]) == binary.LittleEndian.Uint64(src[b+n:]) {
		n += 8
	}
	for n < most && src[a+n] == src[b+n] {
		n++
	}
	return n
}

// decodeLZ fills dst from src and tells whether src made exactly its length.
func decodeLZ(dst, src []byte) bool {
	at := 0
	for i := 0; i < len(src); {
		control := src[i]
		i++
		for bit := 0; bit < 8 && i < len(src); bit++ {
			if control&(1<<bit) == 0 {
				if at == len(dst) {
					return false
				}
				dst[at] = src[i]
				at, i = at+1, i+1
				continue
			}
			if i+3 > len(src) {
				return false
			}
			distance, length := int(binary.LittleEndian.Uint16(src[i:])), int(src[i+2])
			i += 3
			if length == longMatch {
				if i+2 > len(src) {
					return false
				}
				length += int(binary.LittleEndian.Uint16(src[i:]))
				i += 2
			}
			length += minMatch
			if distance == 0 || distance > at || length > len(dst)-at {
				return false
			}
			for length > 0 { // a match may overlap itself
				n := copy(dst[at:at+min(length, distance)], dst[at-distance:])
				at, length = at+n, length-n
			}
		}
	}
	return at == len(dst)
}
