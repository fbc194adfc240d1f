package engine

import (
	"strings"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/session"
)

// TableActivity is what autovacuum decides by.
type TableActivity struct {
	Database base.OID
	Relation base.OID
	Rows     float64 // reltuples; negative when never analysed
	Dead     int64
	Modified int64
	Added    int64
	Age      int64             // transactions since relfrozenxid; zero when that was not asked for
	Options  map[string]string // storage parameters
}

// TableActivity gives the tables that were written to since the start, and those whose relfrozenxid is more than age behind.
func (e *Engine) TableActivity(task *activity.Task, age int64) ([]TableActivity, error) {
	out, err := e.oldTables(task, age)
	if err != nil {
		return nil, err
	}
	for _, t := range e.stats.All() {
		a := TableActivity{Database: t.Database, Relation: t.Relation, Dead: t.Dead.Load(), Modified: t.Modified.Load(),
			Added: t.Added.Load()}
		if t.Database == 0 || a.Dead == 0 && a.Modified == 0 && a.Added == 0 {
			continue
		}
		gone := false
		err := e.read(task, t.Database, func(v *catalog.View) error {
			s, err := v.StatisticsOf(t.Relation)
			if err != nil {
				return err
			}
			a.Rows = s.Rows
			d, err := v.Relation(t.Relation)
			if d != nil {
				a.Options = d.Options
			}
			gone = d == nil || d.Kind != relation.KindTable || d.Persistence == relation.Temporary
			return err
		})
		if err != nil {
			return nil, err
		}
		if gone {
			e.stats.Drop(t.Database, t.Relation)
			continue
		}
		out = append(out, a)
	}
	return out, nil
}

// oldTables gives the tables whose relfrozenxid is more than age transactions behind. They are looked for only when some
// database has such.
func (e *Engine) oldTables(task *activity.Task, age int64) ([]TableActivity, error) {
	m := e.cluster.Txns
	tooOld := func(low int64) bool { return int64(m.NextXID()-m.FullXID(uint32(low))) > age }
	if age <= 0 || int64(m.NextXID()-m.OldestXID()) <= age {
		return nil, nil
	}
	var dbs []base.OID
	err := e.read(task, bootstrap.DatabaseTemplate1, func(v *catalog.View) error {
		return v.Scan(bootstrap.RelDatabase, 0, nil, func(_ base.TID, r catalog.Row) error {
			if tooOld(r.Int(bootstrap.ColDatabaseDatfrozenxid)) {
				dbs = append(dbs, r.OID(bootstrap.ColDatabaseOid))
			}
			return nil
		})
	})
	var out []TableActivity
	for i := 0; i < len(dbs) && err == nil; i++ {
		err = e.read(task, dbs[i], func(v *catalog.View) error {
			return v.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
				k, low := r.Byte(bootstrap.ColClassRelkind), r.Int(bootstrap.ColClassRelfrozenxid)
				if (k == relation.KindTable || k == relation.KindToast) && r.Byte(bootstrap.ColClassRelpersistence) != relation.Temporary && tooOld(low) {
					out = append(out, TableActivity{Database: dbs[i], Relation: r.OID(bootstrap.ColClassOid), Rows: -1,
						Age: int64(m.NextXID() - m.FullXID(uint32(low)))})
				}
				return nil
			})
		})
	}
	return out, err
}

// Maintain vacuums or analyses one table, or both, in a session of its own that is shown as an autovacuum worker.
func (e *Engine) Maintain(task *activity.Task, db, table base.OID, vacuum, analyze bool) error {
	var name string
	login := Login{}
	err := e.read(task, db, func(v *catalog.View) error {
		d, err := v.Relation(table)
		if err != nil || d == nil {
			return err
		}
		name = catalog.QuoteIdent(d.Schema) + "." + catalog.QuoteIdent(d.Name)
		if login.Role, err = v.RoleByOID(bootstrap.RolePostgres); err != nil {
			return err
		}
		login.Database, err = v.DatabaseByOID(db)
		return err
	})
	if err != nil || name == "" || login.Role == nil || login.Database == nil {
		return err
	}
	return e.maintain(task, login, name, vacuum, analyze)
}

// internal runs SQL as the bootstrap superuser, in a session of its own.
func (e *Engine) internal(task *activity.Task, db base.OID, sql string) error {
	login := Login{}
	err := e.read(task, db, func(v *catalog.View) (err error) {
		if login.Role, err = v.RoleByOID(bootstrap.RolePostgres); err != nil {
			return err
		}
		login.Database, err = v.DatabaseByOID(db)
		return err
	})
	if err != nil || login.Role == nil || login.Database == nil {
		return err
	}
	s := e.NewSession(task)
	if err := e.StartSession(s, login, nil); err != nil {
		e.Unregister(s)
		return err
	}
	if err := e.Register(s); err != nil {
		e.Unregister(s)
		return err
	}
	b := e.NewBackend()
	err = run(b, s, sql)
	b.Release(s)
	b.Close()
	e.Unregister(s)
	return err
}

func (e *Engine) maintain(task *activity.Task, login Login, name string, vacuum, analyze bool) error {
	var what []string
	if vacuum {
		what = append(what, "VACUUM")
	}
	if analyze {
		what = append(what, "ANALYZE")
	}
	s := e.NewSession(task)
	e.vacuuming.Add(1)
	defer e.vacuuming.Add(-1)
	s.Worker = &session.Worker{Peers: &e.vacuuming, Yield: func() {
		task.Cancel(pgerror.New(pgerror.QueryCanceled, "canceling autovacuum task"))
	}}
	// Nobody copies or drops the database meanwhile: a copy of pg_class must not be newer than what it says of the tables.
	owner := e.cluster.Locks.NewOwner(task.SessionID)
	defer owner.Close()
	owner.SetYield(s.Worker.Yield)
	if _, err := e.cluster.Locks.Acquire(task, owner, lock.Request{Tag: lock.Object(0, bootstrap.RelDatabase, login.Database.OID, 0),
		Mode: lock.RowExclusive, Session: true, NoWait: true}); err != nil {
		e.Unregister(s)
		if pgerror.Code(err) == pgerror.LockNotAvailable {
			return nil // another round
		}
		return err
	}
	sql := strings.Join(what, " ") + " " + name
	s.Update(func(i *session.Info) {
		i.BackendType, i.State, i.Query, i.QueryStart = "autovacuum worker", "active", "autovacuum: "+sql, time.Now()
	})
	if err := e.StartSession(s, login, nil); err != nil {
		e.Unregister(s)
		return err
	}
	e.show(s)
	b := e.NewBackend()
	err := run(b, s, sql)
	b.Release(s)
	b.Close()
	e.Unregister(s)
	if err != nil {
		return pgerror.From(err).WithWhere("automatic %s of table \"%s\"", strings.ToLower(strings.Join(what, " ")), name)
	}
	return nil
}

// Auxiliary shows an auxiliary process among the sessions; the function it returns takes it away again.
func (e *Engine) Auxiliary(backendType string, wait activity.Event) func() {
	task := activity.NewTask(0, nil)
	task.SessionID = e.nextID.Add(1) & 0x3FFFFFFF
	task.Mark(wait)
	s := session.New(task.SessionID, 0, task)
	s.Update(func(i *session.Info) { i.BackendType, i.State = backendType, "" })
	e.show(s)
	return func() { e.Unregister(s) }
}
