package admin

import (
	"slices"
	"strconv"
	"strings"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/pool"
)

// action is a command without rows.
type action struct {
	verb        string
	least, most int // arguments
	argument    string
	help        string
	run         func(b *Backend, s *session.Session, argument string) error
}

func actions() []action {
	return []action{
		{"PAUSE", 0, 1, "[db]", "let no new statement begin, and return when no transaction is left", (*Backend).pause},
		{"SUSPEND", 0, 0, "", "let no statement go on, and return when none runs", (*Backend).suspend},
		{"RESUME", 0, 1, "[db]", "end PAUSE, SUSPEND and KILL", (*Backend).resume},
		{"DISABLE", 0, 1, "db", "let no new client into a database", disable(true)},
		{"ENABLE", 0, 1, "db", "let clients into a database again", disable(false)},
		{"KILL", 0, 1, "[db]", "end the clients of a database, or of all, and pause it", (*Backend).kill},
		{"KILL_CLIENT", 1, 1, "pid", "end a client", (*Backend).killClient},
		{"RECONNECT", 0, 1, "[db]", "replace the backends as they become free", (*Backend).reconnect},
		{"WAIT_CLOSE", 0, 1, "[db]", "wait for the end of those that RECONNECT replaces", (*Backend).waitClose},
		{"RELOAD", 0, 0, "", "read the configuration again", ask(Reload)},
		{"SHUTDOWN", 0, 1, "[WAIT_FOR_CLIENTS]", "end the clients, or wait for them to leave, and stop the server", shutdown},
	}
}

// database checks that a database exists and is none of the console's own names.
func (b *Backend) database(s *session.Session, verb, name string) error {
	switch name {
	case "":
		return pgerror.New(pgerror.SyntaxError, "a database is required")
	case "manifold", "pgbouncer":
		return pgerror.Newf(pgerror.ProtocolViolation, "cannot %s admin db: %s", strings.ToLower(verb), name)
	}
	all, err := b.from.Databases(s.Task)
	if err == nil && !slices.Contains(all, name) {
		err = pgerror.Newf(pgerror.ProtocolViolation, "no such database: %s", name)
	}
	return err
}

// maybe is database for a command whose database may be left out.
func (b *Backend) maybe(s *session.Session, verb, name string) error {
	if name == "" {
		return nil
	}
	return b.database(s, verb, name)
}

func (b *Backend) pause(s *session.Session, name string) error {
	if err := b.maybe(s, "PAUSE", name); err != nil {
		return err
	}
	done, err := b.from.Pools.Pause(name)
	if err != nil {
		return err
	}
	return b.await(s, done, name)
}

func (b *Backend) suspend(s *session.Session, _ string) error {
	done, err := b.from.Pools.Suspend()
	if err != nil {
		return err
	}
	return b.await(s, done, "")
}

// await waits for pools to come to rest. When the wait is cancelled, they go on.
func (b *Backend) await(s *session.Session, done []<-chan struct{}, name string) error {
	err := waitAll(s.Task, done)
	if err != nil {
		b.from.Pools.Resume(name)
		return err
	}
	if gate, _ := b.from.Pools.Shut(name); gate == pool.Open {
		return pgerror.New(pgerror.QueryCanceled, "the pool was resumed")
	}
	return nil
}

func waitAll(task *activity.Task, done []<-chan struct{}) error {
	for _, d := range done {
		if err := task.Wait(activity.EventPoolRest, d, 0); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) resume(s *session.Session, name string) error {
	if err := b.maybe(s, "RESUME", name); err != nil {
		return err
	}
	switch {
	case b.from.Pools.Resume(name):
		return nil
	case name != "":
		return pgerror.Newf(pgerror.ProtocolViolation, "database %s is not paused", name)
	}
	return pgerror.New(pgerror.ProtocolViolation, "pooler is not paused/suspended")
}

func disable(disabled bool) func(*Backend, *session.Session, string) error {
	verb := "ENABLE"
	if disabled {
		verb = "DISABLE"
	}
	return func(b *Backend, s *session.Session, name string) error {
		if err := b.database(s, verb, name); err != nil {
			return err
		}
		b.from.Pools.Disable(name, disabled)
		return nil
	}
}

func (b *Backend) kill(s *session.Session, name string) error {
	if err := b.maybe(s, "KILL", name); err != nil {
		return err
	}
	if _, err := b.from.Pools.Pause(name); err != nil {
		return err
	}
	names := []string{name}
	if name == "" {
		var err error
		if names, err = b.from.Databases(s.Task); err != nil {
			return err
		}
	}
	for _, n := range names {
		b.from.TerminateDatabase(n)
	}
	return nil
}

func (b *Backend) killClient(_ *session.Session, argument string) error {
	pid, err := strconv.ParseUint(argument, 10, 32)
	if err != nil || !b.from.Terminate(uint32(pid)) {
		return pgerror.Newf(pgerror.UndefinedObject, "there is no client %s", argument)
	}
	return nil
}

func (b *Backend) reconnect(s *session.Session, name string) error {
	if err := b.maybe(s, "RECONNECT", name); err != nil {
		return err
	}
	b.from.Pools.Recycle(name)
	return nil
}

func (b *Backend) waitClose(s *session.Session, name string) error {
	if err := b.maybe(s, "WAIT_CLOSE", name); err != nil {
		return err
	}
	var done []<-chan struct{}
	for _, p := range b.from.Pools.Named(name) {
		done = append(done, p.Recycled())
	}
	return waitAll(s.Task, done)
}

func ask(r Request) func(*Backend, *session.Session, string) error {
	return func(b *Backend, _ *session.Session, _ string) error {
		if !b.from.Ask(r) {
			return pgerror.New(pgerror.CannotConnectNow, "the server has too many requests to serve first")
		}
		return nil
	}
}

func shutdown(b *Backend, s *session.Session, how string) error {
	switch strings.ToUpper(how) {
	case "":
		return ask(ShutdownFast)(b, s, how)
	case "WAIT_FOR_CLIENTS":
		return ask(ShutdownSmart)(b, s, how)
	}
	return pgerror.Newf(pgerror.SyntaxError, "invalid command 'SHUTDOWN %s', use SHOW HELP;", how)
}
