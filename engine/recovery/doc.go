// Package recovery starts a cluster: it has the one table of resource managers, replays the log from the last
// checkpoint's redo pointer, ends what was left unfinished, and hands over a running engine's lower half.
//
// Nothing else runs meanwhile. The incarnation in the control file is durable before the first record of a start, and a
// checkpoint ends recovery before writes are accepted. The package must not know catalogs or statements.
package recovery
