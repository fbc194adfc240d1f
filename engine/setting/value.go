package setting

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
)

func lower(s string) string { return strings.ToLower(s) }

// unit is one spelling of a unit and its worth in the smallest of its family: bytes or microseconds.
type unit struct {
	name  string
	worth float64
}

func memoryUnits() []unit {
	return []unit{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}}
}

func timeUnits() []unit {
	return []unit{{"d", 86400e6}, {"h", 3600e6}, {"min", 60e6}, {"s", 1e6}, {"ms", 1e3}, {"us", 1}}
}

// family gives the units a value may have and the worth of the parameter's own unit; nil when it has none.
func (s *Setting) family() ([]unit, float64) {
	switch s.Unit {
	case "B":
		return memoryUnits(), 1
	case "kB":
		return memoryUnits(), 1 << 10
	case "8kB":
		return memoryUnits(), 8 << 10
	case "MB":
		return memoryUnits(), 1 << 20
	case "ms":
		return timeUnits(), 1e3
	case "s":
		return timeUnits(), 1e6
	case "min":
		return timeUnits(), 60e6
	}
	return nil, 1
}

// CheckChange tells whether a session may SET the parameter: live tells that the server is already running the session.
func (s *Setting) CheckChange(superuser bool) error {
	switch s.Context {
	case Internal:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter %q cannot be changed", s.Name)
	case Postmaster:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter %q cannot be changed without restarting the server", s.Name)
	case Sighup:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter %q cannot be changed now", s.Name)
	case Backend, SuperuserBackend:
		return pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter %q cannot be set after connection start", s.Name)
	case Superuser:
		if !superuser {
			return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to set parameter %q", s.Name)
		}
	}
	return nil
}

// Parse reads a value and checks its limits.
func (s *Setting) Parse(text string) (Value, error) {
	switch s.Kind {
	case Bool:
		if b, ok := ParseBool(text); ok {
			return Value{Bool: b}, nil
		}
		return Value{}, pgerror.Newf(pgerror.InvalidParameterValue, "parameter %q requires a Boolean value", s.Name)
	case Int:
		f, err := s.parseNumber(text)
		if err != nil {
			return Value{}, err
		}
		return Value{Int: int64(f)}, nil
	case Real:
		f, err := s.parseNumber(text)
		return Value{Real: f}, err
	case Enum:
		return s.parseEnum(text)
	}
	return Value{Str: text}, nil
}

// ParseBool reads a setting or storage parameter that is on or off: words may be cut as far as they are told apart.
func ParseBool(text string) (value, ok bool) {
	t := strings.ToLower(text)
	if t == "" {
		return false, false
	}
	for _, word := range [...]string{"true", "yes", "on"} {
		if strings.HasPrefix(word, t) && t != "o" {
			return true, true
		}
	}
	for _, word := range [...]string{"false", "no", "off"} {
		if strings.HasPrefix(word, t) && t != "o" {
			return false, true
		}
	}
	return t == "1", t == "1" || t == "0"
}

func (s *Setting) parseEnum(text string) (Value, error) {
	for _, e := range s.Enum {
		if strings.EqualFold(e, text) {
			return Value{Str: e}, nil
		}
	}
	if alias, ok := s.enumAlias(text); ok {
		return Value{Str: alias}, nil
	}
	return Value{}, s.invalid(text).WithHint("Available values: %s.", strings.Join(s.Enum, ", "))
}

// enumAlias reads the spellings of booleans that enums with on and off take silently.
func (s *Setting) enumAlias(text string) (string, bool) {
	b, ok := ParseBool(text)
	if !ok || len(text) == 0 || strings.EqualFold(text, "t") || strings.EqualFold(text, "f") {
		return "", false
	}
	want := "off"
	if b {
		want = "on"
	}
	for _, e := range s.Enum {
		if e == want {
			return e, true
		}
	}
	return "", false
}

func (s *Setting) invalid(text string) *pgerror.Error {
	return pgerror.Newf(pgerror.InvalidParameterValue, "invalid value for parameter %q: %q", s.Name, text)
}

// parseNumber reads a number with an optional unit and gives it in the parameter's own unit, rounded for integers.
func (s *Setting) parseNumber(text string) (float64, error) {
	t := strings.TrimSpace(text)
	end := numberEnd(t)
	number, suffix := t[:end], strings.TrimSpace(t[end:])
	f, ok := parseFloat(number, s.Kind == Int)
	if !ok {
		return 0, s.invalid(text)
	}
	units, worth := s.family()
	if suffix != "" {
		if units == nil {
			return 0, s.invalid(text)
		}
		found := false
		for _, u := range units {
			if u.name == suffix {
				f, found = f*(u.worth/worth), true
				break
			}
		}
		if !found {
			hint := `Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`
			if units[0].name == "TB" {
				hint = `Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`
			}
			return 0, s.invalid(text).WithHint("%s", hint)
		}
	}
	if s.Kind == Int {
		f = math.RoundToEven(f)
		if f > math.MaxInt32 || f < math.MinInt32 {
			return 0, s.invalid(text).WithHint("Value exceeds integer range.")
		}
	}
	if f < s.Min || f > s.Max {
		return 0, s.outOfRange(f)
	}
	return f, nil
}

func numberEnd(t string) int {
	end := 0
	if strings.HasPrefix(strings.TrimLeft(t, "+-"), "0x") || strings.HasPrefix(strings.TrimLeft(t, "+-"), "0X") {
		end = strings.IndexAny(t, "xX") + 1
		for end < len(t) && strings.IndexByte("0123456789abcdefABCDEF", t[end]) >= 0 {
			end++
		}
		return end
	}
	for end < len(t) && strings.IndexByte("0123456789.+-", t[end]) >= 0 {
		end++
	}
	if end > 0 && end+1 < len(t) && (t[end] == 'e' || t[end] == 'E') && strings.IndexByte("0123456789+-", t[end+1]) >= 0 {
		end += 2
		for end < len(t) && t[end] >= '0' && t[end] <= '9' {
			end++
		}
	}
	return end
}

func parseFloat(number string, integer bool) (float64, bool) {
	if integer && !strings.ContainsAny(number, ".eE") || strings.ContainsAny(number, "xX") {
		base := 0
		i, err := strconv.ParseInt(number, base, 64)
		return float64(i), err == nil
	}
	f, err := strconv.ParseFloat(number, 64)
	return f, err == nil && !math.IsNaN(f)
}

func (s *Setting) outOfRange(f float64) error {
	unit := ""
	if s.Unit != "" {
		unit = " " + s.Unit
	}
	if s.Kind == Int {
		return pgerror.Newf(pgerror.InvalidParameterValue, "%d%s is outside the valid range for parameter %q (%d .. %d)",
			int64(f), unit, s.Name, int64(s.Min), int64(s.Max))
	}
	return pgerror.Newf(pgerror.InvalidParameterValue, "%s%s is outside the valid range for parameter %q (%s .. %s)",
		shortFloat(f), unit, s.Name, shortFloat(s.Min), shortFloat(s.Max))
}

// shortFloat prints a number as C's %g does.
func shortFloat(f float64) string {
	t := strconv.FormatFloat(f, 'g', 6, 64)
	return t
}

// Format prints a value as SHOW does: numbers in the largest unit that divides them.
func (s *Setting) Format(v Value) string {
	switch s.Kind {
	case Bool:
		if v.Bool {
			return "on"
		}
		return "off"
	case Int:
		return s.formatInt(v.Int)
	case Real:
		units, worth := s.family()
		if units == nil || v.Real <= 0 {
			return shortFloat(v.Real)
		}
		return s.formatReal(v.Real, units, worth)
	}
	return v.Str
}

// Plain prints a value as pg_settings.setting does: in the parameter's own unit, without it.
func (s *Setting) Plain(v Value) string {
	switch s.Kind {
	case Int:
		if octal(s.Name) {
			return fmt.Sprintf("%04o", v.Int)
		}
		return strconv.FormatInt(v.Int, 10)
	case Real:
		return shortFloat(v.Real)
	}
	return s.Format(v)
}

func octal(name string) bool {
	return name == "unix_socket_permissions" || name == "log_file_mode" || name == "data_directory_mode"
}

func (s *Setting) formatInt(i int64) string {
	if octal(s.Name) {
		return fmt.Sprintf("%04o", i)
	}
	units, worth := s.family()
	if units == nil || i <= 0 {
		return strconv.FormatInt(i, 10)
	}
	total := float64(i) * worth
	for _, u := range units {
		if q := total / u.worth; q == math.Trunc(q) {
			return strconv.FormatInt(int64(q), 10) + u.name
		}
	}
	return strconv.FormatInt(i, 10) + s.Unit
}

func (s *Setting) formatReal(f float64, units []unit, worth float64) string {
	total := f * worth
	for _, u := range units {
		if q := total / u.worth; q >= 1 && q == math.Trunc(q) {
			return shortFloat(q) + u.name
		}
	}
	return shortFloat(f) + s.Unit
}
