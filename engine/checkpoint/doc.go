// Package checkpoint is how a checkpoint is made: redo pointer, commit log, dirty pages, fsyncs, checkpoint record,
// control file, and then the unlinks and log segments that nobody needs any more. When to make one is the checkpointer's
// policy, not known here.
package checkpoint
