package engine

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/stats"
	"manifold/engine/types"
)

// Login is what is known of a user and a database before the user has proved who it is.
type Login struct {
	Role     *catalog.Role
	Database *catalog.Database
}

// Login looks a user and a database up. The role is nil when there is none, so that authentication can fail as it does for a
// wrong password; a database that does not exist or does not accept the user is an error.
func (e *Engine) Login(task *activity.Task, user, database string) (Login, error) {
	var l Login
	err := e.read(task, bootstrap.DatabaseTemplate1, func(v *catalog.View) error {
		var err error
		if l.Role, err = v.RoleByName(user); err != nil {
			return err
		}
		l.Database, err = v.DatabaseByName(database)
		return err
	})
	return l, err
}

// CheckLogin tells whether an authenticated user may connect.
func (e *Engine) CheckLogin(l Login, user, database string) error {
	switch {
	case l.Role == nil:
		return fatal(pgerror.InvalidAuthorizationSpecification, "role \"%s\" does not exist", user)
	case !l.Role.CanLogin:
		return fatal(pgerror.InvalidAuthorizationSpecification, "role \"%s\" is not permitted to log in", user)
	case l.Database == nil:
		return fatal(pgerror.InvalidCatalogName, "database \"%s\" does not exist", database)
	case !l.Database.AllowConn:
		return fatal(pgerror.ObjectNotInPrerequisiteState, "database \"%s\" is not currently accepting connections", database)
	}
	return nil
}

func fatal(code, format string, args ...any) error {
	e := pgerror.Newf(code, format, args...)
	e.Severity = pgerror.SeverityFatal
	return e
}

// read runs f in a transaction of its own that only reads catalogs.
func (e *Engine) read(task *activity.Task, db base.OID, f func(*catalog.View) error) error {
	return e.readWith(task, e.Cache(db), f)
}

func (e *Engine) readWith(task *activity.Task, cache *catalog.Cache, f func(*catalog.View) error) error {
	owner := e.cluster.Locks.NewOwner(task.SessionID)
	p := e.cluster.Txns.NewProc(owner)
	tx := p.Begin()
	src := &catalog.HeapSource{Opened: e.opened, Task: task, Tx: tx}
	err := f(catalog.NewView(src, cache))
	tx.Abort(task)
	p.Close()
	owner.Close()
	return err
}

// Register makes a session visible to others. It fails while somebody drops or moves the session's database: whoever does so looks
// for sessions once it has the database's lock.
func (e *Engine) Register(s *session.Session) error {
	if s.Database != nil {
		owner := e.cluster.Locks.NewOwner(s.ID)
		defer owner.Close()
		tag := lock.Object(0, bootstrap.RelDatabase, s.Database.OID, 0)
		_, err := e.cluster.Locks.Acquire(s.Task, owner, lock.Request{Tag: tag, Mode: lock.AccessShare, Session: true, NoWait: true})
		if pgerror.Code(err) == pgerror.LockNotAvailable {
			return fatal(pgerror.ObjectInUse, "database \"%s\" is being dropped or moved", s.Database.Name)
		}
		if err != nil {
			return err
		}
		there, err := e.stands(s.Task, s.Database)
		if err != nil {
			return err
		}
		if !there {
			gone := pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", s.Database.Name).
				WithDetail("It seems to have just been dropped or renamed.")
			gone.Severity = pgerror.SeverityFatal
			return gone
		}
		if e.cluster.Store.Map(s.Database.OID) == nil {
			return noMap(s.Database.OID)
		}
	}
	e.show(s)
	return nil
}

// stands tells whether a database still has its name. Who drops or renames it invalidates the cache before letting its lock go.
func (e *Engine) stands(task *activity.Task, d *catalog.Database) (bool, error) {
	there := false
	err := e.read(task, bootstrap.DatabaseTemplate1, func(v *catalog.View) error {
		now, err := v.DatabaseByName(d.Name)
		there = now != nil && now.OID == d.OID
		return err
	})
	return there, err
}

// show makes a session visible to others that is in no database, or has it locked.
func (e *Engine) show(s *session.Session) {
	e.mu.Lock()
	e.sessions[s.ID] = s
	e.mu.Unlock()
}

// Unregister ends a session's visibility; a backend has released it before.
func (e *Engine) Unregister(s *session.Session) {
	e.mu.Lock()
	delete(e.sessions, s.ID)
	e.mu.Unlock()
	if s.Proc != nil { // the release failed
		owner := s.Proc.Owner()
		s.Proc.Close()
		owner.Close()
	}
}

// Sessions gives every registered session.
func (e *Engine) Sessions() []*session.Session {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]*session.Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		out = append(out, s)
	}
	return out
}

// Session finds a session by its number, nil when there is none.
func (e *Engine) Session(pid uint32) *session.Session {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.sessions[pid]
}

// activityHost is what functions ask of the server.
type activityHost Engine

func (h *activityHost) Sessions() []*session.Session { return (*Engine)(h).Sessions() }

// Cancel implements sysfuncs.Host.
func (h *activityHost) Cancel(pid uint32) bool {
	s := (*Engine)(h).Session(pid)
	if s == nil {
		return false
	}
	err := pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
	if s.Client != nil {
		s.Client.Cancel(err) // one that rests has nothing to cancel, and its next statement must not be hit
	} else {
		s.Task.Cancel(err)
	}
	return true
}

// Terminate implements sysfuncs.Host.
func (h *activityHost) Terminate(pid uint32) bool {
	s := (*Engine)(h).Session(pid)
	if s == nil {
		return false
	}
	err := pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command")
	err.Severity = pgerror.SeverityFatal
	s.Task.Terminate(err)
	return true
}

func (h *activityHost) Started() time.Time      { return h.started }
func (h *activityHost) ConfigLoaded() time.Time { return time.Unix(0, h.loaded.Load()) }

// Background implements sysfuncs.Host.
func (h *activityHost) Background() stats.Background {
	c, p := h.cluster.Check.Counts(), h.cluster.Pool.Stats()
	return stats.Background{TimedCheckpoints: c.Timed, RequestedCheckpoints: c.Requested, CheckpointWrite: c.Write,
		CheckpointSync: c.Sync, CheckpointPages: c.Pages, CleanPages: p.CleanWrites, CleanStops: p.CleanStops,
		BackendPages: p.BackendWrites, Allocated: p.Allocated, Since: h.started,
		Log: stats.Log(h.cluster.Log.Counts()), Prefetch: h.cluster.Prefetched}
}

// Report implements sysfuncs.Host.
func (h *activityHost) Report(task *activity.Task, kind string) ([]base.OID, [][]types.Datum, error) {
	if h.cfg.Report == nil {
		return nil, nil, nil
	}
	return h.cfg.Report(task, kind)
}

// Reload implements sysfuncs.Host.
func (h *activityHost) Reload() bool { return h.cfg.Reload != nil && h.cfg.Reload() }
