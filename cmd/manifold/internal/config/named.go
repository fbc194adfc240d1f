package config

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"manifold/engine/setting"
)

// key is one setting of a table [databases.NAME] or [users.NAME].
type key[T any] struct {
	name string
	set  func(t *T, v any) error
}

func databaseKeys() []key[Database] {
	return []key[Database]{
		{"max_clients", integer(func(d *Database) *int { return &d.MaxClients }, 0, 1_000_000)},
		{"backends", integer(func(d *Database) *int { return &d.Backends }, 0, 4096)},
		{"reserve", integer(func(d *Database) *int { return &d.Reserve }, 0, 4096)},
		{"parked_limit", integer(func(d *Database) *int { return &d.ParkedLimit }, 0, 1_000_000)},
		{"queue_limit", integer(func(d *Database) *int { return &d.QueueLimit }, 0, 1_000_000)},
		{"queue_timeout", duration(func(d *Database) *time.Duration { return &d.QueueTimeout }, 0)},
	}
}

func userKeys() []key[User] {
	return []key[User]{
		{"max_clients", integer(func(u *User) *int { return &u.MaxClients }, 0, 1_000_000)},
		{"backends", integer(func(u *User) *int { return &u.Backends }, 0, 4096)},
		{"queue_limit", integer(func(u *User) *int { return &u.QueueLimit }, 0, 1_000_000)},
		{"queue_timeout", duration(func(u *User) *time.Duration { return &u.QueueTimeout }, 0)},
	}
}

// named reads the limits of single databases, which start from those of [pool], and of single users.
func (r *reading) named(tree map[string]any) error {
	if err := readNamed(r, tree, "databases", databaseKeys(), Database{Pool: r.c.Pool}, r.c.Databases); err != nil {
		return err
	}
	return readNamed(r, tree, "users", userKeys(), User{QueueTimeout: -1}, r.c.Users)
}

func readNamed[T any](r *reading, tree map[string]any, kind string, keys []key[T], start T, into map[string]T) error {
	names, _ := tree[kind].(map[string]any)
	if _, there := tree[kind]; there && names == nil {
		return mistake(r.file, r.line("", kind), "%s is a table of tables: [%s.NAME]", kind, kind)
	}
	for _, name := range sorted(names) {
		settings, ok := names[name].(map[string]any)
		if !ok {
			return mistake(r.file, r.line(kind, name), "%s.%s is a table: [%s.%s]", kind, name, kind, name)
		}
		t := start
		for _, k := range sorted(settings) {
			at := kind + "." + name
			set, all := choose(keys, k)
			if set == nil {
				return mistake(r.file, r.line(at, k), "unknown setting \"%s.%s\": [%s] has %s", at, k, at, all)
			}
			if err := set(&t, settings[k]); err != nil {
				return mistake(r.file, r.line(at, k), "%s.%s: %v", at, k, err)
			}
			r.c.shown[at+"."+k] = fmt.Sprint(settings[k])
		}
		into[name] = t
	}
	return nil
}

// choose finds how a key is set, nil when there is none of the name, and gives the names of all.
func choose[T any](keys []key[T], name string) (set func(*T, any) error, all string) {
	names := make([]string, len(keys))
	for i, k := range keys {
		if names[i] = k.name; k.name == name {
			set = k.set
		}
	}
	return set, strings.Join(names, ", ")
}

func sorted(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Live tells whether a reload changes a setting of a running server.
func Live(name string) bool {
	switch name {
	case "data", "listen.addresses", "listen.port", "listen.unix_socket_directory", "memory.headroom", "metrics.address", "log.destination",
		"log.rotation_size", "log.rotation_age":
		return false
	}
	if name, ours := strings.CutPrefix(name, "postgresql."); ours {
		p, ok := setting.Lookup(name)
		return ok && p.Context != setting.Postmaster
	}
	return true
}
