package builtins

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math/bits"
	"strings"
	"unicode/utf8"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerEncode(r registry) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		sum := md5.Sum(a[0].B)
		return c.text(hex.EncodeToString(sum[:])), nil
	}, "md5_text", "md5_bytea")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		s := sha256.Sum224(a[0].B)
		return c.bytes(s[:]), nil
	}, "sha224_bytea")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		s := sha256.Sum256(a[0].B)
		return c.bytes(s[:]), nil
	}, "sha256_bytea")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		s := sha512.Sum384(a[0].B)
		return c.bytes(s[:]), nil
	}, "sha384_bytea")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		s := sha512.Sum512(a[0].B)
		return c.bytes(s[:]), nil
	}, "sha512_bytea")
	r.add(encode, "binary_encode")
	r.add(decode, "binary_decode")
	r.add(func(c *Context, _ []types.Datum) (types.Datum, error) {
		b := c.Grab(16)
		rand.Read(b)
		b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
		return types.Datum{B: b}, nil
	}, "gen_random_uuid")
	registerByteAccess(r)
	utf := func(enc types.Datum) bool {
		switch strings.ToLower(strings.ReplaceAll(str(enc), "-", "")) {
		case "utf8", "unicode", "sql_ascii":
			return true
		}
		return false
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		if !utf(a[1]) {
			return types.Null, pgerror.Unsupported("conversion from encoding %s", str(a[1]))
		}
		if !utf8.Valid(a[0].B) || bytes.IndexByte(a[0].B, 0) >= 0 {
			return types.Null, types.InvalidUTF8(a[0].B)
		}
		return a[0], nil
	}, "pg_convert_from")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		if !utf(a[1]) {
			return types.Null, pgerror.Unsupported("conversion to encoding %s", str(a[1]))
		}
		return a[0], nil
	}, "pg_convert_to")
}

func unknownEncoding(d types.Datum) error {
	return invalidParameter("unrecognized encoding: \"%s\"", str(d))
}

func encode(c *Context, a []types.Datum) (types.Datum, error) {
	switch strings.ToLower(str(a[1])) {
	case "hex":
		return c.bytes(types.AppendHex(nil, a[0].B)), nil
	case "base64":
		s := base64.StdEncoding.EncodeToString(a[0].B)
		var out []byte
		for len(s) > 76 {
			out = append(append(out, s[:76]...), '\n')
			s = s[76:]
		}
		return c.bytes(append(out, s...)), nil
	case "escape":
		var out []byte
		for _, b := range a[0].B {
			switch {
			case b == 0 || b >= 0x80:
				out = append(out, '\\', '0'+b>>6, '0'+b>>3&7, '0'+b&7)
			case b == '\\':
				out = append(out, '\\', '\\')
			default:
				out = append(out, b)
			}
		}
		return c.bytes(out), nil
	}
	return types.Null, unknownEncoding(a[1])
}

func decode(c *Context, a []types.Datum) (types.Datum, error) {
	switch strings.ToLower(str(a[1])) {
	case "hex":
		b, err := types.ParseHex(str(a[0]))
		return types.Datum{B: b, Null: err != nil}, err
	case "escape":
		b, err := types.ParseByteaEscape(str(a[0]))
		return types.Datum{B: b, Null: err != nil}, err
	case "base64":
		clean := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, str(a[0]))
		for _, r := range clean {
			if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", r) {
				return types.Null, invalidParameter("invalid symbol \"%c\" found while decoding base64 sequence", r)
			}
		}
		b, err := base64.StdEncoding.DecodeString(clean)
		if err != nil {
			if strings.ContainsRune(strings.TrimRight(clean, "="), '=') {
				return types.Null, invalidParameter("unexpected \"=\" while decoding base64 sequence")
			}
			return types.Null, invalidParameter("invalid base64 end sequence").
				WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
		}
		return c.bytes(b), nil
	}
	return types.Null, unknownEncoding(a[1])
}

func registerByteAccess(r registry) {
	index := func(i, n int64) error {
		if i < 0 || i >= n {
			return pgerror.Newf(pgerror.ArraySubscriptError, "index %d out of valid range, 0..%d", i, n-1)
		}
		return nil
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		if err := index(a[1].I, int64(len(a[0].B))); err != nil {
			return types.Null, err
		}
		return types.Int(int64(a[0].B[a[1].I])), nil
	}, "byteaGetByte")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		if err := index(a[1].I, 8*int64(len(a[0].B))); err != nil {
			return types.Null, err
		}
		return types.Int(int64(a[0].B[a[1].I/8] >> (a[1].I % 8) & 1)), nil
	}, "byteaGetBit")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if err := index(a[1].I, int64(len(a[0].B))); err != nil {
			return types.Null, err
		}
		d := c.bytes(a[0].B)
		d.B[a[1].I] = byte(a[2].I)
		return d, nil
	}, "byteaSetByte")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if err := index(a[1].I, 8*int64(len(a[0].B))); err != nil {
			return types.Null, err
		}
		if a[2].I != 0 && a[2].I != 1 {
			return types.Null, invalidParameter("new bit must be 0 or 1")
		}
		d := c.bytes(a[0].B)
		d.B[a[1].I/8] = d.B[a[1].I/8]&^(1<<(a[1].I%8)) | byte(a[2].I<<(a[1].I%8))
		return d, nil
	}, "byteaSetBit")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		n := 0
		for _, b := range a[0].B {
			n += bits.OnesCount8(b)
		}
		return types.Int(int64(n)), nil
	}, "bytea_bit_count")
	count := func(null bool) Scalar {
		return func(_ *Context, a []types.Datum) (types.Datum, error) {
			n := int64(0)
			for i := range a {
				n += bit(a[i].Null == null)
			}
			return types.Int(n), nil
		}
	}
	r.add(count(true), "pg_num_nulls")
	r.add(count(false), "pg_num_nonnulls")
}
