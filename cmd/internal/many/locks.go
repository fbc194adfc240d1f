package many

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"manifold/cmd/internal/drive"
)

// Locking is clients that lock rows in transactions and think meanwhile.
type Locking struct {
	Commits int
	Retries map[string]int64 // by SQLSTATE
	Took    time.Duration
}

// kind is a way to lock rows.
type kind struct {
	name    string
	prepare []string // makes the tables
	begin   []string // of each session; nothing makes these fail
	steps   func(r *rand.Rand) []string
	retry   map[string]bool // SQLSTATEs after which a transaction is tried again
	check   func(commits int) string
}

// Kinds gives the names of what Lock can do.
func Kinds() []string {
	var names []string
	for _, k := range kinds(1) {
		names = append(names, k.name)
	}
	return names
}

// kinds gives what can be done to a number of rows.
func kinds(rows int) []kind {
	table := []string{"drop table if exists many_child, many_row, many_job",
		"create table many_row (id int primary key, n int not null default 0)",
		fmt.Sprintf("insert into many_row select g from generate_series(1, %d) g", rows)}
	two := func(r *rand.Rand) []string {
		update := func() string {
			return fmt.Sprintf("update many_row set n = n + 1 where id = %d", 1+r.IntN(rows))
		}
		return []string{"begin", update(), update(), "commit"}
	}
	twice := func(commits int) string {
		return fmt.Sprintf("select 1 from many_row having sum(n) = %d", 2*commits)
	}
	return []kind{
		{name: "deadlocks", prepare: table, begin: []string{"set deadlock_timeout = '20ms'"}, steps: two,
			retry: map[string]bool{"40P01": true}, check: twice},
		{name: "lock timeouts", prepare: table, begin: []string{"set lock_timeout = '50ms'", "set deadlock_timeout = '10s'"}, steps: two,
			retry: map[string]bool{"55P03": true}, check: twice},
		{name: "statement timeouts", prepare: table, begin: []string{"set deadlock_timeout = '10s'", "set statement_timeout = '50ms'"}, steps: two,
			retry: map[string]bool{"57014": true}, check: twice},
		{name: "a queue of jobs", prepare: append(table, "create table many_job (id int primary key)",
			"insert into many_job select g from generate_series(1, 100000) g"),
			steps: func(*rand.Rand) []string {
				return []string{"begin", "delete from many_job where id = (select id from many_job order by id limit 1 for update skip locked)", "commit"}
			},
			check: func(commits int) string {
				return fmt.Sprintf("select 1 from many_job having count(*) = %d", 100000-commits)
			}},
		{name: "foreign keys", prepare: append(table, "create table many_child (id serial primary key, row int references many_row)"),
			begin: []string{"set deadlock_timeout = '20ms'"}, retry: map[string]bool{"40P01": true},
			steps: func(r *rand.Rand) []string {
				return []string{"begin", fmt.Sprintf("insert into many_child (row) values (%d)", 1+r.IntN(rows)),
					fmt.Sprintf("update many_row set n = n + 1 where id = %d", 1+r.IntN(rows)), "commit"}
			},
			check: func(commits int) string {
				return fmt.Sprintf("select 1 from many_row having sum(n) = %d and (select count(*) from many_child) = %d", commits, commits)
			}},
	}
}

// Lock lets each of the clients commit a number of transactions that lock rows, thinking between their statements. All must
// finish, and what they did must add up.
func (s *Server) Lock(name string, clients, commits int, think time.Duration) (t Locking, err error) {
	var k kind
	for _, k = range kinds(max(clients/2, 40)) {
		if k.name == name {
			break
		}
	}
	if _, err := s.Query(k.prepare...); err != nil {
		return t, err
	}
	f, err := s.dial(clients)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := make([]worker, clients)
	r, err := f.Run(0, func(c *drive.Client, r *rand.Rand, buf []byte) ([]byte, time.Duration) {
		return w[c.Number].next(&k, commits, think, c, r, buf)
	})
	if err != nil {
		return t, err
	}
	t.Took, t.Retries = r.Took, r.Errors
	for code := range r.Errors {
		if !k.retry[code] {
			return t, fmt.Errorf("%s: %s", k.name, r.First)
		}
	}
	for i := range w {
		t.Commits += w[i].commits
	}
	rows, err := s.Query(k.check(t.Commits))
	if err == nil && (rows != 1 || t.Commits != clients*commits) {
		err = fmt.Errorf("%s: after %d commits: \"%s\" does not hold", k.name, t.Commits, k.check(t.Commits))
	}
	return t, err
}

// worker is a client of Lock.
type worker struct {
	begun   int      // statements of kind.begin that were sent
	steps   []string // of the transaction
	at      int
	commits int
}

func (w *worker) next(k *kind, commits int, think time.Duration, c *drive.Client, r *rand.Rand, buf []byte) ([]byte, time.Duration) {
	if w.begun < len(k.begin) {
		w.begun++
		return drive.Query(buf, k.begin[w.begun-1]), 0
	}
	switch {
	case c.Code != "":
		w.at = 0 // the same again
		if c.Status != 'I' {
			return drive.Query(buf, "rollback"), 0
		}
	case w.at == len(w.steps):
		if w.steps != nil {
			w.commits++
		}
		if w.commits == commits {
			return buf, 0
		}
		w.steps, w.at = k.steps(r), 0
	}
	w.at++
	return drive.Query(buf, w.steps[w.at-1]), exponential(r, think)
}
