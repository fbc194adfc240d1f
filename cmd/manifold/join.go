package main

import (
	"context"
	"slices"

	"manifold/auxiliary/autovacuum"
	"manifold/auxiliary/metrics"
	"manifold/cmd/manifold/internal/config"
	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	enginesession "manifold/engine/session"
	"manifold/engine/types"
	"manifold/proxy/admin"
	"manifold/proxy/session"
)

// host joins the engine to what the proxy and the auxiliary processes need of it.
type host struct{ *engine.Engine }

// Login implements session.Accounts.
func (h host) Login(task *activity.Task, user, database string) (session.Account, error) {
	l, err := h.Engine.Login(task, user, database)
	return session.Account(l), err
}

// CheckLogin implements session.Accounts.
func (h host) CheckLogin(a session.Account, user, database string) error {
	return h.Engine.CheckLogin(engine.Login(a), user, database)
}

// StartSession implements session.Sessions.
func (h host) StartSession(s *enginesession.Session, a session.Account, params map[string]string) error {
	return h.Engine.StartSession(s, engine.Login(a), params)
}

// End implements session.Sessions.
func (h host) End(s *enginesession.Session) { h.Engine.Unregister(s) }

// AwaitAnswer implements session.Sessions.
func (h host) AwaitAnswer(s *enginesession.Session) error { return s.AwaitAnswer() }

// Checkpoint implements checkpointer.Engine.
func (h host) Checkpoint(timed bool, pace func(done, total int) error) error {
	_, err := h.Engine.Checkpoint(timed, pace)
	return err
}

// Tables implements autovacuum.Engine.
func (h host) Tables(age int64) ([]autovacuum.Table, error) {
	list, err := h.TableActivity(activity.NewTask(0, nil), age)
	out := make([]autovacuum.Table, 0, len(list))
	for _, t := range list {
		out = append(out, autovacuum.Table{Database: uint32(t.Database), Relation: uint32(t.Relation), Rows: t.Rows, Dead: t.Dead,
			Modified: t.Modified, Added: t.Added, Age: t.Age, Options: t.Options})
	}
	return out, err
}

// Maintain implements autovacuum.Engine. The end of ctx terminates the worker's session.
func (h host) Maintain(ctx context.Context, t autovacuum.Table, vacuum, analyze bool) error {
	task := activity.NewTask(0, nil)
	stop := context.AfterFunc(ctx, func() {
		task.Terminate(pgerror.New(pgerror.AdminShutdown, "terminating autovacuum process due to administrator command"))
	})
	defer stop()
	return h.Engine.Maintain(task, base.OID(t.Database), base.OID(t.Relation), vacuum, analyze)
}

// sources joins the server to the console and to the views of schema manifold.
func (s *server) sources() admin.Sources {
	return admin.Sources{
		Version: fullVersion(), Port: s.config.Load().Port, Pools: s.pools, Clients: s.clientList, Capacity: s.capacity,
		Limits: func(database, user string) (int, int) {
			p := s.policy.Load()
			return p.Databases[database], p.Users[user]
		},
		Databases: s.engine.DatabaseNames, Errors: s.registry.Errors, Live: config.Live,
		Config: func() [][3]string { return s.config.Load().Show() },
		Role: func(user string) admin.Role {
			switch p := s.policy.Load(); {
			case slices.Contains(p.Admins, user):
				return admin.Master
			case slices.Contains(p.Watchers, user):
				return admin.Watcher
			}
			return admin.Nobody
		},
		Terminate: s.registry.TerminateBackend, TerminateDatabase: s.registry.TerminateDatabase, Ask: s.ask,
	}
}

func (s *server) capacity() admin.Capacity {
	return admin.Capacity{Clients: s.front.Limits().Clients, Connected: s.front.Active(), LoggingIn: s.front.Arriving(), Refused: s.front.Refused(),
		Memory: s.front.Memory()}
}

func (s *server) clientList() []admin.Client {
	var out []admin.Client
	for _, e := range s.registry.List() {
		out = append(out, admin.Client{PID: e.Who.PID, User: e.Who.User, Database: e.Who.Database, TLS: e.TLS, Started: e.Started,
			Waiting: e.Waiting, WaitSince: e.WaitSince, Info: e.Info})
	}
	return out
}

// report gives the rows of a view of schema manifold.
func (s *server) report(task *activity.Task, kind string) ([]base.OID, [][]types.Datum, error) {
	t, err := admin.Report(s.sources(), task, kind)
	if err != nil {
		return nil, nil, err
	}
	cols, rows := make([]base.OID, len(t.Columns)), make([][]types.Datum, len(t.Rows))
	for i, c := range t.Columns {
		cols[i] = c.Type
	}
	for i, values := range t.Rows {
		rows[i] = make([]types.Datum, len(values))
		for j, v := range values {
			if rows[i][j], err = admin.Value(cols[j], v); err != nil {
				return nil, nil, err
			}
		}
	}
	return cols, rows, nil
}

// metricSources joins the server to the metrics.
func (s *server) metricSources() metrics.Sources {
	return metrics.Sources{Version: fullVersion(), Pools: s.pools.Stats, Errors: s.registry.Errors,
		Clients: func() []metrics.Client {
			var out []metrics.Client
			for _, e := range s.registry.List() {
				out = append(out, metrics.Client{Database: e.Who.Database, State: e.Info.State, WaitType: e.Waiting.Class(), WaitEvent: e.Waiting.Name()})
			}
			return out
		},
		Front: func() metrics.Front {
			busy, waiting := s.front.Logins()
			return metrics.Front{Limit: s.front.Limits().Clients, Connected: s.front.Active(), LoggingIn: busy, Waiting: waiting,
				Accepted: s.front.Accepted(), Refused: s.front.Refused()}
		},
		Engine: func() []metrics.Figure {
			var out []metrics.Figure
			for _, f := range s.engine.Figures() {
				out = append(out, metrics.Figure(f))
			}
			return out
		}}
}
