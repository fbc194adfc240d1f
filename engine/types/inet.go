package types

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
)

// Families of addresses, as they are stored and sent.
const (
	familyIPv4 = 2
	familyIPv6 = 3
)

// Inet is an inet or cidr: an address and the number of its bits that name the network. It is stored as family, bits, and 4 or
// 16 bytes of address.
type Inet struct {
	Family byte
	Bits   uint8
	Addr   [16]byte // an IPv4 address has the first four
}

// OpenInet reads a stored value.
func OpenInet(d Datum) Inet {
	v := Inet{Family: familyIPv4}
	if len(d.B) > 2 {
		v.Family, v.Bits = d.B[0], d.B[1]
		copy(v.Addr[:], d.B[2:])
		v.Bits = min(v.Bits, uint8(v.MaxBits())) // whatever a damaged page says
	}
	return v
}

// IsIPv6 tells the family.
func (v *Inet) IsIPv6() bool { return v.Family == familyIPv6 }

// Size gives the bytes of the address.
func (v *Inet) Size() int {
	if v.Family == familyIPv6 {
		return 16
	}
	return 4
}

// MaxBits gives the bits of the address.
func (v *Inet) MaxBits() int { return 8 * v.Size() }

// Append gives the stored form.
func (v *Inet) Append(dst []byte) []byte {
	return append(append(dst, v.Family, v.Bits), v.Addr[:v.Size()]...)
}

// Datum gives the value in memory of its own.
func (v *Inet) Datum() Datum { return Datum{B: v.Append(make([]byte, 0, 18))} }

// Mask gives the network's mask as an address.
func (v *Inet) Mask() (m [16]byte) {
	for i := range v.Size() {
		if n := int(v.Bits) - 8*i; n > 0 {
			m[i] = ^byte(0xFF >> min(n, 8))
		}
	}
	return m
}

// Network gives the value with the bits outside of the network zero.
func (v *Inet) Network() Inet {
	m, out := v.Mask(), *v
	for i := range out.Addr {
		out.Addr[i] &= m[i]
	}
	return out
}

// Common gives how many leading bits two addresses share, at most n.
func (v *Inet) Common(o *Inet, n int) int {
	for i := 0; i < n; i += 8 {
		if x := v.Addr[i/8] ^ o.Addr[i/8]; x != 0 {
			return min(n, i+bits.LeadingZeros8(x))
		}
	}
	return n
}

// Within tells whether the networks are of one family, and v's is o's or a part of it.
func (v *Inet) Within(o *Inet) bool {
	return v.Family == o.Family && v.Bits >= o.Bits && v.Common(o, int(o.Bits)) == int(o.Bits)
}

// InetOf makes the value of an address that somebody connects from; false for a text that is none.
func InetOf(text string) (Datum, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return Null, false
	}
	a = a.Unmap().WithZone("")
	v := Inet{Family: familyIPv4, Bits: uint8(a.BitLen())}
	if a.Is6() {
		v.Family = familyIPv6
	}
	copy(v.Addr[:], a.AsSlice())
	return v.Datum(), true
}

// compareInet orders by family, network, length of the network, and address.
func compareInet(a, b *Datum) int {
	x, y := OpenInet(*a), OpenInet(*b)
	if c := int(x.Family) - int(y.Family); c != 0 {
		return c
	}
	n := int(min(x.Bits, y.Bits))
	if same := x.Common(&y, n); same < n {
		return int(x.Addr[same/8]) - int(y.Addr[same/8])
	}
	if c := int(x.Bits) - int(y.Bits); c != 0 {
		return c
	}
	return bytes.Compare(x.Addr[:], y.Addr[:])
}

// appendKeyInet writes family, the network filled up with zeros, its length, and the address.
func appendKeyInet(dst []byte, d Datum) []byte {
	v := OpenInet(d)
	net := v.Network()
	dst = append(append(dst, v.Family), net.Addr[:v.Size()]...)
	return append(append(dst, v.Bits), v.Addr[:v.Size()]...)
}

func decodeKeyInet(key []byte, descending bool) (Datum, []byte, error) {
	if len(key) == 0 {
		return Null, nil, corruptKey()
	}
	flip := byte(0)
	if descending {
		flip = 0xFF
	}
	v := Inet{Family: key[0] ^ flip}
	n := v.Size()
	if len(key) < 2+2*n || v.Family != familyIPv4 && v.Family != familyIPv6 {
		return Null, nil, corruptKey()
	}
	v.Bits = key[1+n] ^ flip
	for i := range n {
		v.Addr[i] = key[2+n+i] ^ flip
	}
	return v.Datum(), key[2+2*n:], nil
}

// parseInet reads an inet, or a cidr, whose address may be cut short and has no bits outside of its network.
func parseInet(s string, cidr bool) (Datum, error) {
	name := "inet"
	if cidr {
		name = "cidr"
	}
	bad := syntaxError(name, s)
	addr, length, hasLength := strings.Cut(s, "/")
	n := -1
	if hasLength {
		if n = smallNumber(length, 128); n < 0 {
			return Null, bad
		}
	}
	var v Inet
	var ok bool
	if strings.Contains(addr, ":") {
		v, ok = parseIPv6(addr, n)
	} else {
		v, ok = parseIPv4(addr, n, cidr)
	}
	if !ok {
		return Null, bad
	}
	if net := v.Network(); cidr && net != v {
		return Null, pgerror.Newf(pgerror.InvalidTextRepresentation, "invalid cidr value: \"%s\"", s).
			WithDetail("Value has bits set to right of mask.")
	}
	return v.Datum(), nil
}

// smallNumber reads a decimal number up to a limit; -1 for what is none.
func smallNumber(s string, most int) int {
	if s == "" || len(s) > 5 {
		return -1
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	if n > most {
		return -1
	}
	return n
}

func parseIPv6(s string, n int) (Inet, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return Inet{}, false
	}
	if n < 0 {
		n = 128
	}
	return Inet{Family: familyIPv6, Bits: uint8(n), Addr: a.As16()}, true
}

// parseIPv4 reads up to four octets, or for a cidr hexadecimal digits; n is the length of the network or -1.
func parseIPv4(s string, n int, cidr bool) (Inet, bool) {
	v := Inet{Family: familyIPv4}
	given := 0
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok && cidr && hex != "" {
		if given = (len(hex) + 1) / 2; given > 4 {
			return v, false
		}
		for i := range len(hex) {
			h := hexValue(hex[i])
			if h < 0 {
				return v, false
			}
			v.Addr[i/2] |= byte(h) << (4 * (1 - i%2))
		}
	} else {
		for _, octet := range strings.Split(s, ".") {
			o := smallNumber(octet, 255)
			if o < 0 || given == 4 {
				return v, false
			}
			v.Addr[given] = byte(o)
			given++
		}
	}
	switch {
	case n > 32 || n < 0 && !cidr && given < 4:
		return v, false
	case n < 0 && given == 4:
		n = 32
	case n < 0:
		n = max(classLength(v.Addr[0]), 8*given)
		if v.Addr[0] == 224 && n == 8 {
			n = 4
		}
	}
	v.Bits = uint8(n)
	return v, true
}

// classLength gives the length of a network that is named without one, from the days of classes.
func classLength(first byte) int {
	switch {
	case first >= 240:
		return 32
	case first >= 224:
		return 8
	case first >= 192:
		return 24
	case first >= 128:
		return 16
	}
	return 8
}

// AppendInet prints an inet: the length of the network only where it is not the address's whole, unless always is set.
func AppendInet(dst []byte, d Datum, always bool) []byte {
	v := OpenInet(d)
	dst = v.AppendHost(dst)
	if always || int(v.Bits) != v.MaxBits() {
		dst = strconv.AppendUint(append(dst, '/'), uint64(v.Bits), 10)
	}
	return dst
}

// AppendHost prints the address.
func (v *Inet) AppendHost(dst []byte) []byte {
	if v.Family == familyIPv6 {
		return v.appendWords(dst, 8, 2, 4)
	}
	return appendOctets(dst, v.Addr[:4])
}

func appendOctets(dst, octets []byte) []byte {
	for i, o := range octets {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(o), 10)
	}
	return dst
}

// appendWords prints the first words of an IPv6 address. Its longest run of zeros, if it has at least shortest, becomes "::";
// what looks like an embedded IPv4 address is printed as one, of so many octets.
func (v *Inet) appendWords(dst []byte, words, shortest, octets int) []byte {
	at, run := -1, 0
	for i := 0; i < words; i++ {
		j := i
		for j < words && v.word(j) == 0 {
			j++
		}
		if j-i > run {
			at, run = i, j-i
		}
		i = max(i, j-1)
	}
	if run < shortest {
		at = -1
	}
	embedded := at == 0 && words > 6 && (run == 6 || run == 5 && v.word(5) == 0xFFFF)
	for i := 0; i < words; i++ {
		switch {
		case i == at:
			dst = append(dst, ':', ':')
			i += run - 1
			continue
		case i > 0 && i != at+run || at < 0 && i > 0:
			dst = append(dst, ':')
		}
		if embedded && i == 6 {
			return appendOctets(dst, v.Addr[12:12+octets])
		}
		dst = strconv.AppendUint(dst, uint64(v.word(i)), 16)
	}
	return dst
}

func (v *Inet) word(i int) uint16 { return binary.BigEndian.Uint16(v.Addr[2*i:]) }

// AppendAbbreviated prints a cidr without the part of the address that is outside of the network.
func (v *Inet) AppendAbbreviated(dst []byte) []byte {
	n := int(v.Bits)
	if v.Family == familyIPv6 {
		dst = v.appendWords(dst, max(2, (n+15)/16), 1, max(1, (n-96+7)/8))
	} else {
		dst = appendOctets(dst, v.Addr[:max(1, (n+7)/8)])
	}
	return strconv.AppendInt(append(dst, '/'), int64(n), 10)
}

func recvInet(b []byte, cidr bool) (Datum, error) {
	name := "inet"
	if cidr {
		name = "cidr"
	}
	bad := func(what string) (Datum, error) {
		return Null, pgerror.Newf(pgerror.InvalidBinaryRepresentation, "invalid %s in external \"%s\" value", what, name)
	}
	if len(b) < 4 {
		return Null, pgerror.New(pgerror.ProtocolViolation, "insufficient data left in message")
	}
	v := Inet{Family: b[0], Bits: b[1]}
	switch {
	case v.Family != familyIPv4 && v.Family != familyIPv6:
		return bad("address family")
	case int(v.Bits) > v.MaxBits():
		return bad("bits")
	case int(b[3]) != v.Size():
		return bad("length")
	case len(b) != 4+v.Size():
		return Null, pgerror.New(pgerror.ProtocolViolation, "insufficient data left in message")
	}
	copy(v.Addr[:], b[4:])
	if net := v.Network(); cidr && net != v {
		return Null, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid external \"cidr\" value").
			WithDetail("Value has bits set to right of mask.")
	}
	return v.Datum(), nil
}

func sendInet(dst []byte, d Datum, cidr bool) []byte {
	v := OpenInet(d)
	isCIDR := byte(0)
	if cidr {
		isCIDR = 1
	}
	return append(append(dst, v.Family, v.Bits, isCIDR, byte(v.Size())), v.Addr[:v.Size()]...)
}
