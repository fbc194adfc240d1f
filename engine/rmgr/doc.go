// Package rmgr is the contract between the log and those who write to it: each resource manager owns a number, replays
// its records and describes them. The one table of all managers is engine/recovery's.
package rmgr
