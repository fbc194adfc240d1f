package types

import (
	"testing"

	"manifold/engine/pgerror"
)

func nestedRow(depth int) []Field {
	fields := []Field{{Type: OIDText, Typmod: -1, Value: Datum{B: []byte(`a "quoted" \ text`)}}}
	for range depth {
		fields = []Field{{Type: OIDRecord, Typmod: -1, Value: Datum{B: AppendRecord(nil, fields)}}}
	}
	return fields
}

func TestRecordTextIsBounded(t *testing.T) {
	for depth := range 12 {
		fields := nestedRow(depth)
		text := appendText(nil, OIDRecord, Datum{B: AppendRecord(nil, fields)}, NewEnv())
		if bound, _ := recordText(fields); bound < len(text) {
			t.Errorf("depth %d: %d bytes, bounded by %d", depth, len(text), bound)
		}
		if err := CheckRecord(fields); err != nil {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
	if err := CheckRecord(nestedRow(60)); err == nil || pgerror.From(err).Code != pgerror.ProgramLimitExceeded {
		t.Errorf("depth 60: %v", err)
	}
}
