// Package bgwriter decides how many dirty pages are written ahead of the clock sweep, so that sessions find clean ones: up to
// bgwriter_lru_maxpages every bgwriter_delay.
//
// One goroutine runs Run. The mechanism is the engine's.
package bgwriter
