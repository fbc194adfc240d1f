// Package eval compiles typed expressions to programs over columns: a node computes one column for the selected lanes of a
// batch. AND, OR, CASE and COALESCE narrow the selection, so that a lane is computed only where PostgreSQL would compute it;
// a built-in without a vector kernel runs row by row behind the same interface.
//
// A Program and its nodes belong to one plan instance and keep their registers between batches; they are used by one
// goroutine at a time. An error at a lane cuts the batch: Frame.ErrLane tells where. The package knows no plans, no storage
// and no catalogs: what it needs of them comes in as functions.
package eval
