package types

import (
	"bytes"

	"manifold/engine/pgerror"
)

// maxRecordText bounds the text form of a row, in bytes. Every level of nesting doubles the quotes of what is inside, so that a
// row nested some forty times has few bytes and no text form that a machine could hold.
const maxRecordText = 256 << 20

// CheckRecord fails with 54000 when a row of these columns would be larger than 256 MiB as text. PostgreSQL fails alike, only
// later: when it prints the row.
func CheckRecord(fields []Field) error {
	nested := false
	for i := range fields {
		nested = nested || fields[i].Type == OIDRecord || fields[i].Type == OIDRecordArray
	}
	if !nested {
		return nil
	}
	if size, _ := recordText(fields); size > maxRecordText {
		return pgerror.New(pgerror.ProgramLimitExceeded, "out of memory").
			WithDetail("The text form of the row would be larger than %d bytes.", maxRecordText)
	}
	return nil
}

// recordText bounds the length of a row's text form and the number of characters in it that its container must double. It
// stops counting once the length is beyond the limit.
func recordText(fields []Field) (size, special int) {
	size = 2
	for i := range fields {
		n, s := fieldText(&fields[i])
		size += n + s + 3 // a comma and two quotes
		special += 2*s + 2
		if size > maxRecordText {
			return size, 0
		}
	}
	return size, special
}

func fieldText(f *Field) (size, special int) {
	switch n := len(f.Value.B); {
	case f.Value.Null:
		return 0, 0
	case f.Type == OIDRecord:
		return recordText(OpenRecord(f.Value))
	case f.Type == OIDRecordArray:
		a := OpenArray(f.Value)
		size = 128 // the bounds
		for i := range a.Len() {
			n, s := fieldText(&Field{Type: OIDRecord, Value: a.At(i)})
			size += n + s + 3
			special += 2*s + 2
			if size > maxRecordText {
				return size, 0
			}
		}
		return size, special
	case f.Type == OIDText || f.Type == OIDVarChar || f.Type == OIDBPChar || f.Type == OIDJSON || f.Type == OIDUnknown:
		return n, bytes.Count(f.Value.B, []byte{'"'}) + bytes.Count(f.Value.B, []byte{'\\'})
	default:
		return 8*n + 64, 2 * n
	}
}
