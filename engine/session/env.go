package session

import (
	"strings"
	"time"

	"manifold/engine/types"
)

// Env gives the settings that change the forms of values. The pointer stays the same for the life of the session; Now and
// Names are left to who runs the statement.
func (s *Session) Env() *types.Env {
	g := s.Settings
	stamp := g.Stamp() + 1
	if s.envStamp == stamp {
		return &s.env
	}
	s.envStamp = stamp
	e := g.base.env.Load()
	switch {
	case len(g.own) > 0:
		e = readEnv(g)
	case e == nil:
		e = readEnv(g)
		g.base.env.Store(e)
	}
	now, names := s.env.Now, s.env.Names
	s.env = *e
	s.env.Now, s.env.Names = now, names
	return &s.env
}

func readEnv(g *Settings) *types.Env {
	e := &types.Env{TimeZoneName: g.Get("TimeZone").Str}
	if loc, err := types.LoadZone(e.TimeZoneName); err == nil {
		e.TimeZone = loc
	} else {
		e.TimeZone = time.UTC
	}
	e.DateStyle, e.DateOrder = dateStyle(g.Get("DateStyle").Str)
	e.IntervalStyle = types.IntervalPostgres
	switch g.Get("IntervalStyle").Str {
	case "postgres_verbose":
		e.IntervalStyle = types.IntervalPostgresVerbose
	case "sql_standard":
		e.IntervalStyle = types.IntervalSQL
	case "iso_8601":
		e.IntervalStyle = types.IntervalISO8601
	}
	e.ByteaOutput = types.ByteaHex
	if g.Get("bytea_output").Str == "escape" {
		e.ByteaOutput = types.ByteaEscape
	}
	e.ExtraFloatDigits = int(g.Get("extra_float_digits").Int)
	return e
}

// dateStyle reads "ISO, MDY".
func dateStyle(text string) (style types.DateStyle, order types.DateOrder) {
	for _, word := range strings.Split(text, ",") {
		switch w := strings.ToUpper(strings.TrimSpace(word)); {
		case w == "SQL":
			style = types.DateSQL
		case strings.HasPrefix(w, "POSTGRES"):
			style = types.DatePostgres
		case w == "GERMAN":
			style = types.DateGerman
		case w == "DMY", strings.HasPrefix(w, "EURO"):
			order = types.OrderDMY
		case w == "YMD":
			order = types.OrderYMD
		}
	}
	return style, order
}
