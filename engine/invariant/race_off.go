//go:build !race

package invariant

// Race tells whether this build runs under the race detector.
const Race = false
