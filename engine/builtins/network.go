package builtins

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// registerNetwork enters the functions of inet, cidr, macaddr and macaddr8.
func registerNetwork(r registry) {
	cmp := compareFn(types.CompareFunc(types.OIDInet))
	r.family(cmp, nil, "network_")
	r.order(cmp, "network_cmp")
	r.extremes(cmp, "network_")
	registerNetworkParts(r)
	registerNetworkTests(r)
	registerNetworkArithmetic(r)
	registerNetworkSend(r)
	registerMacAddr(r, "macaddr", 6, types.OIDMacAddr)
	registerMacAddr(r, "macaddr8", 8, types.OIDMacAddr8)
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Datum{B: types.WidenMacAddr(a[0].B)}, nil
	}, "macaddrtomacaddr8")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		b := a[0].B
		if b[3] != 0xFF || b[4] != 0xFE {
			return types.Null, pgerror.New(pgerror.NumericValueOutOfRange, "macaddr8 data out of range to convert to macaddr").
				WithHint("Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example " +
					"xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.")
		}
		return types.Datum{B: []byte{b[0], b[1], b[2], b[5], b[6], b[7]}}, nil
	}, "macaddr8tomacaddr")
	r.add(macMap(8, func(b []byte, i int) byte {
		if i == 0 {
			return b[0] | 2
		}
		return b[i]
	}), "macaddr8_set7bit")
}

// registerMacAddr enters what macaddr and macaddr8 have in common.
func registerMacAddr(r registry, name string, width int, typ base.OID) {
	cmp := types.CompareFunc(typ)
	r.family(cmp, bytesRel, name+"_")
	r.order(cmp, name+"_cmp")
	r.add(macMap(width, func(b []byte, i int) byte { return ^b[i] }), name+"_not")
	r.add(macMap(width, func(b []byte, i int) byte {
		if i < 3 {
			return b[i]
		}
		return 0
	}), name+"_trunc")
	for suffix, f := range map[string]func(x, y byte) byte{"_and": func(x, y byte) byte { return x & y },
		"_or": func(x, y byte) byte { return x | y }} {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			out := c.Grab(width)
			for i := range out {
				out[i] = f(a[0].B[i], a[1].B[i])
			}
			return types.Datum{B: out}, nil
		}, name+suffix)
	}
}

// registerNetworkSend enters the functions that give the binary form of a value as bytes.
func registerNetworkSend(r registry) {
	for name, typ := range map[string]base.OID{"inet_send": types.OIDInet, "cidr_send": types.OIDCIDR, "macaddr_send": types.OIDMacAddr,
		"macaddr8_send": types.OIDMacAddr8} {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			b, err := types.AppendBinary(nil, typ, a[0], nil)
			return c.bytes(b), err
		}, name)
	}
}

func macMap(width int, f func(b []byte, i int) byte) Scalar {
	return func(c *Context, a []types.Datum) (types.Datum, error) {
		out := c.Grab(width)
		for i := range out {
			out[i] = f(a[0].B, i)
		}
		return types.Datum{B: out}, nil
	}
}

// inet copies a value into the arena.
func (c *Context) inet(v types.Inet) (types.Datum, error) { return c.stored(v.Append), nil }

// registerNetworkParts enters what takes a value apart.
func registerNetworkParts(r registry) {
	texts := map[string]func(v *types.Inet, d types.Datum) []byte{
		"network_host": func(v *types.Inet, _ types.Datum) []byte { return v.AppendHost(nil) },
		"network_show": func(_ *types.Inet, d types.Datum) []byte { return types.AppendInet(nil, d, true) },
		"inet_abbrev":  func(_ *types.Inet, d types.Datum) []byte { return types.AppendInet(nil, d, false) },
		"cidr_abbrev":  func(v *types.Inet, _ types.Datum) []byte { return v.AppendAbbreviated(nil) },
	}
	for name, f := range texts {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			v := types.OpenInet(a[0])
			return c.bytes(f(&v, a[0])), nil
		}, name)
	}
	values := map[string]func(v types.Inet, mask [16]byte) types.Inet{
		"network_network": func(v types.Inet, _ [16]byte) types.Inet { return v.Network() },
		"inet_to_cidr":    func(v types.Inet, _ [16]byte) types.Inet { return v.Network() },
		"network_broadcast": func(v types.Inet, mask [16]byte) types.Inet {
			for i := range v.Size() {
				v.Addr[i] |= ^mask[i]
			}
			return v
		},
		"network_netmask": func(v types.Inet, mask [16]byte) types.Inet {
			v.Addr, v.Bits = mask, uint8(v.MaxBits())
			return v
		},
		"network_hostmask": func(v types.Inet, mask [16]byte) types.Inet {
			for i := range v.Size() {
				v.Addr[i] = ^mask[i]
			}
			v.Bits = uint8(v.MaxBits())
			return v
		},
		"inetnot": func(v types.Inet, _ [16]byte) types.Inet {
			for i := range v.Size() {
				v.Addr[i] = ^v.Addr[i]
			}
			return v
		},
	}
	for name, f := range values {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			v := types.OpenInet(a[0])
			return c.inet(f(v, v.Mask()))
		}, name)
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Int(int64(types.OpenInet(a[0]).Bits)), nil
	}, "network_masklen")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		if v := types.OpenInet(a[0]); v.IsIPv6() {
			return types.Int(6), nil
		}
		return types.Int(4), nil
	}, "network_family")
	setLength := func(cidr bool) Scalar {
		return func(c *Context, a []types.Datum) (types.Datum, error) {
			v, n := types.OpenInet(a[0]), a[1].I
			if n == -1 {
				n = int64(v.MaxBits())
			}
			if n < 0 || n > int64(v.MaxBits()) {
				return types.Null, invalidParameter("invalid mask length: %d", n)
			}
			if v.Bits = uint8(n); cidr {
				v = v.Network()
			}
			return c.inet(v)
		}
	}
	r.add(setLength(false), "inet_set_masklen")
	r.add(setLength(true), "cidr_set_masklen")
}

// registerNetworkTests enters what asks how two values lie to each other.
func registerNetworkTests(r registry) {
	for name, f := range map[string]func(x, y *types.Inet) bool{
		"network_sub":      func(x, y *types.Inet) bool { return x.Within(y) && x.Bits > y.Bits },
		"network_subeq":    func(x, y *types.Inet) bool { return x.Within(y) },
		"network_sup":      func(x, y *types.Inet) bool { return y.Within(x) && y.Bits > x.Bits },
		"network_supeq":    func(x, y *types.Inet) bool { return y.Within(x) },
		"network_overlap":  func(x, y *types.Inet) bool { return x.Within(y) || y.Within(x) },
		"inet_same_family": func(x, y *types.Inet) bool { return x.Family == y.Family },
	} {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			x, y := types.OpenInet(a[0]), types.OpenInet(a[1])
			return types.Bool(f(&x, &y)), nil
		}, name)
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		x, y := types.OpenInet(a[0]), types.OpenInet(a[1])
		if x.Family != y.Family {
			return types.Null, invalidParameter("cannot merge addresses from different families")
		}
		x.Bits = uint8(x.Common(&y, int(min(x.Bits, y.Bits))))
		return c.inet(x.Network())
	}, "inet_merge")
}

func registerNetworkArithmetic(r registry) {
	both := func(verb string, f func(x, y byte) byte) Scalar {
		return func(c *Context, a []types.Datum) (types.Datum, error) {
			x, y := types.OpenInet(a[0]), types.OpenInet(a[1])
			if x.Family != y.Family {
				return types.Null, invalidParameter("cannot %s inet values of different sizes", verb)
			}
			for i := range x.Size() {
				x.Addr[i] = f(x.Addr[i], y.Addr[i])
			}
			x.Bits = max(x.Bits, y.Bits)
			return c.inet(x)
		}
	}
	r.add(both("AND", func(x, y byte) byte { return x & y }), "inetand")
	r.add(both("OR", func(x, y byte) byte { return x | y }), "inetor")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.inetPlus(a[0], a[1].I, false) }, "inetpl")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.inetPlus(a[1], a[0].I, false) }, "int8pl_inet")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.inetPlus(a[0], a[1].I, true) }, "inetmi_int8")
	r.add(inetMinus, "inetmi")
}

// inetPlus adds n to an address, or subtracts it.
func (c *Context) inetPlus(d types.Datum, n int64, minus bool) (types.Datum, error) {
	v := types.OpenInet(d)
	amount := uint64(n)
	if n < 0 {
		amount, minus = -amount, !minus
	}
	carry := 0
	for i := v.Size() - 1; i >= 0; i-- {
		b := int(byte(amount))
		amount >>= 8
		if minus {
			b = -b
		}
		b += int(v.Addr[i]) + carry
		v.Addr[i], carry = byte(b), b>>8
	}
	if carry != 0 || amount != 0 {
		return types.Null, inetRange()
	}
	return c.inet(v)
}

func inetRange() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "result is out of range")
}

// inetMinus gives how far two addresses are apart.
func inetMinus(_ *Context, a []types.Datum) (types.Datum, error) {
	x, y := types.OpenInet(a[0]), types.OpenInet(a[1])
	if x.Family != y.Family {
		return types.Null, invalidParameter("cannot subtract inet values of different sizes")
	}
	var out [16]byte
	carry, n := 0, x.Size()
	for i := n - 1; i >= 0; i-- {
		b := int(x.Addr[i]) - int(y.Addr[i]) + carry
		out[i], carry = byte(b), b>>8
	}
	low := int64(0)
	fill := byte(carry) // 0, or 255 below zero
	for i := range n {
		if i < n-8 && out[i] != fill {
			return types.Null, inetRange()
		}
		low = low<<8 | int64(out[i])
	}
	if n == 4 && carry != 0 {
		low -= 1 << 32
	}
	if n == 16 && (low < 0) != (carry != 0) {
		return types.Null, inetRange()
	}
	return types.Int(low), nil
}
