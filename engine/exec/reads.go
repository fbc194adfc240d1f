package exec

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/stats"
)

// reads counts what a scan reads of a table or an index, until it is closed.
type reads struct {
	stats.ReadCounts
	to      *stats.Reads
	session uint32
	before  activity.BufferCounts
}

func (in *Instance) reads(database, relation base.OID) reads {
	return reads{to: in.b.Stats.Reads(database, relation)}
}

// begin and end stand around what looks at pages.
func (r *reads) begin(x *Context) { r.before, r.session = x.Task.Buffers, x.Task.SessionID }

func (r *reads) end(x *Context) {
	misses := x.Task.Buffers.Read - r.before.Read
	r.Misses += misses
	r.Blocks += misses + x.Task.Buffers.Hit - r.before.Hit
}

// tell adds the counts to everybody's.
func (r *reads) tell() {
	if r.ReadCounts != (stats.ReadCounts{}) {
		r.to.Add(r.session, &r.ReadCounts)
		r.ReadCounts = stats.ReadCounts{}
	}
}
