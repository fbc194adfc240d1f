// Package tempfile makes the temporary files that sorts, hashes and stores of rows spill to. They vanish when they are closed,
// and what a crash left behind is removed at start.
//
// It knows nothing of what is in the files. A File belongs to one goroutine.
package tempfile
