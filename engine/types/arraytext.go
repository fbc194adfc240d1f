package types

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// arrayParser reads the text form of an array.
type arrayParser struct {
	s      string
	i      int
	delim  byte
	elem   base.OID
	typmod int32
	env    *Env
	elems  []Datum
	dims   [MaxDims]int32
	ndims  int
	buf    []byte
	empty  bool // an empty pair of braces was seen
}

func (p *arrayParser) malformed(detail string) error {
	e := pgerror.Newf(pgerror.InvalidTextRepresentation, "malformed array literal: \"%s\"", p.s)
	if detail != "" {
		return e.WithDetail("%s", detail)
	}
	return e
}

// ParseArray reads the text form of an array over elem.
func ParseArray(elem base.OID, typmod int32, s string, delim byte, env *Env) (Datum, error) {
	p := arrayParser{s: s, delim: delim, elem: elem, typmod: typmod, env: env}
	dims, err := p.bounds()
	if err != nil {
		return Null, err
	}
	if p.skip() != '{' {
		if dims != nil {
			return Null, p.malformed("Array contents must start with \"{\".")
		}
		return Null, p.malformed("Array value must start with \"{\" or dimension information.")
	}
	for i := range p.dims {
		p.dims[i] = -1
	}
	if err := p.level(0); err != nil {
		return Null, err
	}
	p.skip()
	if p.i < len(p.s) {
		return Null, p.malformed("Junk after closing right brace.")
	}
	if len(p.elems) == 0 {
		return Datum{B: AppendArray(nil, elem, nil, nil)}, nil
	}
	shape := make([]Dim, p.ndims)
	for i := range shape {
		shape[i] = Dim{Len: p.dims[i], Lower: 1}
	}
	if dims != nil {
		if len(dims) != len(shape) {
			return Null, p.malformed("Specified array dimensions do not match array contents.")
		}
		for i := range dims {
			if dims[i].Len != shape[i].Len {
				return Null, p.malformed("Specified array dimensions do not match array contents.")
			}
		}
		shape = dims
	}
	return Datum{B: AppendArray(nil, elem, shape, p.elems)}, nil
}

func (p *arrayParser) skip() byte {
	for p.i < len(p.s) && isSpace(p.s[p.i]) {
		p.i++
	}
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// bounds reads the optional [l:u]...= in front.
func (p *arrayParser) bounds() ([]Dim, error) {
	var dims []Dim
	for p.skip() == '[' {
		end := strings.IndexByte(p.s[p.i:], ']')
		if end < 0 {
			return nil, p.malformed("Missing \"]\" after array dimensions.")
		}
		if len(dims) == MaxDims {
			return nil, tooManyDims(MaxDims + 1)
		}
		lower, upper := int64(1), int64(0)
		lo, hi, both := strings.Cut(p.s[p.i+1:p.i+end], ":")
		var err error
		if both {
			if lower, err = strconv.ParseInt(trimSpace(lo), 10, 32); err != nil {
				return nil, p.malformed("\"[\" must introduce explicitly-specified array dimensions.")
			}
		} else {
			hi = lo
		}
		if upper, err = strconv.ParseInt(trimSpace(hi), 10, 32); err != nil {
			return nil, p.malformed("\"[\" must introduce explicitly-specified array dimensions.")
		}
		if upper < lower {
			return nil, pgerror.New(pgerror.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
		if upper-lower >= MaxArrayElems {
			return nil, pgerror.Newf(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", MaxArrayElems)
		}
		dims = append(dims, Dim{Len: int32(upper - lower + 1), Lower: int32(lower)})
		p.i += end + 1
	}
	if dims != nil {
		if p.skip() != '=' {
			return nil, p.malformed("Missing \"=\" after array dimensions.")
		}
		p.i++
	}
	return dims, nil
}

func tooManyDims(n int) error {
	return pgerror.Newf(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", n, MaxDims)
}

// level reads one pair of braces and what is inside.
func (p *arrayParser) level(depth int) error {
	if depth >= MaxDims {
		return tooManyDims(depth + 1)
	}
	p.i++ // the brace
	n := int32(0)
	if p.skip() == '}' {
		if p.empty {
			return p.malformed("Unexpected \"}\" character.")
		}
		p.empty = true
		p.i++
		return p.close(depth, 0)
	}
	for {
		if p.skip() == '{' {
			if p.ndims != 0 && depth+1 >= p.ndims {
				return p.malformed("Unexpected \"{\" character.")
			}
			if err := p.level(depth + 1); err != nil {
				return err
			}
		} else {
			if p.ndims == 0 {
				p.ndims = depth + 1
			}
			if p.ndims != depth+1 {
				return p.malformed("Unexpected array element.")
			}
			if err := p.element(); err != nil {
				return err
			}
		}
		n++
		switch c := p.skip(); {
		case p.i >= len(p.s):
			return p.malformed("Unexpected end of input.")
		case c == p.delim:
			p.i++
		case c == '}':
			p.i++
			return p.close(depth, n)
		case c == '{' || c == '"':
			return p.malformed("Unexpected \"" + string(c) + "\" character.")
		default:
			return p.malformed("Unexpected array element.")
		}
	}
}

func (p *arrayParser) close(depth int, n int32) error {
	if p.dims[depth] >= 0 && p.dims[depth] != n {
		return p.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
	}
	p.dims[depth] = n
	return nil
}

func (p *arrayParser) element() error {
	text, quoted, err := p.token()
	if err != nil {
		return err
	}
	if !quoted && strings.EqualFold(text, "null") {
		p.elems = append(p.elems, Null)
		return nil
	}
	d, err := In(p.elem, p.typmod, text, p.env)
	if err != nil {
		return err
	}
	p.elems = append(p.elems, d)
	return nil
}

// token reads one element's text.
func (p *arrayParser) token() (string, bool, error) {
	if p.s[p.i:] == "" {
		return "", false, p.malformed("Unexpected end of input.")
	}
	start := p.i
	if p.s[p.i] != '"' {
		escaped := false
		p.buf = p.buf[:0]
		keep := 0
		for p.i < len(p.s) {
			c := p.s[p.i]
			if c == p.delim || c == '}' {
				break
			}
			if c == '{' {
				return "", false, p.malformed("Unexpected \"{\" character.")
			}
			if c == '"' {
				return "", false, p.malformed("Unexpected array element.")
			}
			if c == '\\' {
				if p.i++; p.i >= len(p.s) {
					break
				}
				escaped = true
				p.buf = append(p.buf, p.s[p.i])
				keep = len(p.buf)
				p.i++
				continue
			}
			p.buf = append(p.buf, c)
			if !isSpace(c) {
				keep = len(p.buf)
			}
			p.i++
		}
		if p.i >= len(p.s) {
			return "", false, p.malformed("Unexpected end of input.")
		}
		if keep == 0 {
			return "", false, p.malformed("Unexpected \"" + string(p.s[p.i]) + "\" character.")
		}
		if !escaped {
			return p.s[start : start+keep], false, nil
		}
		return string(p.buf[:keep]), true, nil
	}
	p.i++
	out := make([]byte, 0, 16)
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return string(out), true, nil
		case c == '\\' && p.i < len(p.s):
			out = append(out, p.s[p.i])
			p.i++
		default:
			out = append(out, c)
		}
	}
	return "", false, p.malformed("Unexpected end of input.")
}

func appendArray(dst []byte, d Datum, delim byte, env *Env) []byte {
	a := OpenArray(d)
	if a.NDims == 0 || a.Len() == 0 {
		return append(dst, "{}"...)
	}
	custom := false
	for _, dim := range a.Shape() {
		custom = custom || dim.Lower != 1
	}
	if custom {
		dst = appendDims(dst, a.Shape())
		dst = append(dst, '=')
	}
	at := 0
	var scratch [64]byte
	return appendArrayLevel(dst, &a, 0, &at, delim, env, scratch[:0])
}

// appendDims prints bounds as array_dims does.
func appendDims(dst []byte, dims []Dim) []byte {
	for _, d := range dims {
		dst = appendInt(append(dst, '['), int64(d.Lower))
		dst = append(appendInt(append(dst, ':'), int64(d.Lower)+int64(d.Len)-1), ']')
	}
	return dst
}

// AppendDims prints bounds as array_dims does.
func AppendDims(dst []byte, dims []Dim) []byte { return appendDims(dst, dims) }

func appendArrayLevel(dst []byte, a *Array, depth int, at *int, delim byte, env *Env, scratch []byte) []byte {
	dst = append(dst, '{')
	for i := range int(a.Dims[depth].Len) {
		if i > 0 {
			dst = append(dst, delim)
		}
		if depth < a.NDims-1 {
			dst = appendArrayLevel(dst, a, depth+1, at, delim, env, scratch)
			continue
		}
		e := a.At(*at)
		*at++
		if e.Null {
			dst = append(dst, "NULL"...)
			continue
		}
		scratch = appendText(scratch[:0], a.Elem, e, env)
		dst = appendArrayElem(dst, scratch, delim)
	}
	return append(dst, '}')
}

func appendArrayElem(dst, text []byte, delim byte) []byte {
	quote := len(text) == 0 || len(text) == 4 && strings.EqualFold(viewString(text), "null")
	for _, c := range text {
		if c == '"' || c == '\\' || c == '{' || c == '}' || c == delim || isSpace(c) {
			quote = true
			break
		}
	}
	if !quote {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// parseVector reads an oidvector or int2vector: numbers separated by white space.
func parseVector(s string, elem base.OID, env *Env) (Datum, error) {
	var elems []Datum
	for _, f := range strings.Fields(s) {
		d, err := inType(elem, -1, f, env)
		if err != nil {
			return Null, err
		}
		elems = append(elems, d)
	}
	return MakeVector(elem, elems), nil
}

func appendVector(dst []byte, d Datum, env *Env) []byte {
	a := OpenArray(d)
	for i := range a.Len() {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendText(dst, a.Elem, a.At(i), env)
	}
	return dst
}

func recvArray(b []byte, elem base.OID, env *Env) (Datum, error) {
	r := reader{b: b}
	ndim, flags := r.i32(), r.i32()
	got := base.OID(uint32(r.i32()))
	if ndim < 0 || ndim > MaxDims {
		if ndim > MaxDims {
			return Null, tooManyDims(int(ndim))
		}
		return Null, pgerror.Newf(pgerror.InvalidBinaryRepresentation, "invalid number of dimensions: %d", ndim)
	}
	if flags != 0 && flags != 1 {
		return Null, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid array flags")
	}
	if got != elem {
		return Null, pgerror.Newf(pgerror.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			got, FormatType(got, -1), elem, FormatType(elem, -1))
	}
	dims := make([]Dim, ndim)
	n := int64(1)
	for i := range dims {
		dims[i] = Dim{Len: r.i32(), Lower: r.i32()}
		if dims[i].Len < 0 {
			return Null, pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (134217727)")
		}
		if n *= int64(dims[i].Len); n > MaxArrayElems || int64(dims[i].Lower)+int64(dims[i].Len)-1 > math.MaxInt32 {
			return Null, pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (134217727)")
		}
	}
	if ndim == 0 {
		n = 0
	}
	if r.failed || n*4 > int64(len(r.b)) {
		return Null, insufficientData()
	}
	elems := make([]Datum, 0, n)
	for range n {
		l := r.i32()
		if l == -1 {
			elems = append(elems, Null)
			continue
		}
		body := r.take(int(l))
		if r.failed {
			return Null, insufficientData()
		}
		d, err := recvType(elem, body, env)
		if err != nil {
			return Null, err
		}
		elems = append(elems, d)
	}
	return Datum{B: AppendArray(nil, elem, dims, elems)}, nil
}

func sendArray(dst []byte, d Datum, env *Env) ([]byte, error) {
	a := OpenArray(d)
	flags := uint32(0)
	if a.HasNulls() {
		flags = 1
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.NDims))
	dst = binary.BigEndian.AppendUint32(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.Elem))
	for _, dim := range a.Shape() {
		dst = binary.BigEndian.AppendUint32(dst, uint32(dim.Len))
		dst = binary.BigEndian.AppendUint32(dst, uint32(dim.Lower))
	}
	for i := range a.Len() {
		e := a.At(i)
		if e.Null {
			dst = append(dst, 0xFF, 0xFF, 0xFF, 0xFF)
			continue
		}
		at := len(dst)
		var err error
		if dst, err = appendBinary(append(dst, 0, 0, 0, 0), a.Elem, e, env); err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, nil
}
