package main

import (
	"manifold/engine"
	"manifold/engine/activity"
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
func (h host) Checkpoint(pace func(done, total int) error) error {
	_, err := h.Engine.Checkpoint(pace)
	return err
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
