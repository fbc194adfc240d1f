package config

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"manifold/engine/pgerror"
	"manifold/engine/setting"
	"manifold/proxy/auth"
)

//go:embed default.toml
var defaults string

// Config is a whole configuration. Relative paths are relative to the directory of the file that names them.
type Config struct {
	File        string // empty: the built-in one
	Data        string
	Addresses   []string
	Port        int
	SocketDir   string
	MaxClients  int
	Lobby       int
	Logins      int
	AuthTimeout time.Duration
	IdleTimeout time.Duration

	Pool      Pool
	Databases map[string]Database
	Users     map[string]User

	Admins   []string // of the console, besides superusers
	Watchers []string // who may only look there

	Metrics string // the address; empty: none

	Headroom    int64 // bytes of garbage between two collections
	MemoryLimit int64 // bytes of Go heap; 0: none

	Certificate string
	Key         string

	LogDestination string
	LogJSON        bool
	RotationSize   int64 // bytes
	RotationAge    time.Duration

	PostgreSQL map[string]string // by canonical name
	Rules      auth.Rules

	shown map[string]string
}

// Pool is the limits of a database's pool.
type Pool struct {
	Backends     int
	Reserve      int
	ParkedLimit  int
	QueueLimit   int
	QueueTimeout time.Duration
}

// Database is the limits of one database.
type Database struct {
	Pool
	MaxClients int // 0: no limit of its own
}

// User is the limits of one user; zero is none, but for the timeout, which is the pool's when it is below zero.
type User struct {
	MaxClients   int
	Backends     int // in each database
	QueueLimit   int // in each database
	QueueTimeout time.Duration
}

// Load reads a file over the defaults; an empty path gives the defaults.
func Load(path string) (*Config, error) {
	c := empty()
	if err := c.read("default.toml", defaults); err != nil {
		return nil, err
	}
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, pgerror.IO(err, "could not read \"%s\"", path)
	}
	c.File = path
	if err := c.read(path, string(text)); err != nil {
		return nil, err
	}
	c.anchor(filepath.Dir(path))
	return c, c.check()
}

func empty() *Config {
	return &Config{PostgreSQL: map[string]string{}, shown: map[string]string{}, Databases: map[string]Database{}, Users: map[string]User{}}
}

// anchor makes paths of the file independent of where the server was started.
func (c *Config) anchor(dir string) {
	for _, p := range []*string{&c.Data, &c.Certificate, &c.Key, &c.SocketDir} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	if c.LogDestination != "stderr" && !filepath.IsAbs(c.LogDestination) {
		c.LogDestination = filepath.Join(dir, c.LogDestination)
	}
}

// check looks at what single settings cannot tell.
func (c *Config) check() error {
	if (c.Certificate == "") != (c.Key == "") {
		return mistake(c.File, 0, "tls.certificate and tls.key must be set together")
	}
	const reserved = "superuser_reserved_connections"
	if p, ok := setting.Lookup(reserved); ok {
		v := p.Default()
		if text, set := c.PostgreSQL[reserved]; set {
			v, _ = p.Parse(text) // it was checked when it was read
		}
		if v.Int >= int64(c.MaxClients) {
			return mistake(c.File, 0, "postgresql.%s (%d) must be less than clients.max_clients (%d)", reserved, v.Int, c.MaxClients)
		}
	}
	return nil
}

// Show gives every setting with its value and its default, by name.
func (c *Config) Show() [][3]string {
	base := empty()
	// The defaults have been read before, or there would be no c.
	_ = base.read("default.toml", defaults)
	var out [][3]string
	for name, value := range c.shown {
		out = append(out, [3]string{name, value, base.shown[name]})
	}
	sort.Slice(out, func(i, j int) bool { return out[i][0] < out[j][0] })
	return out
}

// read puts the settings of one file over those that are there.
func (c *Config) read(file, text string) error {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return mistake(file, p.Position.Line, "%s", p.Message)
		}
		return mistake(file, 0, "%v", err)
	}
	r := &reading{c: c, file: file, lines: strings.Split(text, "\n")}
	names := make([]string, 0, len(tree))
	for name := range tree {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := r.top(name, tree[name]); err != nil {
			return err
		}
	}
	return r.named(tree) // starts from what [pool] says
}

// reading is one pass over one file.
type reading struct {
	c     *Config
	file  string
	lines []string
}

func (r *reading) top(name string, value any) error {
	switch v := value.(type) {
	case map[string]any:
		switch name {
		case "postgresql":
			return r.postgresql(v)
		case "databases", "users":
			return nil // see named
		}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			if err := r.own(name, k, v[k]); err != nil {
				return err
			}
		}
		if len(keys) == 0 && !knownTable(name) {
			return r.unknown("", name)
		}
		return nil
	case []map[string]any:
		if name == "hba" {
			return r.rules(v)
		}
	}
	return r.own("", name, value)
}

func (r *reading) own(tableName, key string, value any) error {
	full := key
	if tableName != "" {
		full = tableName + "." + key
	}
	for _, f := range fields() {
		if f.name != full {
			continue
		}
		if err := f.set(r.c, value); err != nil {
			return mistake(r.file, r.line(tableName, key), "%s: %v", full, err)
		}
		r.c.shown[full] = fmt.Sprint(value)
		return nil
	}
	return r.unknown(tableName, key)
}

func (r *reading) unknown(tableName, key string) error {
	full, prefix := key, ""
	if tableName != "" {
		full, prefix = tableName+"."+key, tableName+"."
	}
	var near []string
	for _, f := range fields() {
		if strings.HasPrefix(f.name, prefix) && (prefix != "" || !strings.Contains(f.name, ".")) {
			near = append(near, strings.TrimPrefix(f.name, prefix))
		}
	}
	if tableName != "" && len(near) == 0 || tableName == "" {
		return mistake(r.file, r.line(tableName, key), "unknown setting \"%s\": there are data and the tables %s", full,
			strings.Join(tables(), ", "))
	}
	return mistake(r.file, r.line(tableName, key), "unknown setting \"%s\": [%s] has %s", full, tableName, strings.Join(near, ", "))
}

// postgresql checks PostgreSQL's own settings through their one table.
func (r *reading) postgresql(values map[string]any) error {
	names := make([]string, 0, len(values))
	for n := range values {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		line := r.line("postgresql", n)
		p, ok := setting.Lookup(n)
		if !ok {
			return mistake(r.file, line, "unrecognized configuration parameter \"%s\"", n)
		}
		if instead := ours(p.Name); instead != "" {
			return mistake(r.file, line, "parameter \"%s\" is set by %s here", p.Name, instead)
		}
		if p.Context == setting.Internal {
			return mistake(r.file, line, "parameter \"%s\" cannot be changed", p.Name)
		}
		text := fmt.Sprint(values[n])
		if _, err := p.Parse(text); err != nil {
			e := pgerror.From(err)
			if e.Hint != "" {
				return mistake(r.file, line, "%s; %s", e.Message, e.Hint)
			}
			return mistake(r.file, line, "%s", e.Message)
		}
		r.c.PostgreSQL[p.Name] = text
		r.c.shown["postgresql."+p.Name] = text
	}
	return nil
}

// line finds where a key is set; zero when it is written in some rare way.
func (r *reading) line(tableName, key string) int {
	in := ""
	for i, text := range r.lines {
		t := strings.TrimSpace(text)
		if strings.HasPrefix(t, "[") {
			in = strings.ReplaceAll(strings.Trim(strings.SplitN(t, "#", 2)[0], "[] \t"), "\"", "")
			if tableName == "" && in == key {
				return i + 1
			}
			continue
		}
		name, _, ok := strings.Cut(t, "=")
		if name = strings.Trim(name, " \t\"'"); ok && (in == tableName && name == key || in == "" && name == tableName+"."+key) {
			return i + 1
		}
	}
	return 0
}

func mistake(file string, line int, format string, args ...any) error {
	where := file
	if line > 0 {
		where = fmt.Sprintf("%s:%d", file, line)
	}
	return pgerror.Newf(pgerror.ConfigFileError, "%s: %s", where, fmt.Sprintf(format, args...))
}
