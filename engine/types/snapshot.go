package types

import (
	"encoding/binary"
	"math"
	"strconv"
)

// A value of pg_snapshot (and txid_snapshot) is xmin, xmax and the ids between them that are not seen, ascending: eight bytes each, big
// end first.

// MakeSnapshot makes a pg_snapshot of xmin, xmax and the ids from xmin to below xmax that it does not see, ascending.
func MakeSnapshot(xmin, xmax uint64, unseen []uint64) Datum {
	b := make([]byte, 0, 16+8*len(unseen))
	b = binary.BigEndian.AppendUint64(b, xmin)
	b = binary.BigEndian.AppendUint64(b, xmax)
	for _, x := range unseen {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return Datum{B: b}
}

// OpenSnapshot gives what MakeSnapshot has put together.
func OpenSnapshot(d Datum) (xmin, xmax uint64, unseen []uint64) {
	for i := 16; i+8 <= len(d.B); i += 8 {
		unseen = append(unseen, binary.BigEndian.Uint64(d.B[i:]))
	}
	return binary.BigEndian.Uint64(d.B), binary.BigEndian.Uint64(d.B[8:]), unseen
}

// validBounds tells whether xmin and xmax can be those of a snapshot: an id whose low half is zero does not exist.
func validBounds(xmin, xmax uint64) bool {
	return uint32(xmin) != 0 && uint32(xmax) != 0 && xmin <= xmax
}

// nextUnseen adds an id to those that are not seen, once; false when it is not in order.
func nextUnseen(unseen []uint64, x, xmin, xmax uint64) ([]uint64, bool) {
	n := len(unseen)
	switch {
	case x < xmin || x >= xmax || n > 0 && x < unseen[n-1]:
		return nil, false
	case n > 0 && x == unseen[n-1]:
		return unseen, true
	}
	return append(unseen, x), true
}

// parseSnapshot reads xmin:xmax:unseen,unseen,...
func parseSnapshot(s string) (Datum, error) {
	bad := syntaxError("pg_snapshot", s)
	xmin, rest := leadingUint(s)
	if rest == "" || rest[0] != ':' {
		return Null, bad
	}
	xmax, rest := leadingUint(rest[1:])
	if rest == "" || rest[0] != ':' || !validBounds(xmin, xmax) {
		return Null, bad
	}
	var unseen []uint64
	for rest = rest[1:]; rest != ""; {
		var x uint64
		x, rest = leadingUint(rest)
		var ok bool
		if unseen, ok = nextUnseen(unseen, x, xmin, xmax); !ok {
			return Null, bad
		}
		if rest != "" {
			if rest[0] != ',' {
				return Null, bad
			}
			rest = rest[1:]
		}
	}
	return MakeSnapshot(xmin, xmax, unseen), nil
}

// leadingUint reads a number as the C library's strtoull does: spaces and a sign before it, zero when there is none, the greatest when
// it is too large.
func leadingUint(s string) (v uint64, rest string) {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
		i++
	}
	negative := i < len(s) && s[i] == '-'
	if negative || i < len(s) && s[i] == '+' {
		i++
	}
	end := i
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	if end == i {
		return 0, s
	}
	v, err := strconv.ParseUint(s[i:end], 10, 64)
	switch {
	case err != nil:
		v = math.MaxUint64
	case negative:
		v = -v
	}
	return v, s[end:]
}

func appendSnapshot(dst []byte, d Datum) []byte {
	xmin, xmax, unseen := OpenSnapshot(d)
	dst = append(appendUint(dst, xmin), ':')
	dst = append(appendUint(dst, xmax), ':')
	for i, x := range unseen {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUint(dst, x)
	}
	return dst
}

// recvSnapshot reads the number of ids in four bytes, then xmin, xmax and the ids.
func recvSnapshot(r *reader) (Datum, error) {
	bad := badBinary("external pg_snapshot data")
	n := r.i32()
	if n < 0 || int(n) > len(r.b)/8 {
		return Null, bad
	}
	xmin, xmax := uint64(r.i64()), uint64(r.i64())
	if r.failed || !validBounds(xmin, xmax) {
		return Null, bad
	}
	var unseen []uint64
	for ; n > 0; n-- {
		var ok bool
		if unseen, ok = nextUnseen(unseen, uint64(r.i64()), xmin, xmax); !ok {
			return Null, bad
		}
	}
	return r.done(MakeSnapshot(xmin, xmax, unseen))
}

func sendSnapshot(dst []byte, d Datum) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(d.B)/8-2))
	return append(dst, d.B...)
}
