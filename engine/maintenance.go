package engine

import (
	"strings"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
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
	Options  map[string]string // storage parameters
}

// TableActivity gives the tables that were written to since the start.
func (e *Engine) TableActivity(task *activity.Task) ([]TableActivity, error) {
	var out []TableActivity
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
	e.Register(s)
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
	sql := strings.Join(what, " ") + " " + name
	s.Update(func(i *session.Info) {
		i.BackendType, i.State, i.Query, i.QueryStart = "autovacuum worker", "active", "autovacuum: "+sql, time.Now()
	})
	if err := e.StartSession(s, login, nil); err != nil {
		e.Unregister(s)
		return err
	}
	e.Register(s)
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
	e.Register(s)
	return func() { e.Unregister(s) }
}
