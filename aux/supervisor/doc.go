// Package supervisor starts the auxiliary processes in the order in which they are given, starts one again that fails, and
// stops them in the opposite order: what was started first serves those that were started later, and outlives them.
//
// Each process is one loop, Run(ctx), on one goroutine that the supervisor owns. A process marked Critical has no second
// try: its failure ends the server, because it may have harmed what others share.
package supervisor
