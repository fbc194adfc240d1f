package admin

import (
	"strconv"
	"strings"
	"time"

	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
	"manifold/pool"
)

// Sources is what the console shows.
type Sources struct {
	Version string
	Pools   func() []pool.Stat
	Clients func() []Client
	// Config gives the settings of the server as name, value and default.
	Config func() [][3]string
	// Terminate ends a client; false when there is none with that number.
	Terminate func(pid uint32) bool
	// Ask has the server do what a signal would make it do. It does not wait; false when too much has been asked already.
	Ask func(Request) bool
}

// Request is what the console asks of the server as a whole.
type Request uint8

// The requests.
const (
	Reload        Request = iota // read the configuration again
	ShutdownFast                 // end the clients and stop
	ShutdownSmart                // stop once the clients have left
)

// actions are the commands without rows; an argument stands behind the name.
func actions() []action {
	ask := func(r Request) func(*Backend, string) error {
		return func(b *Backend, _ string) error {
			if !b.from.Ask(r) {
				return pgerror.New(pgerror.CannotConnectNow, "the server has too many requests to serve first")
			}
			return nil
		}
	}
	return []action{
		{name: "RELOAD", tag: "RELOAD", help: "read the configuration again", run: ask(Reload)},
		{name: "SHUTDOWN", tag: "SHUTDOWN", help: "end the clients and stop the server", run: ask(ShutdownFast)},
		{name: "SHUTDOWN WAIT_FOR_CLIENTS", tag: "SHUTDOWN", help: "stop the server once the clients have left", run: ask(ShutdownSmart)},
		{name: "KILL_CLIENT", argument: "pid", tag: "KILL_CLIENT", help: "end a client", run: (*Backend).killClient},
	}
}

type action struct {
	name     string
	argument string // what it is, empty for none
	tag      string
	help     string
	run      func(b *Backend, argument string) error
}

func (b *Backend) killClient(argument string) error {
	pid, err := strconv.ParseUint(argument, 10, 32)
	if err != nil || !b.from.Terminate(uint32(pid)) {
		return pgerror.Newf(pgerror.UndefinedObject, "there is no client %s", argument)
	}
	return nil
}

// act runs an action; found is false when the words are none.
func (b *Backend) act(name string, out backend.Sink) (found bool, err error) {
	for _, a := range actions() {
		argument, ok := name, a.argument == "" && name == a.name
		if a.argument != "" {
			argument, ok = strings.CutPrefix(name, a.name+" ")
		}
		if !ok {
			continue
		}
		if err := a.run(b, argument); err != nil {
			return true, err
		}
		return true, out.Complete(a.tag)
	}
	return false, nil
}

// Client is one that is logged in.
type Client struct {
	PID      uint32
	User     string
	Database string
	TLS      bool
	Info     session.Info
}

// Backend answers the console's commands.
type Backend struct {
	from  Sources
	batch vector.Batch
}

// New makes a console.
func New(from Sources) *Backend { return &Backend{from: from} }

// command is one line of HELP.
type command struct {
	name string
	help string
	run  func(b *Backend) table
}

type table struct {
	cols []string
	rows [][]string
}

func commands() []command {
	return []command{
		{"SHOW VERSION", "the version of the server", (*Backend).version},
		{"SHOW POOLS", "slots, statements and backends by database", (*Backend).pools},
		{"SHOW CLIENTS", "who is logged in", (*Backend).clients},
		{"SHOW SERVERS", "the backends of each pool", (*Backend).servers},
		{"SHOW DATABASES", "the databases that have a pool", (*Backend).databases},
		{"SHOW CONFIG", "the configuration", (*Backend).config},
		{"SHOW HELP", "this list", (*Backend).help},
	}
}

// Simple implements pool.Statements.
func (b *Backend) Simple(s *session.Session, text string, out backend.Sink) error {
	for _, stmt := range strings.Split(text, ";") {
		words := strings.Fields(stmt)
		if len(words) == 0 {
			continue
		}
		name := strings.ToUpper(strings.Join(words, " "))
		if name == "HELP" {
			name = "SHOW HELP"
		}
		found, err := b.act(name, out)
		if err != nil {
			return err
		}
		for _, c := range commands() {
			if c.name == name {
				found = true
				if err := b.send(c.run(b), out); err != nil {
					return err
				}
			}
		}
		if !found {
			return pgerror.Newf(pgerror.SyntaxError, "unknown command of the console: %s", strings.Join(words, " ")).
				WithHint("SHOW HELP lists the commands.")
		}
	}
	if strings.Trim(text, "; \t\r\n") == "" {
		return out.Complete("")
	}
	return nil
}

func (b *Backend) send(t table, out backend.Sink) error {
	cols := make([]plan.ResultColumn, len(t.cols))
	for i, name := range t.cols {
		cols[i] = plan.ResultColumn{Name: name, Type: types.OIDText, Typmod: -1}
	}
	if err := out.Describe(cols, nil); err != nil {
		return err
	}
	b.batch.Cols = make([]vector.Vector, len(cols))
	for rows := t.rows; len(rows) > 0; {
		n := min(len(rows), vector.BatchSize)
		b.batch.N, b.batch.Sel = n, nil
		for i := range cols {
			b.batch.Cols[i].Reset(true, n)
			for j := range n {
				b.batch.Cols[i].SetBytes(j, []byte(rows[j][i]))
			}
		}
		if err := out.Rows(cols, nil, &b.batch); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return out.Complete("SHOW")
}

func (b *Backend) version() table {
	return table{[]string{"version"}, [][]string{{b.from.Version}}}
}

func (b *Backend) pools() table {
	t := table{cols: []string{"database", "slots", "running", "parked", "waiting", "backends", "clients", "grants", "wait_us"}}
	for _, p := range b.from.Pools() {
		t.rows = append(t.rows, []string{p.Name, strconv.Itoa(p.Slots), strconv.Itoa(p.Running), strconv.Itoa(p.Parked),
			strconv.Itoa(p.Waiting), strconv.Itoa(p.Backends), strconv.Itoa(p.Leases), strconv.FormatUint(p.Grants, 10),
			strconv.FormatInt(p.Waited.Microseconds(), 10)})
	}
	return t
}

func (b *Backend) clients() table {
	t := table{cols: []string{"pid", "user", "database", "state", "addr", "port", "application_name", "tls", "state_change", "query"}}
	for _, e := range b.from.Clients() {
		tls := "off"
		if e.TLS {
			tls = "on"
		}
		addr := e.Info.ClientAddr
		if addr == "" {
			addr = "[local]"
		}
		t.rows = append(t.rows, []string{strconv.FormatUint(uint64(e.PID), 10), e.User, e.Database, e.Info.State,
			addr, strconv.Itoa(e.Info.ClientPort), e.Info.Application, tls, e.Info.StateChange.UTC().Format(time.RFC3339), e.Info.Query})
	}
	return t
}

func (b *Backend) servers() table {
	t := table{cols: []string{"database", "kind", "backends", "running", "parked", "idle"}}
	for _, p := range b.from.Pools() {
		t.rows = append(t.rows, []string{p.Name, "engine", strconv.Itoa(p.Backends), strconv.Itoa(p.Running),
			strconv.Itoa(p.Parked), strconv.Itoa(max(0, p.Backends-p.Running-p.Parked))})
	}
	return t
}

func (b *Backend) databases() table {
	t := table{cols: []string{"name", "pool_size", "current_connections"}}
	for _, p := range b.from.Pools() {
		t.rows = append(t.rows, []string{p.Name, strconv.Itoa(p.Slots), strconv.Itoa(p.Leases)})
	}
	return t
}

func (b *Backend) config() table {
	t := table{cols: []string{"key", "value", "default"}}
	for _, c := range b.from.Config() {
		t.rows = append(t.rows, []string{c[0], c[1], c[2]})
	}
	return t
}

func (b *Backend) help() table {
	t := table{cols: []string{"command", "does"}}
	for _, c := range commands() {
		t.rows = append(t.rows, []string{c.name, c.help})
	}
	for _, a := range actions() {
		t.rows = append(t.rows, []string{strings.TrimSpace(a.name + " " + a.argument), a.help})
	}
	return t
}

func noExtended() error {
	return pgerror.Unsupported("the extended query protocol in the console")
}

// Parse implements pool.Statements.
func (b *Backend) Parse(*session.Session, string, string, []base.OID) error { return noExtended() }

// DescribeStatement implements pool.Statements.
func (b *Backend) DescribeStatement(*session.Session, string) ([]base.OID, []plan.ResultColumn, error) {
	return nil, nil, noExtended()
}

// CloseStatement implements pool.Statements.
func (b *Backend) CloseStatement(*session.Session, string) error { return nil }

// Bind implements pool.Portals.
func (b *Backend) Bind(*session.Session, string, string, []int16, [][]byte, []int16) error {
	return noExtended()
}

// DescribePortal implements pool.Portals.
func (b *Backend) DescribePortal(*session.Session, string) ([]plan.ResultColumn, []int16, error) {
	return nil, nil, noExtended()
}

// Execute implements pool.Portals.
func (b *Backend) Execute(*session.Session, string, int, backend.Sink) (bool, error) {
	return false, noExtended()
}

// ClosePortal implements pool.Portals.
func (b *Backend) ClosePortal(*session.Session, string) error { return nil }

// Sync implements pool.Transactions; the console has no transactions.
func (b *Backend) Sync(*session.Session) error { return nil }

// Fail implements pool.Transactions.
func (b *Backend) Fail(*session.Session, *pgerror.Error) {}

// Release implements pool.Transactions.
func (b *Backend) Release(*session.Session) {}

// Close implements pool.Transactions.
func (b *Backend) Close() {}
