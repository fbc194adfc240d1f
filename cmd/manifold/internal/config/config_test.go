package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"manifold/proxy/auth"
)

func TestDefaultIsTheFileInTheRoot(t *testing.T) {
	text, err := os.ReadFile("../../../../config.toml")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != defaults {
		t.Error("config.toml and default.toml differ: copy the one over the other")
	}
}

func TestDefaults(t *testing.T) {
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 5432 || c.MaxClients != 10000 || c.Pool.QueueTimeout != 2*time.Minute || c.AuthTimeout != time.Minute ||
		c.RotationSize != 10<<20 || len(c.Rules) != 4 || c.Rules[3].Method != auth.SCRAM || c.Addresses[0] != "127.0.0.1" {
		t.Errorf("%+v", c)
	}
	for _, f := range fields() {
		if _, ok := c.shown[f.name]; !ok {
			t.Errorf("%s has no default in config.toml", f.name)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[listen]\nprot = 1", `f.toml:2: unknown setting "listen.prot": [listen] has addresses, port, unix_socket_directory`},
		{"foo = 1", `f.toml:1: unknown setting "foo": there are data and the tables`},
		{"[foo]\nx = 1", `unknown setting "foo.x": there are data and the tables`},
		{"\n[listen]\nport = \"x\"", `f.toml:3: listen.port: want a whole number from 1 to 65535, not x`},
		{"[pool]\nqueue_timeout = 5", `f.toml:2: pool.queue_timeout: want a number with a unit`},
		{"[pool]\nqueue_timeout = \"5 weeks\"", `f.toml:2: pool.queue_timeout: invalid value`},
		{"[postgresql]\nwork_men = 1", `f.toml:2: unrecognized configuration parameter "work_men"`},
		{"[postgresql]\nwork_mem = \"1kB\"", `f.toml:2: 1 kB is outside the valid range for parameter "work_mem" (64 .. 2147483647)`},
		{"[postgresql]\nport = 1", `f.toml:2: parameter "port" is set by listen.port here`},
		{"[[hba]]\ntype = \"local\"\nmethod=\"trust\"\n[[hba]]\ntype = \"host\"\nmethod = \"md5\"", `f.toml:4: rule 2 of [[hba]]: method is trust`},
		{"[[hba]]\ntype = \"host\"\nmethod = \"trust\"\naddress = \"1.2.3\"", `invalid address "1.2.3"`},
		{"[databases.app]\nx = 1", `f.toml:2: unknown setting "databases.app.x": [databases.app] has max_clients, backends`},
		{"[users.\"a b\"]\nbackends = \"x\"", `f.toml:2: users.a b.backends: want a whole number`},
		{"[users]\nbackends = 1", `f.toml:2: users.backends is a table: [users.backends]`},
		{"[clients]\nmax_clients = 3", `postgresql.superuser_reserved_connections (3) must be less than clients.max_clients (3)`},
		{"[metrics]\naddress = \"9187\"", `f.toml:2: metrics.address: `},
		{"[tls]\nkey = \"k\"", `tls.certificate and tls.key must be set together`},
		{"data = ", `f.toml:1: `},
	} {
		path := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestNamedLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.toml")
	text := "[databases.app]\nbackends = 3\n[users.u]\nmax_clients = 7\n[pool]\nqueue_limit = 9\nqueue_timeout = \"1s\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Databases["app"]; d.Backends != 3 || d.QueueLimit != 9 || d.QueueTimeout != time.Second || d.ParkedLimit != 1000 || d.Reserve != 1 {
		t.Errorf("%+v", d)
	}
	if u := c.Users["u"]; u.MaxClients != 7 || u.Backends != 0 || u.QueueTimeout >= 0 {
		t.Errorf("%+v", u)
	}
	if c.shown["databases.app.backends"] != "3" {
		t.Error("SHOW CONFIG does not know limits of databases")
	}
}
