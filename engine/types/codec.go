package types

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// In reads the text form of a value and applies typmod (-1: none) as an assignment does. The result may alias s.
// A nil env means PostgreSQL's defaults.
func In(typ base.OID, typmod int32, s string, env *Env) (Datum, error) {
	d, err := inType(typ, typmod, s, env)
	if err != nil {
		return Null, err
	}
	if typmod >= 0 {
		return Coerce(typ, typmod, d, false)
	}
	return d, nil
}

// InBytes is In for bytes; the result may alias b.
func InBytes(typ base.OID, typmod int32, b []byte, env *Env) (Datum, error) {
	return In(typ, typmod, viewString(b), env)
}

// Coerce applies a typmod to a value of the type: an explicit cast truncates strings silently, an assignment raises
// 22001. The result may alias d.
func Coerce(typ base.OID, typmod int32, d Datum, explicit bool) (Datum, error) {
	return coerce(typ, typmod, d, explicit)
}

// AppendText appends the text form of a value that is not null.
func AppendText(dst []byte, typ base.OID, d Datum, env *Env) []byte {
	return appendText(dst, typ, d, env)
}

// Recv reads the binary form of a value and applies typmod (-1: none). The result may alias b.
func Recv(typ base.OID, typmod int32, b []byte, env *Env) (Datum, error) {
	d, err := recvType(typ, b, env)
	if err != nil {
		return Null, err
	}
	if typmod >= 0 {
		return Coerce(typ, typmod, d, false)
	}
	return d, nil
}

// AppendBinary appends the binary form of a value that is not null. A type without one fails with 42883.
func AppendBinary(dst []byte, typ base.OID, d Datum, env *Env) ([]byte, error) {
	return appendBinary(dst, typ, d, env)
}

// Compare orders two values of a type, neither null, as its default btree operator class does (collation C).
func Compare(typ base.OID, a, b Datum) int { return CompareFunc(typ)(&a, &b) }

// Equal tells whether two values of a type, neither null, are equal by its default equality operator.
func Equal(typ base.OID, a, b Datum) bool { return Compare(typ, a, b) == 0 }

// Hash gives equal values of a type equal hashes.
func Hash(typ base.OID, d Datum) uint64 { return hash(typ, d) }

// CompareFunc resolves the comparison of a type once. For a type without an order it compares stored bytes.
func CompareFunc(typ base.OID) func(a, b *Datum) int { return compareFunc(typ) }

// Comparable tells whether the type has a btree order of its own.
func Comparable(typ base.OID) bool { return comparable(typ) }

// AppendKey appends an order-preserving, prefix-free encoding of a value (or null) to a key.
// bytes.Compare of two keys gives the order of the values.
func AppendKey(dst []byte, typ base.OID, d Datum, descending, nullsFirst bool) ([]byte, error) {
	return appendKey(dst, typ, d, descending, nullsFirst)
}

// KeyExact tells whether DecodeKey gives back the very value that AppendKey encoded.
func KeyExact(typ base.OID) bool { return keyExact(typ) }

// DecodeKey reads one value of an exact type from the head of a key and gives the rest. Corrupt bytes are XX002.
func DecodeKey(key []byte, typ base.OID, descending, nullsFirst bool) (Datum, []byte, error) {
	return decodeKey(key, typ, descending, nullsFirst)
}

// FormatType prints a type as format_type does: "character varying(20)", "numeric(10,2)[]".
func FormatType(typ base.OID, typmod int32) string { return formatType(typ, typmod) }

// TypmodIn reads the modifiers of a type name, as in varchar(20) or numeric(10,2).
func TypmodIn(typ base.OID, mods []string) (int32, error) { return typmodIn(typ, mods) }

func unknownType(typ base.OID, what string) error {
	return pgerror.Unsupported("%s of type %s", what, FormatType(typ, -1))
}
