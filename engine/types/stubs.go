package types

import "manifold/engine/base"

func inType(typ base.OID, typmod int32, s string, env *Env) (Datum, error) {
	return Null, unknownType(typ, "input")
}
func coerce(typ base.OID, typmod int32, d Datum, explicit bool) (Datum, error) { return d, nil }
func appendText(dst []byte, typ base.OID, d Datum, env *Env) []byte            { return dst }
func recvType(typ base.OID, b []byte, env *Env) (Datum, error) {
	return Null, unknownType(typ, "binary input")
}
func appendBinary(dst []byte, typ base.OID, d Datum, env *Env) ([]byte, error) {
	return nil, unknownType(typ, "binary output")
}
func hash(typ base.OID, d Datum) uint64                { return 0 }
func compareFunc(typ base.OID) func(a, b *Datum) int   { return nil }
func comparable(typ base.OID) bool                     { return false }
func keyExact(typ base.OID) bool                       { return false }
func formatType(typ base.OID, typmod int32) string     { return "" }
func typmodIn(typ base.OID, m []string) (int32, error) { return -1, nil }
func appendKey(dst []byte, typ base.OID, d Datum, descending, nullsFirst bool) ([]byte, error) {
	return dst, nil
}
func decodeKey(key []byte, typ base.OID, descending, nullsFirst bool) (Datum, []byte, error) {
	return Null, nil, nil
}
func viewString(b []byte) string { return string(b) }
