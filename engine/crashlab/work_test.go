package crashlab

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"manifold/engine/pgerror"
)

const (
	sessions = 4
	keys     = 80 // of a table, over all sessions
	tables   = 5  // that come and go
)

// worker is a session with what its transaction has done. A key belongs to the session that it leaves as remainder.
type worker struct {
	*client
	n      int
	open   bool // in a transaction block
	failed bool // which has failed
	async  bool // synchronous_commit is off
	moved  bool // it has given a catalog another file, which may be undone
	did    change
	saves  []change // at each savepoint
}

// action is a statement with what it does and how it must end.
type action struct {
	sql   string
	copy  string
	does  change
	code  string  // the SQLSTATE it must fail with
	may   string  // one that it may fail with
	alone bool    // only outside a block
	ends  endKind // of the block
	then  func(*worker)
	sees  func([]string) error // judges the rows
}

// endKind is how a statement ends a transaction block.
type endKind uint8

const (
	goesOn endKind = iota
	commits
	prepares
	rollsBack
)

// text is the wide value of a stamp: small, compressible, out of line, or both.
func text(stamp int) string {
	switch stamp % 8 {
	case 5:
		return strings.Repeat(fmt.Sprintf("stamp %d ", stamp), 300)
	case 6, 7:
		r := rand.New(rand.NewPCG(uint64(stamp), 1))
		var b strings.Builder
		for range []int{6: 200, 7: 900}[stamp%8] {
			fmt.Fprintf(&b, "%016x", r.Uint64())
		}
		return b.String()
	}
	return fmt.Sprintf("stamp %d", stamp)
}

// view is the state as the next statement of a session sees it.
func (w *worker) view(l *ledger) state {
	s := maps.Clone(l.now)
	s.apply(w.did)
	return s
}

// next chooses what a session does.
func (w *worker) next(r *rand.Rand, l *ledger, lab *lab) action {
	if w.failed {
		if len(w.saves) > 0 && r.IntN(2) == 0 {
			return rollbackTo(len(w.saves) - 1)
		}
		return action{sql: "rollback", ends: rollsBack}
	}
	if w.open {
		if a, ok := w.control(r, l, lab); ok {
			return a
		}
	} else if r.IntN(3) == 0 {
		return action{sql: "begin", then: func(w *worker) { w.open = true }}
	}
	switch op := r.IntN(100); {
	case op < 28:
		return w.changeParent(r, l)
	case op < 37:
		return w.changeChild(r, l)
	case op < 45:
		return w.changeMany(r, l)
	case op < 68:
		return w.changeTable(r, l)
	case op < 80:
		return w.define(r, l)
	case op < 84:
		return w.nextval(l)
	case w.open:
		return w.changeParent(r, l)
	}
	return w.maintain(r, l, lab)
}

// control chooses what ends a block or a part of it.
func (w *worker) control(r *rand.Rand, l *ledger, lab *lab) (action, bool) {
	switch op := r.IntN(40); {
	case op < 5:
		return action{sql: "commit", ends: commits}, true
	case op == 5:
		return action{sql: "rollback", ends: rollsBack}, true
	case op == 6:
		n := 0
		for k := range l.now {
			if strings.HasPrefix(k, "prepared/") {
				n++
			}
		}
		if n < 3 {
			a := action{sql: fmt.Sprintf("prepare transaction '%s'", lab.gid()), ends: prepares}
			if w.moved {
				a.may = pgerror.FeatureNotSupported
			}
			return a, true
		}
	case op < 10:
		return action{sql: fmt.Sprintf("savepoint s%d", len(w.saves)),
			then: func(w *worker) { w.saves = append(w.saves, maps.Clone(w.did)) }}, true
	case op < 12 && len(w.saves) > 0:
		return rollbackTo(r.IntN(len(w.saves))), true
	case op == 12 && len(w.saves) > 0:
		n := r.IntN(len(w.saves))
		return action{sql: fmt.Sprintf("release s%d", n), then: func(w *worker) { w.saves = w.saves[:n] }}, true
	}
	return action{}, false
}

func rollbackTo(n int) action {
	return action{sql: fmt.Sprintf("rollback to s%d", n), then: func(w *worker) {
		w.did, w.failed = maps.Clone(w.saves[n]), false
		w.saves = w.saves[:n+1]
	}}
}

// key chooses one of the session's keys.
func (w *worker) key(r *rand.Rand) int { return r.IntN(keys/sessions)*sessions + w.n }

func (w *worker) changeParent(r *rand.Rand, l *ledger) action {
	v, k, u, stamp := w.view(l), w.key(r), w.key(r), r.IntN(1<<20)
	name := fmt.Sprintf("parent/%d", k)
	row := fmt.Sprintf("%d:%d", u, stamp)
	taken, referred := false, false
	for n, x := range v {
		taken = taken || n != name && strings.HasPrefix(n, "parent/") && strings.HasPrefix(x, fmt.Sprintf("%d:", u))
		referred = referred || strings.HasPrefix(n, "child/") && strings.HasPrefix(x, fmt.Sprintf("%d:", k))
	}
	_, there := v[name]
	code := ""
	switch op := r.IntN(10); {
	case op < 5:
		if there || taken {
			code = "23505"
		}
		return action{sql: fmt.Sprintf("insert into parent values (%d, %d, %d, '%s')", k, u, stamp, text(stamp)), does: change{name: row}, code: code}
	case op < 8:
		if !there {
			return action{sql: fmt.Sprintf("update parent set stamp = 0 where k = %d", k)}
		}
		if taken {
			code = "23505"
		}
		return action{sql: fmt.Sprintf("update parent set u = %d, stamp = %d, v = '%s' where k = %d", u, stamp, text(stamp), k),
			does: change{name: row}, code: code}
	}
	if there && referred {
		code = "23503"
	}
	does := change{}
	if there {
		does[name] = gone
	}
	return action{sql: fmt.Sprintf("delete from parent where k = %d", k), does: does, code: code}
}

func (w *worker) changeChild(r *rand.Rand, l *ledger) action {
	v, k, p, stamp := w.view(l), w.key(r), w.key(r), r.IntN(1<<20)
	name := fmt.Sprintf("child/%d", k)
	_, there := v[name]
	_, ok := v[fmt.Sprintf("parent/%d", p)]
	if r.IntN(3) == 0 {
		does := change{}
		if there {
			does[name] = gone
		}
		return action{sql: fmt.Sprintf("delete from child where k = %d", k), does: does}
	}
	code := ""
	if !ok {
		code = "23503"
	}
	return action{sql: fmt.Sprintf(`insert into child values (%d, %d, %d) on conflict (k) do update set p = excluded.p, stamp = excluded.stamp`,
		k, p, stamp), does: change{name: fmt.Sprintf("%d:%d", p, stamp)}, code: code}
}

// batches is how many a session has in table many.
const batches = 3

// changeMany makes, changes or removes the rows of a batch; the indexes of their table have three keys, and one for a batch.
func (w *worker) changeMany(r *rand.Rand, l *ledger) action {
	b, stamp := r.IntN(batches)*sessions+w.n, r.IntN(1<<20)
	name := fmt.Sprintf("many/%d", b)
	old, there := w.view(l)[name]
	switch op := r.IntN(10); {
	case op < 4 && !there:
		n := 1 + r.IntN(250)
		return action{sql: fmt.Sprintf("insert into many select %d, i, (i + %d) %% 3, %d from generate_series(1, %d) i", b, stamp, stamp, n),
			does: change{name: fmt.Sprintf("%d:%d:%d", n, stamp, stamp)}}
	case op < 8:
		does := change{}
		if there {
			n, _, _ := strings.Cut(old, ":")
			does[name] = fmt.Sprintf("%s:%d:%d", n, stamp, stamp)
		}
		return action{sql: fmt.Sprintf("update many set g = (i + %d) %% 3, stamp = %d where b = %d", stamp, stamp, b), does: does}
	case op == 8:
		code := ""
		if there {
			code = "23505"
		}
		return action{sql: fmt.Sprintf("insert into many values (%d, 1, 0, %d)", b, stamp), code: code,
			does: change{name: fmt.Sprintf("1:%d:%d", stamp, stamp)}}
	}
	does := change{}
	if there {
		does[name] = gone
	}
	return action{sql: fmt.Sprintf("delete from many where b = %d", b), does: does}
}

// tablesOf gives the tables of a state that come and go.
func tablesOf(v state) []string {
	var out []string
	for i := range tables {
		if n := fmt.Sprintf("t%d", i); v[n] != "" {
			out = append(out, n)
		}
	}
	return out
}

func (w *worker) changeTable(r *rand.Rand, l *ledger) action {
	v := w.view(l)
	names := tablesOf(v)
	if len(names) == 0 {
		return w.define(r, l)
	}
	t := names[r.IntN(len(names))]
	k, stamp := w.key(r), r.IntN(1<<20)
	row := fmt.Sprintf("%s/%d", t, k)
	_, there := v[row]
	switch op := r.IntN(10); {
	case op < 4:
		return action{sql: fmt.Sprintf(`insert into %s values (%d, %d, '%s') on conflict (k) do update set stamp = excluded.stamp, v = excluded.v`,
			t, k, stamp, text(stamp)), does: change{row: fmt.Sprint(stamp)}}
	case op < 6:
		does := change{}
		if there {
			does[row] = fmt.Sprint(stamp)
		}
		return action{sql: fmt.Sprintf("update %s set stamp = %d, v = '%s' where k = %d", t, stamp, text(stamp), k), does: does}
	case op < 8:
		does := change{}
		for key := range v {
			if n := 0; strings.HasPrefix(key, t+"/") {
				if _, err := fmt.Sscan(key[len(t)+1:], &n); err == nil && n%sessions == w.n && n >= k {
					does[key] = gone
				}
			}
		}
		return action{sql: fmt.Sprintf("delete from %s where k %% %d = %d and k >= %d", t, sessions, w.n, k), does: does}
	}
	does, lines := change{}, strings.Builder{}
	for range 1 + r.IntN(20) {
		k, stamp := w.key(r), r.IntN(1<<20)
		row := fmt.Sprintf("%s/%d", t, k)
		if _, there := v[row]; !there && does[row] == "" {
			does[row] = fmt.Sprint(stamp)
			fmt.Fprintf(&lines, "%d\t%d\t%s\n", k, stamp, text(stamp))
		}
	}
	return action{sql: fmt.Sprintf("copy %s (k, stamp, v) from stdin", t), copy: lines.String(), does: does}
}

// define chooses a statement that makes, changes or removes a table or an index.
func (w *worker) define(r *rand.Rand, l *ledger) action {
	v := w.view(l)
	names := tablesOf(v)
	free := ""
	for i := range tables {
		if n := fmt.Sprintf("t%d", i); v[n] == "" {
			free = n
		}
	}
	if free != "" && (len(names) == 0 || r.IntN(4) == 0) {
		return action{sql: fmt.Sprintf("create table %s (k int primary key, stamp int, v text)", free), does: change{free: "k,stamp,v"}}
	}
	if r.IntN(12) == 0 {
		return w.moveCatalog(r)
	}
	t := names[r.IntN(len(names))]
	switch op := r.IntN(14); {
	case op == 0:
		return action{sql: "drop table " + t, does: empty(v, t, change{t: gone})}
	case op == 1:
		return action{sql: "truncate " + t, does: empty(v, t, change{})}
	case op == 2 && free != "":
		does := change{t: gone, free: v[t]}
		for n, x := range v {
			if strings.HasPrefix(n, t+"/") {
				does[n], does[free+n[len(t):]] = gone, x
			}
		}
		return action{sql: fmt.Sprintf("alter table %s rename to %s", t, free), does: does}
	case op < 5:
		c := fmt.Sprintf("e%d", strings.Count(v[t], ","))
		if r.IntN(2) == 0 {
			return action{sql: fmt.Sprintf("alter table %s add %s int default 7", t, c), does: change{t: v[t] + "," + c}}
		}
		return action{sql: fmt.Sprintf("alter table %s add %s text default 'x' || (random() * 0)::int", t, c), does: change{t: v[t] + "," + c}}
	case op < 7:
		typ := []string{"int8", "int4"}[r.IntN(2)]
		return action{sql: fmt.Sprintf("alter table %s alter stamp type %s", t, typ)}
	case op < 9:
		return action{sql: fmt.Sprintf("create index if not exists %s_i%d on %s (stamp, k)", t, r.IntN(3), t)}
	case op < 11 && !w.open:
		return action{sql: fmt.Sprintf("create index concurrently if not exists %s_i%d on %s (stamp, k)", t, r.IntN(3), t), alone: true}
	case op == 11 && !w.open:
		return action{sql: fmt.Sprintf("drop index concurrently if exists %s_i%d", t, r.IntN(3)), alone: true}
	case op == 12:
		return action{sql: fmt.Sprintf("reindex table %s", t)}
	}
	return action{sql: fmt.Sprintf("drop index if exists %s_i%d", t, r.IntN(3))}
}

// moveCatalog chooses a statement that gives a catalog, or indexes of one, other files, and may run in a block.
func (w *worker) moveCatalog(r *rand.Rand) action {
	moves := func(w *worker) { w.moved = w.open }
	switch r.IntN(8) {
	case 0:
		return action{sql: "cluster pg_index using pg_index_indrelid_index", then: moves}
	case 1:
		return action{sql: "cluster pg_constraint using pg_constraint_oid_index", then: moves}
	}
	list := []string{"pg_index", "pg_depend", "pg_constraint", "pg_attrdef"}
	if len(w.saves) == 0 { // those that cannot move below a savepoint
		list = append(list, "pg_class", "pg_attribute", "pg_type", "pg_database", "pg_shdepend")
	}
	return action{sql: "reindex table " + list[r.IntN(len(list))], then: moves}
}

// empty adds to a change that all rows of a table go.
func empty(v state, t string, c change) change {
	for n := range v {
		if strings.HasPrefix(n, t+"/") {
			c[n] = gone
		}
	}
	return c
}

func (w *worker) nextval(l *ledger) action {
	return action{sql: "select nextval('s')", sees: func(rows []string) error {
		var n int64
		if _, err := fmt.Sscan(rows[0], &n); err != nil {
			return err
		}
		if n <= l.lastSeq {
			return fmt.Errorf("the sequence gave %d after %d", n, l.lastSeq)
		}
		l.lastSeq = n
		return nil
	}}
}

// maintain chooses what runs outside of blocks only.
func (w *worker) maintain(r *rand.Rand, l *ledger, lab *lab) action {
	t := append(tablesOf(l.now), "parent", "child", "many", "many", "pg_class", "pg_attribute", "pg_index", "pg_database")
	name := t[r.IntN(len(t))]
	var prepared []string
	for n := range l.now {
		if p, ok := strings.CutPrefix(n, "prepared/"); ok {
			prepared = append(prepared, p)
		}
	}
	slices.Sort(prepared)
	switch op := r.IntN(20); {
	case op < 5:
		how := ""
		busy := slices.ContainsFunc(lab.workers, func(w *worker) bool { return w.open })
		if (busy || len(prepared) > 0) && r.IntN(8) > 0 { // who cuts the tail tries for seconds while another holds a lock
			how = "(truncate false) "
		}
		return action{sql: "vacuum " + how + name, alone: true}
	case op == 5 && r.IntN(20) == 0:
		return action{sql: []string{"vacuum full", "reindex system postgres", "reindex database postgres"}[r.IntN(3)], alone: true}
	case op < 7:
		return action{sql: "vacuum full " + name, alone: true}
	case op == 7: // a database that nobody is in
		return action{sql: "alter database aside set tablespace " + []string{"elsewhere", "pg_default"}[r.IntN(2)], alone: true}
	case op < 9:
		return action{sql: "checkpoint", alone: true}
	case op == 9:
		return action{sql: "cluster parent using parent_pkey", alone: true}
	case op == 10:
		return action{sql: "analyze " + name, alone: true}
	case op == 11:
		on := w.async
		return action{sql: fmt.Sprintf("set synchronous_commit = %v", on), then: func(w *worker) { w.async = !on }}
	case op == 12:
		return action{sql: fmt.Sprintf("insert into u (v) values ('%s')", text(r.IntN(1<<20)))}
	case op == 13:
		return action{sql: "create temp table if not exists scratch as select i, repeat(md5(i::text), 100) v from generate_series(1, 40) i", alone: true}
	case op == 14:
		return action{sql: "drop table if exists scratch", alone: true}
	case op < 19 && len(prepared) > 0:
		gid := prepared[r.IntN(len(prepared))]
		if r.IntN(3) == 0 {
			return action{sql: fmt.Sprintf("rollback prepared '%s'", gid), does: change{"prepared/" + gid: gone}, alone: true}
		}
		does := maps.Clone(l.prepared[gid])
		does["prepared/"+gid] = gone
		return action{sql: fmt.Sprintf("commit prepared '%s'", gid), does: does, alone: true}
	}
	return action{sql: "reindex table many", alone: true}
}
