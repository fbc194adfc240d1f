package invariant

import "fmt"

// Violation is the value of the panic of a failed assertion: a bug in the engine, never bad input.
type Violation struct{ Message string }

// Error implements error.
func (v Violation) Error() string { return "assertion failed: " + v.Message }

// Assert panics with a Violation unless ok holds; it does nothing in a build without invariants.
func Assert(ok bool, format string, args ...any) {
	if Enabled && !ok {
		panic(Violation{fmt.Sprintf(format, args...)})
	}
}

// Must panics with a Violation unless ok holds, in every build.
func Must(ok bool, format string, args ...any) {
	if !ok {
		panic(Violation{fmt.Sprintf(format, args...)})
	}
}
