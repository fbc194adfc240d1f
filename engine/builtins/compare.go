package builtins

import (
	"bytes"

	"manifold/engine/base"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// relop is a comparison operator.
type relop uint8

const (
	opEQ relop = iota
	opNE
	opLT
	opLE
	opGT
	opGE
)

// relops gives the operators with their suffix in function names.
func relops() [6]string { return [...]string{"eq", "ne", "lt", "le", "gt", "ge"} }

func (op relop) holds(c int) bool {
	switch op {
	case opEQ:
		return c == 0
	case opNE:
		return c != 0
	case opLT:
		return c < 0
	case opLE:
		return c <= 0
	case opGT:
		return c > 0
	}
	return c >= 0
}

type compareFn func(a, b *types.Datum) int

func relScalar(op relop, cmp compareFn) Scalar {
	return func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(op.holds(cmp(&a[0], &a[1]))), nil
	}
}

// family enters the six operators whose names are prefix and suffix, with kernels when kernel is given.
func (r registry) family(cmp compareFn, kernel func(relop) Kernel, prefixes ...string) {
	for _, p := range prefixes {
		for op, suffix := range relops() {
			e := Entry{Scalar: relScalar(relop(op), cmp)}
			if kernel != nil {
				e.Kernel = kernel(relop(op))
			}
			r[p+suffix] = e
		}
	}
}

// order enters three-way comparisons.
func (r registry) order(cmp compareFn, names ...string) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		c := cmp(&a[0], &a[1])
		switch {
		case c < 0:
			c = -1
		case c > 0:
			c = 1
		}
		return types.Int(int64(c)), nil
	}, names...)
}

// extremes enters the functions that give the larger and the smaller of two values.
func (r registry) extremes(cmp compareFn, prefixes ...string) {
	for _, p := range prefixes {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			if cmp(&a[0], &a[1]) > 0 {
				return a[0], nil
			}
			return a[1], nil
		}, p+"larger")
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			if cmp(&a[0], &a[1]) < 0 {
				return a[0], nil
			}
			return a[1], nil
		}, p+"smaller")
	}
}

func registerCompare(r registry) {
	ints := types.CompareFunc(types.OIDInt8)
	r.family(ints, intRel, "int2", "int4", "int8", "int24", "int42", "int28", "int82", "int48", "int84", "date_", "time_",
		"timestamp_", "oid", "bool", "tid")
	r.order(ints, "btint2cmp", "btint4cmp", "btint8cmp", "btint24cmp", "btint42cmp", "btint28cmp", "btint82cmp", "btint48cmp",
		"btint84cmp", "date_cmp", "time_cmp", "timestamp_cmp", "btoidcmp", "btboolcmp", "bttidcmp")
	r.extremes(ints, "int2", "int4", "int8", "oid", "date_", "time_", "timestamp_", "tid")
	r.addKernel(relScalar(opEQ, ints), intRel(opEQ), "xideq", "cideq", "xid8eq")
	r.addKernel(relScalar(opNE, ints), intRel(opNE), "xidneq", "xid8ne")

	uints := types.CompareFunc(types.OIDPgLSN)
	r.family(uints, nil, "pg_lsn_")
	r.order(uints, "pg_lsn_cmp", "xid8cmp")
	r.extremes(uints, "pg_lsn_", "xid8_")
	for op, s := range relops() {
		if relop(op) > opNE {
			r.add(relScalar(relop(op), uints), "xid8"+s)
		}
	}
	chars := types.CompareFunc(types.OIDChar)
	r.family(chars, nil, "char")
	r.order(chars, "btcharcmp")

	floats := types.CompareFunc(types.OIDFloat8)
	r.family(floats, floatRel, "float4", "float8", "float48", "float84")
	r.order(floats, "btfloat4cmp", "btfloat8cmp", "btfloat48cmp", "btfloat84cmp")
	r.extremes(floats, "float4", "float8")

	texts := types.CompareFunc(types.OIDText)
	r.family(texts, bytesRel, "text_", "name", "bytea", "uuid_")
	for op, s := range relops() {
		o := relop(op)
		r.addKernel(relScalar(o, texts), bytesRel(o), "text"+s, "nametext"+s, "name"+s+"text", "text"+s+"name", "text_pattern_"+s)
	}
	r.order(texts, "bttextcmp", "btnamecmp", "byteacmp", "uuid_cmp", "btnametextcmp", "bttextnamecmp", "bttext_pattern_cmp")
	r.extremes(texts, "text_")
	bpchars := types.CompareFunc(types.OIDBPChar)
	r.family(bpchars, bpcharRel, "bpchar", "bpchar_pattern_")
	r.order(bpchars, "bpcharcmp", "btbpchar_pattern_cmp")
	r.extremes(bpchars, "bpchar_", "bpchar")

	for _, f := range []struct {
		typ      base.OID
		prefix   string
		cmp      string
		extremes bool
	}{
		{types.OIDNumeric, "numeric_", "numeric_cmp", true}, {types.OIDInterval, "interval_", "interval_cmp", true},
		{types.OIDTimeTZ, "timetz_", "timetz_cmp", true}, {types.OIDInt4Array, "array_", "btarraycmp", true},
		{types.OIDRecord, "record_", "btrecordcmp", false}, {types.OIDJSONB, "jsonb_", "jsonb_cmp", false},
		{types.OIDOIDVector, "oidvector", "btoidvectorcmp", false},
	} {
		cmp := compareFn(types.CompareFunc(f.typ))
		var k func(relop) Kernel
		if f.typ == types.OIDNumeric {
			k = numericRel
		}
		r.family(cmp, k, f.prefix)
		r.order(cmp, f.cmp)
		if f.extremes {
			r.extremes(cmp, f.prefix)
		}
	}
	r.add(relScalar(opEQ, bytesOf), "record_image_eq")
	r.add(relScalar(opNE, bytesOf), "record_image_ne")
	r.add(relScalar(opEQ, bytesOf), "aclitem_eq")
	registerMixedDates(r)
	registerHashes(r)
}

func bytesOf(a, b *types.Datum) int { return bytes.Compare(a.B, b.B) }

// registerHashes enters the hash support functions; their values are this engine's own.
func registerHashes(r registry) {
	for name, typ := range map[string]base.OID{"hashint2": types.OIDInt2, "hashint4": types.OIDInt4, "hashint8": types.OIDInt8,
		"hashoid": types.OIDOID, "hashchar": types.OIDChar, "hashname": types.OIDName, "hashtext": types.OIDText,
		"hashvarlena": types.OIDBytea, "hashbpchar": types.OIDBPChar, "hashfloat4": types.OIDFloat4, "hashfloat8": types.OIDFloat8,
		"hash_numeric": types.OIDNumeric, "timestamp_hash": types.OIDTimestamp, "time_hash": types.OIDTime, "timetz_hash": types.OIDTimeTZ,
		"interval_hash": types.OIDInterval, "uuid_hash": types.OIDUUID, "pg_lsn_hash": types.OIDPgLSN, "hash_array": types.OIDInt4Array,
		"hashoidvector": types.OIDOIDVector, "hash_record": types.OIDRecord, "jsonb_hash": types.OIDJSONB, "hashtid": types.OIDTID, "hashinet": types.OIDInet,
		"hashmacaddr": types.OIDMacAddr, "hashmacaddr8": types.OIDMacAddr8} {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			return types.Int(int64(int32(types.Hash(typ, a[0])))), nil
		}, name)
	}
}

// registerMixedDates enters comparisons between date, timestamp and timestamptz.
func registerMixedDates(r registry) {
	ts := func(_ *Context, d types.Datum) int64 { return d.I }
	date := func(_ *Context, d types.Datum) int64 { return dateMicros(d.I) }
	tz := func(c *Context, d types.Datum) int64 { return d.I }
	localTS := func(c *Context, d types.Datum) int64 { return toUTC(c, d.I) }
	localDate := func(c *Context, d types.Datum) int64 { return toUTC(c, dateMicros(d.I)) }
	pairs := []struct {
		left, right string
		l, r        func(*Context, types.Datum) int64
	}{
		{"date", "timestamp", date, ts}, {"timestamp", "date", ts, date},
		{"date", "timestamptz", localDate, tz}, {"timestamptz", "date", tz, localDate},
		{"timestamp", "timestamptz", localTS, tz}, {"timestamptz", "timestamp", tz, localTS},
	}
	for _, p := range pairs {
		cmp := func(c *Context, a []types.Datum) int {
			x, y := p.l(c, a[0]), p.r(c, a[1])
			if x < y {
				return -1
			}
			if x > y {
				return 1
			}
			return 0
		}
		for op, s := range relops() {
			r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
				return types.Bool(relop(op).holds(cmp(c, a))), nil
			}, p.left+"_"+s+"_"+p.right)
		}
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			return types.Int(int64(cmp(c, a))), nil
		}, p.left+"_cmp_"+p.right)
	}
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// intRel compares columns of any type whose Datum.I orders as a signed integer.
func intRel(op relop) Kernel {
	return func(_ *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0].Fixed[:n], args[1].Fixed[:n], out.Fixed[:n]
		if sel != nil {
			intRelSel(op, sel, a, b, o)
			return nil
		}
		switch op {
		case opEQ:
			for i := range o {
				o[i] = bit(a[i] == b[i])
			}
		case opNE:
			for i := range o {
				o[i] = bit(a[i] != b[i])
			}
		case opLT:
			for i := range o {
				o[i] = bit(a[i] < b[i])
			}
		case opLE:
			for i := range o {
				o[i] = bit(a[i] <= b[i])
			}
		case opGT:
			for i := range o {
				o[i] = bit(a[i] > b[i])
			}
		default:
			for i := range o {
				o[i] = bit(a[i] >= b[i])
			}
		}
		return nil
	}
}

func intRelSel(op relop, sel []int32, a, b, o []int64) {
	switch op {
	case opEQ:
		for _, i := range sel {
			o[i] = bit(a[i] == b[i])
		}
	case opNE:
		for _, i := range sel {
			o[i] = bit(a[i] != b[i])
		}
	case opLT:
		for _, i := range sel {
			o[i] = bit(a[i] < b[i])
		}
	case opLE:
		for _, i := range sel {
			o[i] = bit(a[i] <= b[i])
		}
	case opGT:
		for _, i := range sel {
			o[i] = bit(a[i] > b[i])
		}
	default:
		for _, i := range sel {
			o[i] = bit(a[i] >= b[i])
		}
	}
}

// lanes calls f for each selected lane that is not null in out, until it fails.
func lanes(c *Context, sel []int32, n int, out *vector.Vector, f func(i int) error) error {
	if sel == nil {
		for i := range n {
			if out.IsNull(i) {
				continue
			}
			if err := f(i); err != nil {
				c.ErrLane = i
				return err
			}
		}
		return nil
	}
	for _, i := range sel {
		if out.IsNull(int(i)) {
			continue
		}
		if err := f(int(i)); err != nil {
			c.ErrLane = int(i)
			return err
		}
	}
	return nil
}

func floatRel(op relop) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0].Fixed, args[1].Fixed, out.Fixed
		return lanes(c, sel, n, out, func(i int) error {
			o[i] = bit(op.holds(types.CompareFloat(types.Datum{I: a[i]}.Float(), types.Datum{I: b[i]}.Float())))
			return nil
		})
	}
}

func bytesRel(op relop) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0], args[1], out.Fixed
		if op == opEQ || op == opNE {
			want := op == opEQ
			return lanes(c, sel, n, out, func(i int) error {
				eq := a.Spans[i].Len == b.Spans[i].Len && bytes.Equal(a.Bytes(i), b.Bytes(i))
				o[i] = bit(eq == want)
				return nil
			})
		}
		return lanes(c, sel, n, out, func(i int) error {
			o[i] = bit(op.holds(bytes.Compare(a.Bytes(i), b.Bytes(i))))
			return nil
		})
	}
}

func bpcharRel(op relop) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0], args[1], out.Fixed
		return lanes(c, sel, n, out, func(i int) error {
			o[i] = bit(op.holds(bytes.Compare(types.TrimBlanks(a.Bytes(i)), types.TrimBlanks(b.Bytes(i)))))
			return nil
		})
	}
}

func numericRel(op relop) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0], args[1], out.Fixed
		return lanes(c, sel, n, out, func(i int) error {
			o[i] = bit(op.holds(types.OpenNum(a.Bytes(i)).Cmp(types.OpenNum(b.Bytes(i)))))
			return nil
		})
	}
}
