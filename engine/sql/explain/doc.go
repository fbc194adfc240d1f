// Package explain prints plans as EXPLAIN does, in text and JSON, with what a run measured where ANALYZE asks for it.
//
// It reads plans and changes nothing. Names of columns are found by following a node's columns down to the scan, function or
// aggregate that they come from.
package explain
