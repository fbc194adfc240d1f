// Package invariant turns the build tag `invariants` (and the race detector) into a constant, so that assertions cost
// nothing in an ordinary build.
//
// It knows nothing of the engine and holds no state.
package invariant
