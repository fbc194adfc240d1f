package command

import (
	"strconv"

	"manifold/engine/setting"
)

// intOption gives a storage parameter of a table that ALTER TABLE checked, or what holds without one.
func intOption(options map[string]string, name string, otherwise int64) int64 {
	if v, err := strconv.ParseInt(options[name], 10, 64); err == nil {
		return v
	}
	return otherwise
}

func realOption(options map[string]string, name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(options[name], 64); err == nil {
		return v
	}
	return otherwise
}

func boolOption(options map[string]string, name string, otherwise bool) bool {
	if v, ok := setting.ParseBool(options[name]); ok {
		return v
	}
	return otherwise
}
