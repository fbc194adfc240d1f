// Package plan is the nodes of execution plans: what the optimizer makes, the executor runs and EXPLAIN prints.
//
// It is data. A plan is immutable once made and shared by every session that runs it; what changes during a run lives in
// the executor. Expressions in a plan read columns by position (Col) and values by number (query.Param), never by range
// table entry.
package plan
