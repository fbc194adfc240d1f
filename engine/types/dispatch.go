package types

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func inType(typ base.OID, typmod int32, s string, env *Env) (Datum, error) {
	switch typ {
	case OIDInt4:
		v, err := ParseInt(s, 32, "integer")
		return Datum{I: v, Null: err != nil}, err
	case OIDText, OIDVarChar, OIDBPChar, OIDUnknown, OIDCString, OIDRefCursor, OIDACLItem, OIDPgNodeTree:
		return Datum{B: viewBytes(s)}, nil
	case OIDInt8:
		v, err := ParseInt(s, 64, "bigint")
		return Datum{I: v, Null: err != nil}, err
	case OIDInt2:
		v, err := ParseInt(s, 16, "smallint")
		return Datum{I: v, Null: err != nil}, err
	case OIDBool:
		return parseBool(s)
	case OIDFloat8:
		f, err := ParseFloat(s, 64)
		return Datum{I: Float(f).I, Null: err != nil}, err
	case OIDFloat4:
		f, err := ParseFloat(s, 32)
		return Datum{I: Float(f).I, Null: err != nil}, err
	case OIDNumeric:
		return parseNumeric(s)
	case OIDName:
		return Datum{B: viewBytes(TruncateName(s))}, nil
	case OIDChar:
		return charIn(s), nil
	case OIDBytea:
		return parseBytea(s)
	case OIDUUID:
		return parseUUID(s)
	case OIDVoid:
		return Datum{}, nil
	}
	return inOther(typ, typmod, s, env)
}

func inOther(typ base.OID, typmod int32, s string, env *Env) (Datum, error) {
	switch typ {
	case OIDDate:
		return parseDate(s, env)
	case OIDTime:
		return parseTime(s, env)
	case OIDTimeTZ:
		return parseTimeTZ(s, env)
	case OIDTimestamp:
		return parseTimestamp(s, env, false)
	case OIDTimestampTZ:
		return parseTimestamp(s, env, true)
	case OIDInterval:
		return parseInterval(s, typmod)
	case OIDOID:
		return parseUnsigned(s, "oid", 32)
	case OIDXID:
		return parseUnsigned(s, "xid", 64)
	case OIDCID:
		return parseUnsigned(s, "cid", 32)
	case OIDXID8:
		return parseUnsigned(s, "xid8", 64)
	case OIDTID:
		return parseTID(s)
	case OIDPgLSN:
		return parseLSN(s)
	case OIDPgSnapshot, OIDTXIDSnapshot:
		return parseSnapshot(s)
	case OIDJSON:
		return parseJSON(s)
	case OIDJSONB:
		return parseJSONB(s)
	case OIDJSONPath:
		return parseJSONPath(s)
	case OIDInet, OIDCIDR:
		return parseInet(s, typ == OIDCIDR)
	case OIDMacAddr:
		return parseMacAddr(s)
	case OIDMacAddr8:
		return parseMacAddr8(s)
	case OIDOIDVector:
		return parseVector(s, OIDOID, env)
	case OIDInt2Vector:
		return parseVector(s, OIDInt2, env)
	case OIDRecord:
		return Null, pgerror.New(pgerror.FeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	if kind, ok := regKind(typ); ok {
		return parseReg(typ, kind, s, env)
	}
	if info, ok := Lookup(typ); ok && info.IsArray() {
		return ParseArray(info.Elem, typmod, s, info.Delim, env)
	}
	if info, ok := Lookup(typ); ok && info.Kind == 'p' {
		return Null, pgerror.Newf(pgerror.FeatureNotSupported, "cannot accept a value of type %s", info.SQLName)
	}
	if shape, ok := env.ShapeOf(typ); ok {
		if shape.Elem != 0 {
			return ParseArray(shape.Elem, typmod, s, ',', env)
		}
		return parseRow(typ, shape.Columns, s, env)
	}
	return Null, unknownType(typ, "input")
}

func appendText(dst []byte, typ base.OID, d Datum, env *Env) []byte {
	switch typ {
	case OIDInt4, OIDInt8, OIDInt2:
		return appendInt(dst, d.I)
	case OIDText, OIDVarChar, OIDBPChar, OIDName, OIDUnknown, OIDCString, OIDRefCursor, OIDACLItem, OIDPgNodeTree, OIDJSON:
		return append(dst, d.B...)
	case OIDBool:
		if d.I != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case OIDFloat8:
		return AppendFloat(dst, d.Float(), 64, env.floatDigits())
	case OIDFloat4:
		return AppendFloat(dst, d.Float(), 32, env.floatDigits())
	case OIDNumeric:
		return appendNumeric(dst, d.B)
	case OIDDate:
		return appendDate(dst, int32(d.I), env)
	case OIDTimestamp:
		return appendTimestamp(dst, d.I, env)
	case OIDTimestampTZ:
		return appendTimestampTZ(dst, d.I, env)
	case OIDTime:
		return appendTime(dst, d.I)
	case OIDTimeTZ:
		return appendTimeTZ(dst, d.B)
	case OIDInterval:
		return appendInterval(dst, OpenInterval(d), env)
	case OIDUUID:
		return appendUUID(dst, d.B)
	case OIDBytea:
		if env != nil && env.ByteaOutput == ByteaEscape {
			return AppendByteaEscape(dst, d.B)
		}
		return AppendHex(append(dst, '\\', 'x'), d.B)
	}
	return appendTextOther(dst, typ, d, env)
}

func appendTextOther(dst []byte, typ base.OID, d Datum, env *Env) []byte {
	switch typ {
	case OIDOID, OIDXID, OIDCID, OIDXID8:
		return appendUint(dst, uint64(d.I))
	case OIDChar:
		return appendChar(dst, byte(d.I))
	case OIDTID:
		return append(dst, base.UnpackTID(uint64(d.I)).String()...)
	case OIDPgLSN:
		return append(dst, base.LSN(d.I).String()...)
	case OIDPgSnapshot, OIDTXIDSnapshot:
		return appendSnapshot(dst, d)
	case OIDVoid:
		return dst
	case OIDInet, OIDCIDR:
		return AppendInet(dst, d, typ == OIDCIDR)
	case OIDMacAddr, OIDMacAddr8:
		return appendMacAddr(dst, d.B)
	case OIDJSONB:
		return appendJSONB(dst, d.B)
	case OIDRecord:
		return appendRecord(dst, d, env)
	case OIDOIDVector, OIDInt2Vector:
		return appendVector(dst, d, env)
	}
	if kind, ok := regKind(typ); ok {
		return appendReg(dst, kind, d, env)
	}
	if info, ok := Lookup(typ); ok && info.IsArray() {
		return appendArray(dst, d, info.Delim, env)
	}
	if shape, ok := env.ShapeOf(typ); ok && shape.Elem != 0 {
		return appendArray(dst, d, ',', env)
	}
	if typ >= base.FirstNormalOID && d.B != nil {
		return appendRecord(dst, d, env) // the row type of a table: no other kind of user-defined type is stored by reference
	}
	return append(dst, d.B...)
}

// charIn reads a "char": a byte, or three octal digits behind a backslash. What follows the first byte is left out.
func charIn(s string) Datum {
	if len(s) == 4 && s[0] == '\\' && isOctal(s[1]) && isOctal(s[2]) && isOctal(s[3]) {
		return Datum{I: int64(int8(s[1]<<6 | (s[2]-'0')<<3 | (s[3] - '0')))}
	}
	if s == "" {
		return Datum{}
	}
	return Datum{I: int64(int8(s[0]))}
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// appendChar writes a "char"; bytes beyond ASCII are octal, for they may be no characters by themselves.
func appendChar(dst []byte, c byte) []byte {
	switch {
	case c == 0:
		return dst
	case c < 0x80:
		return append(dst, c)
	}
	return append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
}
