package admin

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/session"
	"manifold/pool"
)

// Sources is what the console shows and rules.
type Sources struct {
	Version  string
	Port     int
	Pools    Pools
	Clients  func() []Client
	Limits   func(database, user string) (databaseClients, userClients int) // limits of clients; 0 is none
	Capacity func() Capacity
	// Databases gives the names of all databases that take clients, in order.
	Databases func(task *activity.Task) ([]string, error)
	// Config gives the settings of the server as name, value and default; Live tells which of them a reload can change.
	Config func() [][3]string
	Live   func(name string) bool
	Errors func() map[string]uint64 // told to clients, by SQLSTATE
	// Role tells what a user who is no superuser may do.
	Role func(user string) Role
	// Terminate ends a client; false when there is none with that number. TerminateDatabase ends those of a database.
	Terminate         func(pid uint32) bool
	TerminateDatabase func(database string) int
	// Ask has the server do what a signal would make it do. It does not wait; false when too much has been asked already.
	Ask func(Request) bool
}

// Pools is the pools of the server.
type Pools interface {
	Looking
	Ruling
}

// Looking shows pools.
type Looking interface {
	Stats() []pool.Stat
	Named(database string) []*pool.Pool
	LimitsOf(database string) pool.Limits
	Shut(database string) (gate pool.Gate, disabled bool)
	All() pool.Gate
}

// Ruling rules pools.
type Ruling interface {
	Pause(database string) ([]<-chan struct{}, error)
	Suspend() ([]<-chan struct{}, error)
	Resume(database string) bool
	Disable(database string, disabled bool)
	Recycle(database string)
}

// Role is what a user may do.
type Role uint8

// The roles.
const (
	Nobody  Role = iota
	Watcher      // only SHOW
	Master
)

// Request is what the console asks of the server as a whole.
type Request uint8

// The requests.
const (
	Reload        Request = iota // read the configuration again
	ShutdownFast                 // end the clients and stop
	ShutdownSmart                // stop once the clients have left
)

// Capacity is what the server has room for.
type Capacity struct {
	Clients   int // that may be logged in
	Connected int // logged in or on the way
	LoggingIn int // of them on the way
	Refused   int
	Memory    int64 // bytes of heap and stacks
}

// Client is one that is logged in.
type Client struct {
	PID       uint32
	User      string
	Database  string
	TLS       bool
	Started   time.Time
	Waiting   activity.Event
	WaitSince time.Time
	Info      session.Info
}

// queued tells since when the client waits for a slot; zero when it does not.
func (c *Client) queued() time.Time {
	if c.Waiting == activity.EventSlot {
		return c.WaitSince
	}
	return time.Time{}
}
