// Package auth decides how a client must prove who it is, and checks the proof: host-based rules as in pg_hba.conf, and
// the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677).
//
// Everything is pure: the caller moves the messages. The package knows neither sockets nor roles; it is given the verifier
// that a role's password is kept as.
package auth
