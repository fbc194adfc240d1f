package sysfuncs

import (
	"strconv"
	"sync"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/types"
)

// scalar is a function of a session.
type scalar func(s *Scope, c *builtins.Context, a []types.Datum) (types.Datum, error)

// set is a set-returning function of a session: it gives all rows at once, each a value or, with several columns, a row.
type set func(s *Scope, c *builtins.Context, a []types.Datum) ([]types.Datum, error)

// registry maps PostgreSQL's names of C functions, or "oid:N" for functions written in SQL, to implementations.
type registry map[string]builtins.Entry

func (r registry) add(f scalar, names ...string) {
	for _, n := range names {
		r[n] = builtins.Entry{Scalar: func(c *builtins.Context, a []types.Datum) (types.Datum, error) {
			s, err := of(c)
			if err != nil {
				return types.Null, err
			}
			return f(s, c, a)
		}}
	}
}

func (r registry) addSet(f set, names ...string) {
	for _, n := range names {
		r[n] = builtins.Entry{Set: func(c *builtins.Context, a []types.Datum) (builtins.Iterator, error) {
			s, err := of(c)
			if err != nil {
				return nil, err
			}
			rows, err := f(s, c, a)
			return &rowsIterator{rows: rows}, err
		}}
	}
}

// rowsIterator hands out rows made beforehand.
type rowsIterator struct {
	rows []types.Datum
	at   int
}

func (i *rowsIterator) Next(*builtins.Context) (types.Datum, bool, error) {
	if i.at >= len(i.rows) {
		return types.Null, false, nil
	}
	i.at++
	return i.rows[i.at-1], true, nil
}

// table is filled on first use and only read after that.
var table = sync.OnceValue(buildTable)

func buildTable() map[base.OID]builtins.Entry {
	r := registry{}
	for _, register := range []func(registry){registerSession, registerLocks, registerSettings, registerNames, registerDefinitions, registerComments,
		registerPrivileges, registerSizes, registerSequences, registerAdvisory, registerNotify, registerSets, registerOddments, registerReports, registerStatistics} {
		register(r)
	}
	out := map[base.OID]builtins.Entry{}
	facts := bootstrap.Load("pg_proc")
	id, src, nargs, name := facts.Column("oid"), facts.Column("prosrc"), facts.Column("pronargs"), facts.Column("proname")
	for _, row := range facts.Rows {
		e, ok := r[row[src]]
		if !ok || row[src] == "" {
			e, ok = r["oid:"+row[id]]
		}
		if !ok {
			continue
		}
		n, err := strconv.Atoi(row[id])
		if err != nil {
			continue
		}
		e.Name = row[name]
		e.Args, _ = strconv.Atoi(row[nargs])
		out[base.OID(n)] = e
	}
	return out
}

func oidArg(d types.Datum) base.OID { return base.OID(uint32(d.I)) }
func oidOf(o base.OID) types.Datum  { return types.Int(int64(o)) }
func text(d types.Datum) string     { return string(d.B) }

// record makes a row value.
func record(typs []base.OID, values ...types.Datum) types.Datum {
	f := make([]types.Field, len(values))
	for i := range values {
		f[i] = types.Field{Type: typs[i], Typmod: -1, Value: values[i]}
	}
	return types.Bytes(types.AppendRecord(nil, f))
}
