package sysfuncs

import (
	_ "embed" // of the facts
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/sql/deparse"
	"manifold/engine/types"
)

// keywordFacts are the rows of pg_get_keywords, taken from a running PostgreSQL 15.
//
//go:embed facts/keywords.tsv
var keywordFacts string

func registerOddments(r registry) {
	r.addSet(func(*Scope, *builtins.Context, []types.Datum) ([]types.Datum, error) {
		t := types.OIDText
		var out []types.Datum
		for line := range strings.Lines(keywordFacts) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			out = append(out, record([]base.OID{t, types.OIDChar, types.OIDBool, t, t}, types.Text(f[0]), types.Int(int64(f[1][0])),
				types.Bool(f[2] == "t"), types.Text(f[3]), types.Text(f[4])))
		}
		return out, nil
	}, "pg_get_keywords")
	r.add(func(s *Scope, c *builtins.Context, a []types.Datum) (types.Datum, error) {
		seed := a[0].Float()
		if !(seed >= -1 && seed <= 1) {
			return types.Null, pgerror.Newf(pgerror.InvalidParameterValue, "setseed parameter %g is out of allowed range [-1,1]", seed)
		}
		s.Session.Rand = rand.New(rand.NewPCG(math.Float64bits(seed), 0))
		c.Rand = s.Session.Rand
		return types.Datum{}, nil
	}, "setseed")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return types.Text(s.Session.Info().Query), nil
	}, "current_query")
	r.add(func(_ *Scope, c *builtins.Context, _ []types.Datum) (types.Datum, error) {
		typ := c.ArgTypes[0]
		if typ == types.OIDUnknown {
			return types.Null, nil
		}
		if info, ok := types.Lookup(typ); ok && info.Category != 'S' && !(info.IsArray() && types.ElemType(typ) == types.OIDText) {
			return types.Null, pgerror.Newf(pgerror.DatatypeMismatch, "collations are not supported by type %s", types.Name(typ))
		}
		if c.Collation == 0 {
			return types.Null, nil
		}
		return types.Text(deparse.CollationName(c.Collation)), nil
	}, "pg_collation_for")
	r.add(func(s *Scope, c *builtins.Context, a []types.Datum) (types.Datum, error) {
		iv := types.OpenInterval(a[0])
		days := int64(iv.Months)*30 + int64(iv.Days)
		return types.Datum{}, sleepFor(s, time.Duration(days)*24*time.Hour+time.Duration(iv.Micros)*time.Microsecond)
	}, "oid:3935") // pg_sleep_for
	r.add(func(s *Scope, c *builtins.Context, a []types.Datum) (types.Datum, error) {
		until := time.Unix(epochOffset, 0).Add(time.Duration(a[0].I) * time.Microsecond)
		return types.Datum{}, sleepFor(s, until.Sub(c.Clock()))
	}, "oid:3936") // pg_sleep_until
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		arr := types.OpenArray(a[0])
		var names []string
		for i := range arr.Len() {
			name, ok := s.Names.TypeName(oidArg(arr.At(i)))
			if !ok {
				name = "???"
			}
			names = append(names, name)
		}
		return types.Text(strings.Join(names, ", ")), nil
	}, "oidvectortypes")
}

// epochOffset is 2000-01-01 in seconds of Unix.
const epochOffset = 946684800

func sleepFor(s *Scope, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	err := s.Task.Wait(activity.EventPgSleep, nil, d)
	if err == activity.ErrTimeout {
		return nil
	}
	return err
}
