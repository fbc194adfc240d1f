package main

import (
	"golang.org/x/sys/unix"

	"manifold/cmd/manifold/internal/config"
	"manifold/pool"
	"manifold/proxy"
	"manifold/proxy/session"
)

// poolLimits gives the limits of the databases' pools, by name; behind is pool.Limits.Behind.
func poolLimits(c *config.Config, behind func() bool) func(database string) pool.Limits {
	users := map[string]pool.UserLimits{}
	for name, u := range c.Users {
		users[name] = pool.UserLimits{Slots: u.Backends, Queue: u.QueueLimit, QueueTimeout: u.QueueTimeout}
	}
	return func(database string) pool.Limits {
		p := c.Pool
		if d, ok := c.Databases[database]; ok {
			p = d.Pool
		}
		return pool.Limits{Slots: p.Backends, Reserve: p.Reserve, Parked: p.ParkedLimit, Queue: p.QueueLimit, QueueTimeout: p.QueueTimeout,
			Users: users, Behind: behind}
	}
}

// policy gives the limits of clients.
func policy(c *config.Config) *session.Policy {
	p := &session.Policy{IdleTimeout: c.IdleTimeout, Databases: map[string]int{}, Users: map[string]int{}, Admins: c.Admins, Watchers: c.Watchers}
	for name, d := range c.Databases {
		p.Databases[name] = d.MaxClients
	}
	for name, u := range c.Users {
		p.Users[name] = u.MaxClients
	}
	return p
}

// clientLimits gives the limits of the front door. There are never more clients than files can be open.
func (s *server) clientLimits(c *config.Config) proxy.Limits {
	n, lobby := c.MaxClients, c.Lobby
	if lobby == 0 {
		lobby = max(100, n/10)
	}
	if room, ok := clientRoom(); ok && room < n+lobby {
		lobby = min(lobby, room/2)
		s.log.Warn("files that may be open suffice for %d clients only, too few for max_clients = %d (ulimit -n)", room-lobby, n)
		n = room - lobby
	}
	return proxy.Limits{Clients: n, Lobby: lobby, Reserve: int(values(c.PostgreSQL).get("superuser_reserved_connections").Int), Logins: c.Logins,
		Memory: c.MemoryLimit / 10 * 9, Ballast: c.Headroom}
}

// spareFiles is what a server opens besides its clients' sockets, unless that would be more than half of what it may open.
const spareFiles = 1500

// clientRoom raises the limit of open files as far as the system lets it, and gives how many clients it suffices for.
func clientRoom() (int, bool) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0, false
	}
	if lim.Cur < lim.Max {
		raised := unix.Rlimit{Cur: lim.Max, Max: lim.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			lim = raised
		}
	}
	return int(min(max(lim.Cur/2, lim.Cur-min(lim.Cur, spareFiles)), 1<<30)), true
}
