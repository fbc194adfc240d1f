// Package control is the control file: what a start must know before it can read anything else.
//
// The file has two copies, each in a sector of its own, written in turn and numbered; the newest sound one counts, so a
// power cut during a write leaves the one before. It knows nothing of the log beyond positions.
package control
