package types

import (
	"strconv"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func appendInt(dst []byte, v int64) []byte   { return strconv.AppendInt(dst, v, 10) }
func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

func regKind(typ base.OID) (RegKind, bool) {
	switch typ {
	case OIDRegProc:
		return RegProc, true
	case OIDRegProcedure:
		return RegProcedure, true
	case OIDRegOper:
		return RegOper, true
	case OIDRegOperator:
		return RegOperator, true
	case OIDRegClass:
		return RegClass, true
	case OIDRegType:
		return RegType, true
	case OIDRegNamespace:
		return RegNamespace, true
	case OIDRegRole:
		return RegRole, true
	case OIDRegCollation:
		return RegCollation, true
	case OIDRegConfig:
		return RegConfig, true
	case OIDRegDictionary:
		return RegDictionary, true
	}
	return 0, false
}

func isReg(typ base.OID) bool {
	_, ok := regKind(typ)
	return ok
}

// parseReg reads a number as an OID, "-" as zero, and asks Names for the rest.
func parseReg(typ base.OID, kind RegKind, s string, env *Env) (Datum, error) {
	if s == "-" || s == "0" && kind == RegOper {
		return Datum{}, nil
	}
	if len(s) > 0 && isDigit(s[0]) {
		all := true
		for i := range len(s) {
			all = all && isDigit(s[i])
		}
		if all {
			return parseUnsigned(s, "oid", 32)
		}
	}
	if env == nil || env.Names == nil {
		return Null, pgerror.Unsupported("input of type %s by name", FormatType(typ, -1))
	}
	oid, err := env.Names.OIDOf(kind, s)
	return Datum{I: int64(oid), Null: err != nil}, err
}

func appendReg(dst []byte, kind RegKind, d Datum, env *Env) []byte {
	if d.I == 0 {
		if kind == RegOper || kind == RegOperator {
			return append(dst, '0')
		}
		return append(dst, '-')
	}
	if env != nil && env.Names != nil {
		if name, ok := env.Names.NameOf(kind, base.OID(d.I)); ok {
			return append(dst, name...)
		}
	}
	return appendUint(dst, uint64(d.I))
}
