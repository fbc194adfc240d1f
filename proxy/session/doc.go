// Package session is one client's state machine: startup packet, authentication, then query messages in the simple and
// the extended protocol, COPY, errors, timeouts and the end. README.md draws the states.
//
// A Client is run by one of proxy/park's runners whenever something has arrived, its login included, and rests without a
// goroutine otherwise. It takes a slot and a backend of its database's pool when a message that needs them has arrived, and
// gives both back before it waits for the client. Only Registry reaches into a Client from
// other goroutines, and only to cancel or terminate it. The package knows the engine through the interfaces Engine and
// pool.Backend, and the log through Log.
package session
