package session

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/setting"
	"manifold/engine/types"
)

// canonical checks the values whose rules the table of settings does not know, and gives them their usual spelling.
func (s *Settings) canonical(name string, v setting.Value) (setting.Value, error) {
	var err error
	switch name {
	case "TimeZone":
		v.Str, err = canonicalZone(v.Str)
	case "DateStyle":
		v.Str, err = canonicalDateStyle(v.Str, s.Get("DateStyle").Str)
	case "wal_consistency_checking":
		err = checkManagers(v.Str)
	case "wal_compression":
		if v.Str == "on" {
			v.Str = "pglz"
		}
	case "client_encoding":
		v.Str, err = canonicalEncoding(v.Str)
	case "standard_conforming_strings":
		if !v.Bool {
			err = pgerror.Unsupported("standard_conforming_strings = off")
		}
	}
	return v, err
}

// checkManagers accepts a list of resource managers.
func checkManagers(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		if len(strings.Fields(word)) != 1 {
			return invalidValue("wal_consistency_checking", text).WithDetail("List syntax is invalid.")
		}
	}
	if _, bad := rmgr.ParseChecks(text); bad != "" {
		return invalidValue("wal_consistency_checking", text).WithDetail("Unrecognized key word: \"%s\".", bad)
	}
	return nil
}

func invalidValue(name, text string) *pgerror.Error {
	return pgerror.Newf(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", name, text)
}

// canonicalZone accepts a zone's name, or its distance from UTC in hours or hours:minutes, east positive.
func canonicalZone(text string) (string, error) {
	if minutes, ok := zoneMinutes(text); ok {
		// POSIX counts west of Greenwich as positive.
		return fmt.Sprintf("<%s>%s", zoneOffset(minutes), zoneOffset(-minutes)), nil
	}
	if _, err := types.LoadZone(text); err != nil {
		return "", invalidValue("TimeZone", text)
	}
	return text, nil
}

func zoneMinutes(text string) (int, bool) {
	hours, minutes, split := strings.Cut(text, ":")
	h, err := strconv.ParseFloat(hours, 64)
	if err != nil || math.IsNaN(h) || math.Abs(h) > 167 {
		return 0, false
	}
	total := int(math.Round(h * 60))
	if split {
		m, err := strconv.Atoi(minutes)
		if err != nil || m < 0 || m > 59 {
			return 0, false
		}
		if strings.HasPrefix(hours, "-") {
			m = -m
		}
		total += m
	}
	return total, true
}

func zoneOffset(minutes int) string {
	sign := '+'
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	if minutes%60 == 0 {
		return fmt.Sprintf("%c%02d", sign, minutes/60)
	}
	return fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
}

// canonicalDateStyle spells a style and an order out; what text leaves open stays as it is in old.
func canonicalDateStyle(text, old string) (string, error) {
	style, order, ok := strings.Cut(old, ", ")
	if !ok {
		style, order = "ISO", "MDY"
	}
	for _, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		switch w := strings.ToUpper(word); {
		case w == "ISO", w == "SQL":
			style = w
		case strings.HasPrefix(w, "POSTGRES"):
			style = "Postgres"
		case w == "GERMAN":
			style, order = "German", "DMY"
		case w == "YMD":
			order = w
		case w == "DMY", strings.HasPrefix(w, "EURO"):
			order = "DMY"
		case w == "MDY", w == "US", strings.HasPrefix(w, "NONEURO"):
			order = "MDY"
		case w == "DEFAULT":
			style, order = "ISO", "MDY"
		default:
			return "", invalidValue("DateStyle", text).WithDetail("Unrecognized key word: \"%s\".", strings.ToLower(word))
		}
	}
	return style + ", " + order, nil
}

// canonicalEncoding accepts the encodings that need no conversion.
func canonicalEncoding(text string) (string, error) {
	switch strings.NewReplacer("-", "", "_", "", "'", "", " ", "").Replace(strings.ToUpper(text)) {
	case "UTF8", "UNICODE":
		return "UTF8", nil
	case "SQLASCII":
		return "SQL_ASCII", nil
	case "LATIN1", "LATIN9", "WIN1252", "WIN1251", "ISO88591", "ISO885915", "EUCJP", "SJIS", "GBK", "EUCKR", "KOI8R":
		return "", pgerror.Unsupported("client_encoding %s", text)
	}
	return "", invalidValue("client_encoding", text)
}
