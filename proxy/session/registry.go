package session

import (
	"context"
	"maps"
	"net/netip"
	"sort"
	"sync"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// Registry is the clients that are logged in, by the number that pg_backend_pid shows.
type Registry struct {
	mu        sync.Mutex
	clients   map[uint32]*Client    // guarded by mu
	addresses map[netip.Addr]string // guarded by mu; see spelled
	byRole    map[base.OID]int      // guarded by mu; clients of a role
	byDB      map[base.OID]int      // guarded by mu; clients of a database
	changed   chan struct{}         // guarded by mu; closed and replaced when a client leaves
	ending    bool                  // guarded by mu; TerminateAll has been called

	errorsMu sync.Mutex
	errors   map[string]uint64 // guarded by errorsMu; told to clients, by SQLSTATE
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	return &Registry{clients: map[uint32]*Client{}, byRole: map[base.OID]int{}, byDB: map[base.OID]int{}, changed: make(chan struct{}),
		errors: map[string]uint64{}}
}

// add enters a client, unless its database or role has as many as it may.
func (r *Registry) add(c *Client) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return terminatedByAdmin()
	}
	if !c.console {
		if err := r.roomLocked(c); err != nil {
			return err
		}
		r.byRole[c.s.Login.OID]++
		r.byDB[c.s.Database.OID]++
	}
	c.listed = true
	r.clients[c.s.ID] = c
	return nil
}

// roomLocked checks the limits of the client's database and role: those in the catalogs and those of the configuration.
func (r *Registry) roomLocked(c *Client) error {
	role, db := c.s.Login, c.s.Database
	if role.Super {
		return nil
	}
	p := c.cfg.policy()
	if n := r.byDB[db.OID]; full(n, int(db.ConnLimit)) || p.Databases[db.Name] > 0 && n >= p.Databases[db.Name] {
		return pgerror.Newf(pgerror.TooManyConnections, "too many connections for database \"%s\"", db.Name)
	}
	if n := r.byRole[role.OID]; full(n, int(role.ConnLimit)) || p.Users[role.Name] > 0 && n >= p.Users[role.Name] {
		return pgerror.Newf(pgerror.TooManyConnections, "too many connections for role \"%s\"", role.Name)
	}
	return nil
}

// full tells whether n clients are as many as a limit allows; below zero is none.
func full(n, limit int) bool { return limit >= 0 && n >= limit }

func (r *Registry) remove(c *Client) {
	r.mu.Lock()
	if c.listed && !c.console {
		lessOne(r.byRole, c.s.Login.OID)
		lessOne(r.byDB, c.s.Database.OID)
	}
	c.listed = false
	delete(r.clients, c.s.ID)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
}

func lessOne(counts map[base.OID]int, key base.OID) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

func (r *Registry) find(pid uint32) *Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clients[pid]
}

// Cancel serves a cancel request: with the right key it cancels what the client runs at this moment, if anything.
func (r *Registry) Cancel(pid, secret uint32) {
	if c := r.find(pid); c != nil && c.s.Secret == secret {
		c.Cancel(canceledByUser())
	}
}

// CancelBackend is pg_cancel_backend: false when there is no such client.
func (r *Registry) CancelBackend(pid uint32) bool {
	c := r.find(pid)
	if c != nil {
		c.Cancel(canceledByUser())
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

// TerminateDatabase ends the clients of a database, and tells how many.
func (r *Registry) TerminateDatabase(name string) int {
	n := 0
	for _, c := range r.all() {
		if c.who.Database == name {
			c.kill(terminatedByAdmin())
			n++
		}
	}
	return n
}

// noteError counts an error told to a client.
func (r *Registry) noteError(code string) {
	r.errorsMu.Lock()
	r.errors[code]++
	r.errorsMu.Unlock()
}

// Errors gives how often clients were told of an error, by SQLSTATE.
func (r *Registry) Errors() map[string]uint64 {
	r.errorsMu.Lock()
	defer r.errorsMu.Unlock()
	return maps.Clone(r.errors)
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

	Console   bool
	Started   time.Time
	Waiting   activity.Event
	WaitSince time.Time
}

// List gives the clients by number.
func (r *Registry) List() []Entry {
	var out []Entry
	for _, c := range r.all() {
		info := c.s.Info()
		event, since := c.task.Waiting()
		out = append(out, Entry{Who: Who{PID: c.who.PID, User: c.who.User, Database: c.who.Database, Remote: c.who.Remote,
			Application: info.Application}, Info: info, TLS: c.tls, Console: c.console, Started: c.s.Started,
			Waiting: event, WaitSince: since})
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

// maxSpelled is how many addresses of this machine are kept spelled out; more are those of passing interfaces.
const maxSpelled = 64

// spelled gives an address at which clients reach the server, in one copy for all of them.
func (r *Registry) spelled(a netip.Addr) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.addresses[a]
	if !ok {
		s = a.Unmap().String()
		if r.addresses == nil || len(r.addresses) >= maxSpelled {
			r.addresses = map[netip.Addr]string{}
		}
		r.addresses[a] = s
	}
	return s
}
