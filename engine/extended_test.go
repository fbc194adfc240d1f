package engine

import (
	"strings"
	"testing"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// extended runs a statement through Parse, Bind, Execute and Sync with text parameters, as run does for the simple protocol.
func (c *client) extended(sql string, params ...string) string {
	c.out = nil
	err := c.b.Parse(c.s, "", sql, []base.OID{})
	if err == nil {
		values := make([][]byte, len(params))
		for i, p := range params {
			if p != "~" {
				values[i] = []byte(p)
			}
		}
		err = c.b.Bind(c.s, "", "", nil, values, nil)
	}
	if err == nil {
		_, err = c.b.Execute(c.s, "", 0, c)
	}
	if err != nil {
		e := pgerror.From(err)
		c.b.Fail(c.s, e)
		c.out = append(c.out, "ERROR "+e.Code+": "+e.Message)
	}
	if err := c.b.Sync(c.s); err != nil {
		c.t.Fatal(err)
	}
	if err := c.s.AwaitAnswer(); err != nil {
		c.t.Fatal(err)
	}
	return strings.Join(c.out, "\n")
}

// TestFailedBlockSurvivesBind pins a Bind that began a new transaction within a failed block, which then was no block.
func TestFailedBlockSurvivesBind(t *testing.T) {
	c := connect(t, testEngine(t, newCluster(t)))
	for _, q := range []struct{ sql, want string }{
		{"create table t (a int primary key)", "CREATE TABLE"},
		{"begin", "BEGIN"},
		{"insert into t values (1)", "INSERT 0 1"},
		{"insert into t values (1)", "ERROR 23505: duplicate key value violates unique constraint \"t_pkey\""},
		{"select 1", "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block"},
		{"rollback to nosuch", "ERROR 3B001: savepoint \"nosuch\" does not exist"},
		{"commit", "ROLLBACK"},
		{"select count(*) from t", "0"},
	} {
		if got := c.extended(q.sql); got != q.want {
			t.Errorf("%s\n got %s\nwant %s", q.sql, got, q.want)
		}
	}
}

// TestWholeRowInBinary pins the row type of a table that had no binary form.
func TestWholeRowInBinary(t *testing.T) {
	row := types.Bytes(types.AppendRecord(nil, []types.Field{{Type: types.OIDInt4, Typmod: -1, Value: types.Int(7)}}))
	got, err := types.AppendBinary(nil, base.FirstNormalOID, row, types.NewEnv())
	want := "\x00\x00\x00\x01" + "\x00\x00\x00\x17" + "\x00\x00\x00\x04" + "\x00\x00\x00\x07"
	if err != nil || string(got) != want {
		t.Fatalf("%x, %v", got, err)
	}
}

// TestParametersOfExtendedStatements runs one statement with one parameter after the other.
func TestParametersOfExtendedStatements(t *testing.T) {
	c := connect(t, testEngine(t, newCluster(t)))
	c.run("create table t (a int primary key, b text, n numeric)")
	for _, q := range []struct {
		sql, want string
		params    []string
	}{
		{"insert into t values ($1, $2, $3) returning a, b, n", "1|x|1.50\nINSERT 0 1", []string{"1", "x", "1.50"}},
		{"insert into t values ($1, $2, $3) returning a, b, n", "2|~|-3\nINSERT 0 1", []string{"2", "~", "-3"}},
		{"select b from t where a = $1", "x", []string{"1"}},
		{"select b from t where a = $1", "~", []string{"2"}},
		{"select b from t where a = $1", "", []string{"~"}},
		{"select b from t where a = $1", "ERROR 22P02: invalid input syntax for type integer: \"x\"", []string{"x"}},
		{"select a from t where a = any ($1) order by a", "1\n2", []string{"{1,2,3}"}},
		{"select a from t order by a limit $1", "1", []string{"1"}},
		{"select $1::int + 1, $2 || 'x'", "6|ax", []string{"5", "a"}},
		{"update t set n = n + $1 where a = $2", "UPDATE 1", []string{"0.5", "1"}},
		{"select n from t where n > $1", "2.00", []string{"1.9"}},
		{"select 1; select 2", "ERROR 42601: cannot insert multiple commands into a prepared statement", nil},
	} {
		if got := c.extended(q.sql, q.params...); got != q.want {
			t.Errorf("%s %q\n got %s\nwant %s", q.sql, q.params, got, q.want)
		}
	}
}

// TestParametersOfUtilityStatements pins $1 in the queries that other statements contain, as cursors of drivers have it. A cursor
// keeps its parameters though the portal that they came with has been bound again.
func TestParametersOfUtilityStatements(t *testing.T) {
	c := connect(t, testEngine(t, newCluster(t)))
	for _, q := range []struct {
		sql    string
		params []string
		want   string
	}{
		{"create table t as select i, $1::text as x, $2 as y from generate_series(1, $3) i", []string{"a", "b", "3"}, ""},
		{"select y, count(*) from t where x = $1 group by y", []string{"a"}, "b|3"},
		{"select i into u from t where i > $1", []string{"1"}, ""},
		{"select i from u order by i", nil, "2\n3"},
		{"explain (costs off) select * from t where x = $1", []string{"a"}, "Seq Scan on t\n  Filter: (x = $1)\nEXPLAIN"},
		{"create view v as select $1::int", nil, "ERROR 42P02: there is no parameter $1"},
		{"create table d (a int default $1)", nil, "ERROR 42P02: there is no parameter $1"},
		{"copy (select $1::int) to stdout", nil, "ERROR 42P02: there is no parameter $1"},
		{"begin", nil, "BEGIN"},
		{"declare c cursor with hold for select i, $1::text from t where i < $2 order by i", []string{"kept", "3"}, "DECLARE CURSOR"},
		{"fetch c", nil, "1|kept\nFETCH 1"},
		{"select $1::text || $2", []string{"over", "written"}, "overwritten"},
		{"fetch c", nil, "2|kept\nFETCH 1"},
		{"commit", nil, "COMMIT"},
		{"fetch absolute 1 from c", nil, "1|kept\nFETCH 1"},
	} {
		if got := c.extended(q.sql, q.params...); got != q.want {
			t.Errorf("%s\n got %s\nwant %s", q.sql, got, q.want)
		}
	}
}
