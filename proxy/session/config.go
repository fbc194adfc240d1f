package session

import (
	"crypto/tls"
	"time"

	"manifold/engine/activity"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/pool"
	"manifold/proxy/auth"
)

// Account is what the catalogs say of a user and the database that it asks for; either is nil when there is none.
type Account struct {
	Role     *catalog.Role
	Database *catalog.Database
}

// Engine is what a client needs of the engine besides backends.
type Engine interface {
	Accounts
	Sessions
	// Refresh gives a session that is outside of a transaction what has changed in the configuration.
	Refresh(s *session.Session)
}

// Accounts tells who may come in.
type Accounts interface {
	// Login looks user and database up. That either does not exist is no error here.
	Login(task *activity.Task, user, database string) (Account, error)
	// CheckLogin tells whether an authenticated user may enter the database (28000, 3D000, 55000).
	CheckLogin(a Account, user, database string) error
}

// Sessions makes and ends sessions.
type Sessions interface {
	// NewSession makes a session with a number and a cancel key of its own. End must follow.
	NewSession(task *activity.Task) *session.Session
	// StartSession gives the session its user, database and settings; params are the client's startup parameters.
	StartSession(s *session.Session, a Account, params map[string]string) error
	// Register shows the session to others, unless its database is going.
	Register(s *session.Session) error
	// End undoes NewSession and Register; a backend has released the session before.
	End(s *session.Session)
	// DeliverNotifications hands what is durable to the sessions that listen.
	DeliverNotifications()
	// AwaitAnswer waits until the log that the session's answer depends on is durable.
	AwaitAnswer(s *session.Session) error
}

// Who names a client in the log.
type Who struct {
	PID         uint32
	User        string
	Database    string
	Application string
	Remote      string
}

// Log takes what is worth keeping. Its methods are called by many goroutines.
type Log interface {
	// Event is an error, warning or message about a client; statement may be empty.
	Event(w *Who, e *pgerror.Error, statement string)
	// Statement is a statement about to run, when log_statement asks for it.
	Statement(w *Who, text string)
	// Duration is a statement that took longer than log_min_duration_statement.
	Duration(w *Who, text string, took time.Duration)
	// Panic is a bug that ended a client.
	Panic(w *Who, reason any, stack []byte)
}

// Config is what all clients of a server share. The functions may answer differently after a reload.
type Config struct {
	Engine   Engine
	Pools    *pool.Pools
	Console  *pool.Pool // of the console database; nil: there is none
	Registry *Registry
	Log      Log
	Rules    func() auth.Rules
	TLS      func() *tls.Config // nil result: not configured
	Secret   auth.Secret
	// AuthTimeout bounds the time from accept to the end of authentication.
	AuthTimeout func() time.Duration
	// Admit refuses clients while the server starts or stops (57P03) and beyond its limit (53300).
	Admit func() error
	// Enter takes the place of an authenticated client, of those kept for superusers if it must be (53300).
	Enter func(super bool) error
	// Lobby holds the clients that are not authenticated.
	Lobby *Lobby
	// Handshakes bounds how many clients do the arithmetic of TLS at a time.
	Handshakes *Logins
	// Logins bounds how many clients look themselves up in the catalogs at a time; those beyond wait.
	Logins *Logins
	// Policy gives the limits that may change; nil: none.
	Policy func() *Policy
	// Left is called when a client is over, as often as Serve was; placed says that Enter had let it in.
	Left func(placed bool)
	// Crash ends the process: a bug may have harmed shared state.
	Crash func(reason string)
}

// Policy is limits of clients. It is not changed once it is in use.
type Policy struct {
	IdleTimeout time.Duration  // after which a client outside of a transaction is ended, whatever it sets; 0: never
	Databases   map[string]int // how many clients may be in a database
	Users       map[string]int // how many clients a user may have
	Admins      []string       // who may use the console besides superusers
	Watchers    []string       // who may only look there
}

func (c *Config) policy() *Policy {
	if c.Policy == nil {
		return &Policy{}
	}
	return c.Policy()
}

// consoleName tells whether a database is the console's.
func consoleName(database string) bool { return database == "manifold" || database == "pgbouncer" }
