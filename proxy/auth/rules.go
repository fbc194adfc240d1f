package auth

import (
	"net/netip"
	"strings"

	"manifold/engine/pgerror"
)

// Method is how a client proves who it is.
type Method uint8

// The methods.
const (
	Trust Method = iota
	Reject
	SCRAM
)

// Kind tells which connections a rule is for.
type Kind uint8

// The kinds of rules.
const (
	Local Kind = iota // through a Unix socket
	Host              // through TCP, encrypted or not
	HostSSL
	HostNoSSL
)

// Rule is one line of the rules. The first that matches decides.
type Rule struct {
	Kind      Kind
	Databases []string       // names, "all", "sameuser", "replication"
	Users     []string       // names or "all"
	Addresses []netip.Prefix // none for Local; empty means every address
	Method    Method
}

// Peer is a client that wants in.
type Peer struct {
	Local    bool
	TLS      bool
	Addr     netip.Addr
	Database string
	User     string
}

// Rules are tried in order.
type Rules []Rule

// Match gives the method for a peer, or PostgreSQL's 28000 when it is rejected or no rule is for it.
func (rs Rules) Match(p Peer) (Method, error) {
	for i := range rs {
		if !rs[i].matches(p) {
			continue
		}
		if rs[i].Method == Reject {
			return Reject, refuse("pg_hba.conf rejects connection", p)
		}
		return rs[i].Method, nil
	}
	return Reject, refuse("no pg_hba.conf entry", p)
}

func refuse(what string, p Peer) *pgerror.Error {
	host, how := "[local]", "no encryption"
	if !p.Local {
		host = p.Addr.String()
	}
	if p.TLS {
		how = "SSL encryption"
	}
	e := pgerror.Newf(pgerror.InvalidAuthorizationSpecification, "%s for host \"%s\", user \"%s\", database \"%s\", %s",
		what, host, p.User, p.Database, how)
	e.Severity = pgerror.SeverityFatal
	return e
}

func (r *Rule) matches(p Peer) bool {
	switch r.Kind {
	case Local:
		if !p.Local {
			return false
		}
	case Host:
		if p.Local {
			return false
		}
	case HostSSL:
		if p.Local || !p.TLS {
			return false
		}
	case HostNoSSL:
		if p.Local || p.TLS {
			return false
		}
	}
	return r.forDatabase(p) && r.forUser(p) && r.forAddress(p)
}

func (r *Rule) forDatabase(p Peer) bool {
	for _, d := range r.Databases {
		if d == "all" || d == p.Database || d == "sameuser" && p.User == p.Database {
			return true
		}
	}
	return false
}

func (r *Rule) forUser(p Peer) bool {
	for _, u := range r.Users {
		if u == "all" || u == p.User {
			return true
		}
	}
	return false
}

func (r *Rule) forAddress(p Peer) bool {
	if p.Local || len(r.Addresses) == 0 {
		return true
	}
	addr := p.Addr.Unmap()
	for _, a := range r.Addresses {
		if a.Contains(addr) {
			return true
		}
	}
	return false
}

// ParseAddress reads an address, a network in CIDR form, or "all" (nil).
func ParseAddress(text string) ([]netip.Prefix, error) {
	if text == "" || strings.EqualFold(text, "all") {
		return nil, nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return []netip.Prefix{p.Masked()}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
	}
	return nil, pgerror.Newf(pgerror.ConfigFileError, "invalid address \"%s\"", text).
		WithHint("An address looks like 192.0.2.7, 192.0.2.0/24, 2001:db8::/32 or all.")
}
