package session

import (
	"context"
	"sort"
	"sync"

	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// Registry is the clients that are logged in, by the number that pg_backend_pid shows.
type Registry struct {
	mu      sync.Mutex
	clients map[uint32]*Client // guarded by mu
	changed chan struct{}      // guarded by mu; closed and replaced when a client leaves
	ending  bool               // guarded by mu; TerminateAll has been called
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	return &Registry{clients: map[uint32]*Client{}, changed: make(chan struct{})}
}

// add enters a client, unless its database or role has as many as it may.
func (r *Registry) add(c *Client) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return terminatedByAdmin()
	}
	var byRole, byDB int32
	role, db := c.s.Login, c.s.Database
	if !role.Super && !c.console && (role.ConnLimit >= 0 || db.ConnLimit >= 0) {
		for _, o := range r.clients {
			if o.s.Login.OID == role.OID {
				byRole++
			}
			if o.s.Database.OID == db.OID {
				byDB++
			}
		}
		if db.ConnLimit >= 0 && byDB >= db.ConnLimit {
			return pgerror.Newf(pgerror.TooManyConnections, "too many connections for database \"%s\"", db.Name)
		}
		if role.ConnLimit >= 0 && byRole >= role.ConnLimit {
			return pgerror.Newf(pgerror.TooManyConnections, "too many connections for role \"%s\"", role.Name)
		}
	}
	r.clients[c.s.ID] = c
	return nil
}

func (r *Registry) remove(c *Client) {
	r.mu.Lock()
	delete(r.clients, c.s.ID)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
}

func (r *Registry) find(pid uint32) *Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clients[pid]
}

// Cancel serves a cancel request: with the right key it cancels what the client runs at this moment, if anything.
func (r *Registry) Cancel(pid, secret uint32) {
	if c := r.find(pid); c != nil && c.s.Secret == secret {
		c.cancel(canceledByUser())
	}
}

// CancelBackend is pg_cancel_backend: false when there is no such client.
func (r *Registry) CancelBackend(pid uint32) bool {
	c := r.find(pid)
	if c != nil {
		c.cancel(canceledByUser())
	}
	return c != nil
}

// TerminateBackend is pg_terminate_backend: false when there is no such client.
func (r *Registry) TerminateBackend(pid uint32) bool {
	c := r.find(pid)
	if c != nil {
		c.kill(terminatedByAdmin())
	}
	return c != nil
}

// TerminateAll ends every client with 57P01, those included that are still logging in.
func (r *Registry) TerminateAll() {
	r.mu.Lock()
	r.ending = true
	r.mu.Unlock()
	for _, c := range r.all() {
		c.kill(terminatedByAdmin())
	}
}

// Count gives the number of clients.
func (r *Registry) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.clients)
}

// Wait returns when no client is left.
func (r *Registry) Wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		n, changed := len(r.clients), r.changed
		r.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Entry is a client as the console lists it.
type Entry struct {
	Who  Who
	Info session.Info
	TLS  bool
}

// List gives the clients by number.
func (r *Registry) List() []Entry {
	var out []Entry
	for _, c := range r.all() {
		info := c.s.Info()
		out = append(out, Entry{Who: Who{PID: c.who.PID, User: c.who.User, Database: c.who.Database, Remote: c.who.Remote,
			Application: info.Application}, Info: info, TLS: c.tls})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Who.PID < out[j].Who.PID })
	return out
}

func (r *Registry) all() []*Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Client, 0, len(r.clients))
	for _, c := range r.clients {
		all = append(all, c)
	}
	return all
}

func canceledByUser() *pgerror.Error {
	return pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
}

func terminatedByAdmin() *pgerror.Error {
	e := pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command")
	e.Severity = pgerror.SeverityFatal
	return e
}
