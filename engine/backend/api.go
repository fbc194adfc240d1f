package backend

import (
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
)

// Sink takes the answers of a statement, in order. It may block on the client (through the session's task) and then
// returns its error, which ends the statement.
type Sink interface {
	// Describe announces rows (RowDescription); the extended protocol's sink ignores it. formats has one entry per column:
	// 0 text, 1 binary.
	Describe(cols []plan.ResultColumn, formats []int16) error
	// Rows sends the live lanes of a batch, whose columns are those of the last Describe, or of the portal.
	Rows(cols []plan.ResultColumn, formats []int16, b *vector.Batch) error
	// Complete sends CommandComplete; an empty tag is EmptyQueryResponse.
	Complete(tag string) error
	// Notice sends a notice or warning at once.
	Notice(n *pgerror.Error) error
	// Copy starts COPY's sub-protocol. In: binary and columns for CopyInResponse, then Read gives the client's data, io.EOF
	// at CopyDone, a 57014 error at CopyFail. Out: CopyOutResponse, then Write, then CopyDone.
	CopyIn(binary bool, columns int) (CopyReader, error)
	CopyOut(binary bool, columns int) (CopyWriter, error)
}

// CopyReader reads the messages of COPY FROM STDIN. The slice lives until the next call; io.EOF is CopyDone.
type CopyReader interface {
	Next() ([]byte, error)
}

// CopyWriter writes rows of COPY TO STDOUT, one CopyData message a call; Close sends CopyDone.
type CopyWriter interface {
	Write(row []byte) error
	Close() error
}

// Discard is a Sink that throws answers away, for statements the server runs for itself.
type Discard struct{}

// Describe implements Sink.
func (Discard) Describe([]plan.ResultColumn, []int16) error { return nil }

// Rows implements Sink.
func (Discard) Rows([]plan.ResultColumn, []int16, *vector.Batch) error { return nil }

// Complete implements Sink.
func (Discard) Complete(string) error { return nil }

// Notice implements Sink.
func (Discard) Notice(*pgerror.Error) error { return nil }

// CopyIn implements Sink.
func (Discard) CopyIn(bool, int) (CopyReader, error) {
	return nil, pgerror.Unsupported("COPY without a client")
}

// CopyOut implements Sink.
func (Discard) CopyOut(bool, int) (CopyWriter, error) {
	return nil, pgerror.Unsupported("COPY without a client")
}
