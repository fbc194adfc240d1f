package types

import "encoding/binary"

// appendKeyJSON appends the sort key of a jsonb: its kind, then a string with its end, a number's key, or the count of the parts
// and the parts. An empty array on top is below everything.
func appendKeyJSON(dst []byte, v *JSON, top bool) ([]byte, error) {
	if top && v.Kind == JSONArray && len(v.Elems) == 0 {
		return append(dst, 1), nil
	}
	dst = append(dst, byte(v.Kind)+2)
	var err error
	switch v.Kind {
	case JSONBool:
		return append(dst, byte(Bool(v.Bool).I)), nil
	case JSONString:
		return appendKeyText(dst, viewBytes(v.Str))
	case JSONNumber:
		return appendKeyNumeric(dst, v.Num), nil
	case JSONArray:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Elems)))
		for i := range v.Elems {
			if dst, err = appendKeyJSON(dst, &v.Elems[i], false); err != nil {
				return nil, err
			}
		}
	case JSONObject:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Keys)))
		for i, k := range v.Keys {
			if dst, err = appendKeyText(dst, viewBytes(k)); err != nil {
				return nil, err
			}
			if dst, err = appendKeyJSON(dst, &v.Values[i], false); err != nil {
				return nil, err
			}
		}
	}
	return dst, nil
}
