package config

import (
	"fmt"
	"net"
	"strings"
	"time"

	"manifold/engine/pgerror"
	"manifold/engine/setting"
	"manifold/proxy/auth"
)

// field is one setting of ours. set checks the value and says what would be right.
type field struct {
	name string
	set  func(c *Config, v any) error
}

// fields is the table of all settings of ours.
func fields() []field {
	return []field{
		{"data", str(func(c *Config) *string { return &c.Data }, false)},
		{"listen.addresses", func(c *Config, v any) (err error) { c.Addresses, err = stringsOf(v); return err }},
		{"listen.port", integer(func(c *Config) *int { return &c.Port }, 1, 65535)},
		{"listen.unix_socket_directory", str(func(c *Config) *string { return &c.SocketDir }, true)},
		{"clients.max_clients", integer(func(c *Config) *int { return &c.MaxClients }, 1, 1_000_000)},
		{"clients.unauthenticated_limit", integer(func(c *Config) *int { return &c.Lobby }, 0, 1_000_000)},
		{"clients.login_limit", integer(func(c *Config) *int { return &c.Logins }, 0, 4096)},
		{"clients.client_idle_timeout", duration(func(c *Config) *time.Duration { return &c.IdleTimeout }, 0)},
		{"clients.authentication_timeout", duration(func(c *Config) *time.Duration { return &c.AuthTimeout }, time.Second)},
		{"pool.backends", integer(func(c *Config) *int { return &c.Pool.Backends }, 0, 4096)},
		{"pool.reserve", integer(func(c *Config) *int { return &c.Pool.Reserve }, 0, 4096)},
		{"pool.parked_limit", integer(func(c *Config) *int { return &c.Pool.ParkedLimit }, 0, 1_000_000)},
		{"pool.queue_limit", integer(func(c *Config) *int { return &c.Pool.QueueLimit }, 0, 1_000_000)},
		{"pool.queue_timeout", duration(func(c *Config) *time.Duration { return &c.Pool.QueueTimeout }, 0)},
		{"console.admin_users", func(c *Config, v any) (err error) { c.Admins, err = stringsOf(v); return err }},
		{"console.stats_users", func(c *Config, v any) (err error) { c.Watchers, err = stringsOf(v); return err }},
		{"metrics.address", func(c *Config, v any) error {
			if err := str(func(c *Config) *string { return &c.Metrics }, true)(c, v); err != nil || c.Metrics == "" {
				return err
			}
			_, _, err := net.SplitHostPort(c.Metrics)
			return err
		}},
		{"memory.headroom", func(c *Config, v any) error {
			n, err := quantity(v, "kB")
			c.Headroom = n << 10
			return err
		}},
		{"memory.limit", func(c *Config, v any) error {
			n, err := quantity(v, "kB")
			c.MemoryLimit = n << 10
			return err
		}},
		{"tls.certificate", str(func(c *Config) *string { return &c.Certificate }, true)},
		{"tls.key", str(func(c *Config) *string { return &c.Key }, true)},
		{"log.destination", str(func(c *Config) *string { return &c.LogDestination }, false)},
		{"log.format", func(c *Config, v any) error {
			switch v {
			case "text":
				c.LogJSON = false
			case "json":
				c.LogJSON = true
			default:
				return fmt.Errorf("want \"text\" or \"json\", not %v", v)
			}
			return nil
		}},
		{"log.rotation_size", func(c *Config, v any) error {
			n, err := quantity(v, "kB")
			c.RotationSize = n << 10
			return err
		}},
		{"log.rotation_age", duration(func(c *Config) *time.Duration { return &c.RotationAge }, 0)},
	}
}

func tables() []string {
	return []string{"listen", "clients", "pool", "databases.NAME", "users.NAME", "console", "metrics", "memory", "tls", "log", "postgresql", "hba"}
}

func knownTable(name string) bool {
	for _, t := range tables() {
		if strings.TrimSuffix(t, ".NAME") == name {
			return true
		}
	}
	return false
}

// ours names the setting that takes the place of one of PostgreSQL's; empty when there is none.
func ours(name string) string {
	switch name {
	case "listen_addresses":
		return "listen.addresses"
	case "port":
		return "listen.port"
	case "unix_socket_directories":
		return "listen.unix_socket_directory"
	case "max_connections":
		return "clients.max_clients"
	case "authentication_timeout":
		return "clients.authentication_timeout"
	case "data_directory":
		return "data"
	case "ssl_cert_file":
		return "tls.certificate"
	case "ssl_key_file":
		return "tls.key"
	case "log_destination":
		return "log.destination and log.format"
	case "log_rotation_size":
		return "log.rotation_size"
	case "log_rotation_age":
		return "log.rotation_age"
	case "backends":
		return "pool.backends"
	case "queue_timeout":
		return "pool.queue_timeout"
	case "hba_file":
		return "[[hba]]"
	}
	return ""
}

func str(at func(*Config) *string, empty bool) func(*Config, any) error {
	return func(c *Config, v any) error {
		s, ok := v.(string)
		if !ok || s == "" && !empty {
			return fmt.Errorf("want a string, not %v", v)
		}
		*at(c) = s
		return nil
	}
}

func integer[C any](at func(*C) *int, least, most int64) func(*C, any) error {
	return func(c *C, v any) error {
		n, ok := v.(int64)
		if !ok || n < least || n > most {
			return fmt.Errorf("want a whole number from %d to %d, not %v", least, most, v)
		}
		*at(c) = int(n)
		return nil
	}
}

func duration[C any](at func(*C) *time.Duration, least time.Duration) func(*C, any) error {
	return func(c *C, v any) error {
		n, err := quantity(v, "ms")
		d := time.Duration(n) * time.Millisecond
		if err == nil && d < least {
			err = fmt.Errorf("want at least %s, not %v", least, v)
		}
		*at(c) = d
		return err
	}
}

// quantity reads a number with a unit, as PostgreSQL does, and gives it in the unit named.
func quantity(v any, unit string) (int64, error) {
	s := setting.Setting{Name: "value", Kind: setting.Int, Unit: unit, Max: 1<<31 - 1}
	if _, number := v.(int64); number && v != int64(0) {
		return 0, fmt.Errorf("want a number with a unit, such as \"10%s\", not %v", unit, v)
	}
	value, err := s.Parse(fmt.Sprint(v))
	if err != nil {
		e := pgerror.From(err)
		return 0, fmt.Errorf("%s. %s", e.Message, e.Hint)
	}
	return value.Int, nil
}

func stringsOf(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("want a list of strings, not %v", v)
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, fmt.Errorf("want a list of strings, not %v", v)
		}
	}
	return out, nil
}

// rules reads [[hba]], which replaces the rules that were there.
func (r *reading) rules(list []map[string]any) error {
	r.c.Rules = nil
	at := 0
	for _, m := range list {
		for at++; at <= len(r.lines) && !strings.HasPrefix(strings.TrimSpace(r.lines[at-1]), "[[hba]]"); at++ {
		}
		rule, err := ruleOf(m)
		if err != nil {
			return mistake(r.file, at, "rule %d of [[hba]]: %v", len(r.c.Rules)+1, err)
		}
		r.c.Rules = append(r.c.Rules, rule)
	}
	return nil
}

func ruleOf(m map[string]any) (auth.Rule, error) {
	rule := auth.Rule{Databases: []string{"all"}, Users: []string{"all"}}
	var err error
	for _, must := range []string{"type", "method"} {
		if _, ok := m[must]; !ok {
			return rule, fmt.Errorf("%s is missing", must)
		}
	}
	for key, v := range m {
		switch key {
		case "type":
			rule.Kind, err = ruleKind(v)
		case "method":
			rule.Method, err = ruleMethod(v)
		case "databases":
			rule.Databases, err = stringsOf(v)
		case "users":
			rule.Users, err = stringsOf(v)
		case "address":
			text, _ := v.(string)
			rule.Addresses, err = auth.ParseAddress(text)
		default:
			err = fmt.Errorf("unknown key \"%s\": a rule has type, databases, users, address and method", key)
		}
		if err != nil {
			return rule, err
		}
	}
	if rule.Kind == auth.Local && m["address"] != nil {
		return rule, fmt.Errorf("a local rule has no address")
	}
	for _, name := range append(append([]string{}, rule.Users...), rule.Databases...) {
		if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "@") || name == "samerole" || name == "samegroup" {
			return rule, fmt.Errorf("\"%s\" is not supported yet: name users and databases, or \"all\"", name)
		}
	}
	return rule, nil
}

func ruleKind(v any) (auth.Kind, error) {
	switch v {
	case "local":
		return auth.Local, nil
	case "host":
		return auth.Host, nil
	case "hostssl":
		return auth.HostSSL, nil
	case "hostnossl":
		return auth.HostNoSSL, nil
	}
	return 0, fmt.Errorf("type is local, host, hostssl or hostnossl, not %v", v)
}

func ruleMethod(v any) (auth.Method, error) {
	switch v {
	case "trust":
		return auth.Trust, nil
	case "reject":
		return auth.Reject, nil
	case "scram-sha-256":
		return auth.SCRAM, nil
	}
	return 0, fmt.Errorf("method is trust, scram-sha-256 or reject, not %v", v)
}
