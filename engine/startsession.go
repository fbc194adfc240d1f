package engine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// maxBases is how many ways to log in are remembered.
const maxBases = 256

// baseCache is the parameters that sessions began with, by what they are made from, so that sessions which log in alike share
// one copy and do not read it again.
type baseCache struct {
	mu sync.Mutex
	m  map[string]*session.Base // guarded by mu
}

func (c *baseCache) get(key string) *session.Base {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[key]
}

func (c *baseCache) put(key string, b *session.Base) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxBases {
		c.m = map[string]*session.Base{}
	}
	c.m[key] = b
}

// StartSession gives a session its user, database and settings: those of the configuration, of the database, of the role, and
// the startup parameters of the client.
func (e *Engine) StartSession(s *session.Session, l Login, params map[string]string) error {
	s.Identity = session.Identity{User: l.Role, Role: l.Role.OID, UserName: l.Role.Name, Super: l.Role.Super}
	s.Login, s.Database = l.Role, l.Database
	e.stats.Database(l.Database.OID).Sessions.Add(1)
	stored, err := e.storedSettings(s)
	if err != nil {
		return err
	}
	configured := e.configured.Load()
	s.Configured = configured.generation
	key := baseKey(configured.generation, l.Role, stored, params)
	if b := e.bases.get(key); b != nil {
		s.Settings = session.OnBase(b)
		return nil
	}
	for name, value := range configured.values {
		if err := s.Settings.Preset(name, value); err != nil {
			return err
		}
	}
	for _, entry := range stored {
		if name, value, ok := strings.Cut(entry, "="); ok {
			if err := s.Settings.Store(name, value); err != nil {
				s.Notice(pgerror.From(err))
			}
		}
	}
	for _, name := range startupNames(params) {
		if err := s.Settings.Set(session.Change{Name: name, Text: params[name], Depth: -1, Super: l.Role.Super, Startup: true}); err != nil {
			f := pgerror.From(err)
			f.Severity = pgerror.SeverityFatal
			return f
		}
	}
	s.Settings.SetInternal("is_superuser", onOff(l.Role.Super))
	s.Settings.SetInternal("session_authorization", l.Role.Name)
	if len(s.Notices) == 0 {
		e.bases.put(key, s.Settings.Share())
	}
	return nil
}

// startupNames gives the parameters of a startup packet that are settings, in a fixed order.
func startupNames(params map[string]string) []string {
	names := slices.Sorted(maps.Keys(params))
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "user" || name == "database" || name == "replication" || name == "options"
	})
}

// baseKey gives all that the settings of a new session depend on.
func baseKey(generation uint64, role *catalog.Role, stored []string, params map[string]string) string {
	var b strings.Builder
	add := func(s string) {
		b.WriteString(s)
		b.WriteByte(0)
	}
	add(strconv.FormatUint(generation, 10))
	add(role.Name)
	add(onOff(role.Super))
	for _, s := range stored {
		add(s)
	}
	add("")
	for _, name := range startupNames(params) {
		add(name)
		add(params[name])
	}
	return b.String()
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

// storedSettings gives what ALTER DATABASE ... SET and ALTER ROLE ... SET have stored, the more specific last.
func (e *Engine) storedSettings(s *session.Session) ([]string, error) {
	var list []string
	err := e.read(s.Task, s.Database.OID, func(v *catalog.View) error {
		for _, k := range [][2]base.OID{{s.Database.OID, 0}, {0, s.User.OID}, {s.Database.OID, s.User.OID}} {
			r, err := v.Row(bootstrap.RelDbRoleSetting, bootstrap.IdxDbRoleSettingDatabaseidRolIndex, oidDatum(k[0]), oidDatum(k[1]))
			if err != nil {
				return err
			}
			if r != nil {
				list = append(list, r.Texts(bootstrap.ColDbRoleSettingSetconfig)...)
			}
		}
		return nil
	})
	return list, err
}
