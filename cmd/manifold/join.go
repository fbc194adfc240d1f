package main

import (
	"context"

	"manifold/auxiliary/autovacuum"
	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	enginesession "manifold/engine/session"
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
func (h host) Tables() ([]autovacuum.Table, error) {
	list, err := h.TableActivity(activity.NewTask(0, nil))
	out := make([]autovacuum.Table, 0, len(list))
	for _, t := range list {
		out = append(out, autovacuum.Table{Database: uint32(t.Database), Relation: uint32(t.Relation), Rows: t.Rows, Dead: t.Dead,
			Modified: t.Modified, Added: t.Added, Options: t.Options})
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

// clientList joins the registry to the console.
func clientList(r *session.Registry) func() []admin.Client {
	return func() []admin.Client {
		var out []admin.Client
		for _, e := range r.List() {
			out = append(out, admin.Client{PID: e.Who.PID, User: e.Who.User, Database: e.Who.Database, TLS: e.TLS, Info: e.Info})
		}
		return out
	}
}
