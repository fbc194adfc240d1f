// Package crashlab is the laboratory of crashes: it holds only tests. Sessions work on an engine whose disk is the
// fault-injecting file system in memory; power cuts, failing calls and full disks end them, and after each recovery the
// cluster is checked and compared with a ledger of what was answered. See README.md.
package crashlab
