package exec

import (
	"bytes"
	"math"
	"slices"

	"manifold/engine/access/btree"
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
)

// Markers in front of each value of a key, as package types writes them.
const (
	markNullFirst = 0x00
	markValue     = 0x01
	markNullLast  = 0x02
)

// keyCond is a condition on an index column, compiled.
type keyCond struct {
	plan.KeyCond
	value    eval.Node
	typ      base.OID // of the value, or of the elements with Any
	keyType  base.OID
	desc     bool
	nullMark byte
}

// keyRanges turns conditions into ranges of keys.
type keyRanges struct {
	index    *relation.Index
	conds    []keyCond
	ranges   []btree.Range
	prefixes [][]byte
	frame    eval.Frame
	buf      []byte
	elems    []types.Datum
}

func (in *Instance) keyRanges(ix *relation.Index, conds []plan.KeyCond) (*keyRanges, error) {
	k := &keyRanges{index: ix}
	for _, c := range conds {
		key := ix.Keys[c.Column]
		kc := keyCond{KeyCond: c, keyType: key.Type, desc: key.Descending, nullMark: markNullLast}
		if key.NullsFirst {
			kc.nullMark = markNullFirst
		}
		if c.Value != nil {
			n, err := in.c.Compile(c.Value)
			if err != nil {
				return nil, err
			}
			kc.value, kc.typ = n, c.Value.Type()
			if c.Any {
				kc.typ = types.ElemType(kc.typ)
			}
		}
		k.conds = append(k.conds, kc)
	}
	slices.SortStableFunc(k.conds, func(a, b keyCond) int { return a.Column - b.Column })
	return k, nil
}

// value evaluates a condition's value.
func (k *keyRanges) value(x *Context, c *keyCond) (types.Datum, error) {
	k.frame.Env = x.Eval
	v, err := c.value.Eval(&k.frame, nil, 1)
	if err != nil {
		return types.Null, err
	}
	return v.Get(0), nil
}

// compute fills ranges for this execution; none when no key can match.
func (k *keyRanges) compute(x *Context) error {
	k.ranges = k.ranges[:0]
	k.buf = k.buf[:0]
	if len(k.conds) == 0 {
		k.ranges = append(k.ranges, btree.Range{})
		return nil
	}
	k.prefixes = append(k.prefixes[:0], nil)
	prefixes := k.prefixes
	col, i := 0, 0
	for ; i < len(k.conds); col++ {
		c := &k.conds[i]
		if c.Column != col {
			break
		}
		if !c.IsNull && c.Strategy != 3 {
			break
		}
		next, err := k.extend(x, prefixes, c)
		if err != nil {
			return err
		}
		if len(next) == 0 {
			return nil
		}
		prefixes = next
		// Further conditions on the same column are for the re-check.
		for i++; i < len(k.conds) && k.conds[i].Column == col; i++ {
		}
	}
	for _, p := range prefixes {
		r := btree.Range{Lo: p, Hi: p}
		if i < len(k.conds) && k.conds[i].Column == col {
			var none bool
			var err error
			if r, none, err = k.bound(x, p, k.conds[i:], col); err != nil {
				return err
			}
			if none {
				continue
			}
		}
		k.ranges = append(k.ranges, r)
	}
	k.order()
	return nil
}

// order sorts the ranges of an array condition and drops doubles.
func (k *keyRanges) order() {
	if len(k.ranges) < 2 {
		return
	}
	slices.SortFunc(k.ranges, func(a, b btree.Range) int { return bytes.Compare(a.Lo, b.Lo) })
	k.ranges = slices.CompactFunc(k.ranges, func(a, b btree.Range) bool {
		return bytes.Equal(a.Lo, b.Lo) && bytes.Equal(a.Hi, b.Hi)
	})
}

// extend appends an equality to each prefix.
func (k *keyRanges) extend(x *Context, prefixes [][]byte, c *keyCond) ([][]byte, error) {
	if c.IsNull {
		var out [][]byte
		for _, p := range prefixes {
			out = append(out, append(p[:len(p):len(p)], c.nullMark))
		}
		return out, nil
	}
	d, err := k.value(x, c)
	if err != nil || d.Null {
		return nil, err
	}
	k.elems = append(k.elems[:0], d)
	if c.Any {
		a := types.OpenArray(d)
		k.elems = a.Elems(k.elems[:0])
	}
	out := prefixes[:0:0]
	if len(k.elems) == 1 && len(prefixes) == 1 {
		out = prefixes[:0]
	}
	for _, p := range prefixes {
		for _, e := range k.elems {
			if e.Null {
				continue
			}
			v, how := convert(c.keyType, c.typ, e)
			if how != exactly {
				continue
			}
			start := len(k.buf)
			k.buf = append(k.buf, p...)
			if k.buf, err = types.AppendKey(k.buf, c.keyType, v, c.desc, c.nullMark == markNullFirst); err != nil {
				return nil, err
			}
			out = append(out, k.buf[start:len(k.buf):len(k.buf)])
		}
	}
	return out, nil
}

// bound makes the range of inequalities (or NOT NULL) on the first column without an equality.
func (k *keyRanges) bound(x *Context, prefix []byte, conds []keyCond, col int) (r btree.Range, none bool, err error) {
	c0 := &conds[0]
	all := append(prefix[:len(prefix):len(prefix)], markValue)
	r = btree.Range{Lo: all, Hi: all}
	for i := range conds {
		c := &conds[i]
		if c.Column != col {
			break
		}
		if c.NotNull || c.IsNull || c.Strategy == 3 {
			continue
		}
		d, err := k.value(x, c)
		if err != nil || d.Null {
			return r, true, err
		}
		v, how := convert(c.keyType, c.typ, d)
		strategy := c.Strategy
		switch how {
		case aboveAll: // every value of the column is less
			if strategy >= 4 {
				return r, true, nil
			}
			continue
		case belowAll:
			if strategy <= 2 {
				return r, true, nil
			}
			continue
		case roundedDown: // v < wanted < v's successor
			if strategy == 1 {
				strategy = 2
			}
			if strategy == 4 {
				strategy = 5
			}
		}
		start := len(k.buf)
		k.buf = append(k.buf, prefix...)
		if k.buf, err = types.AppendKey(k.buf, c.keyType, v, c.desc, c.nullMark == markNullFirst); err != nil {
			return r, false, err
		}
		key := k.buf[start:len(k.buf):len(k.buf)]
		upper := strategy <= 2
		if upper != c0.desc {
			if c := bytes.Compare(key, r.Hi); c < 0 || len(r.Hi) == len(all) || c == 0 && strategy%2 == 1 {
				r.Hi, r.HiExcluded = key, strategy == 1 || strategy == 5
			}
		} else if c := bytes.Compare(key, r.Lo); c > 0 || len(r.Lo) == len(all) || c == 0 && strategy%2 == 1 {
			r.Lo, r.LoExcluded = key, strategy == 1 || strategy == 5
		}
	}
	return r, false, nil
}

// conversion says how a value relates to the column type it was converted to.
type conversion uint8

const (
	exactly conversion = iota
	aboveAll
	belowAll
	roundedDown
)

// convert brings the value of a cross-type comparison to the column's type.
func convert(to, from base.OID, d types.Datum) (types.Datum, conversion) {
	if to == from {
		return d, exactly
	}
	if lo, hi, ok := types.IntRange(to); ok {
		if _, _, ok := types.IntRange(from); !ok {
			return d, exactly
		}
		switch {
		case d.I < lo:
			return d, belowAll
		case d.I > hi:
			return d, aboveAll
		}
		return d, exactly
	}
	if to == types.OIDDate && from == types.OIDTimestamp {
		const day = 86400000000
		if d.I == math.MaxInt64 || d.I == math.MinInt64 {
			return infiniteDate(d.I), exactly
		}
		q := d.I / day
		if d.I%day < 0 {
			q--
		}
		if q*day == d.I {
			return types.Int(q), exactly
		}
		return types.Int(q), roundedDown
	}
	if to == types.OIDTimestamp && from == types.OIDDate {
		const day = 86400000000
		switch d.I {
		case math.MaxInt32:
			return types.Int(math.MaxInt64), exactly
		case math.MinInt32:
			return types.Int(math.MinInt64), exactly
		}
		return types.Int(d.I * day), exactly
	}
	if to == types.OIDFloat4 && from == types.OIDFloat8 {
		return d, exactly // keys of both are those of the float8 value
	}
	return d, exactly
}

func infiniteDate(i int64) types.Datum {
	if i > 0 {
		return types.Int(math.MaxInt32)
	}
	return types.Int(math.MinInt32)
}

// covers tells whether a key lies in one of the ranges.
func (k *keyRanges) covers(key []byte) bool {
	for _, r := range k.ranges {
		lo, hi := r.Lo == nil, r.Hi == nil
		if !lo {
			c := compareBound(key, r.Lo)
			lo = c > 0 || c == 0 && !r.LoExcluded
		}
		if !hi {
			c := compareBound(key, r.Hi)
			hi = c < 0 || c == 0 && !r.HiExcluded
		}
		if lo && hi {
			return true
		}
	}
	return false
}

// compareBound compares the beginning of a key with a bound.
func compareBound(key, bound []byte) int {
	if len(key) > len(bound) {
		key = key[:len(bound)]
	}
	return bytes.Compare(key, bound)
}
