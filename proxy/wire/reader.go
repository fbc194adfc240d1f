package wire

import (
	"encoding/binary"
	"errors"
	"io"

	"manifold/engine/pgerror"
)

// Reader cuts a stream of bytes into messages.
type Reader struct {
	src    io.Reader
	buf    []byte
	r, w   int // buf[r:w] has arrived and is not consumed
	limit  int // of any message, before authentication
	broken bool
}

// NewReader makes a reader whose messages are limited to MaxUnauthenticated until Trust is called.
func NewReader(src io.Reader) *Reader {
	r := &Reader{}
	r.Init(src)
	return r
}

// Init is NewReader in memory of the caller's.
func (r *Reader) Init(src io.Reader) { *r = Reader{src: src, limit: MaxUnauthenticated} }

// Borrow gives a reader that has no buffer one to use, and tells what remains to be lent.
func (r *Reader) Borrow(buf []byte) []byte {
	if r.buf != nil || buf == nil {
		return buf
	}
	r.buf = buf
	return nil
}

// Return takes the buffer away, if nothing is left in it; a large one is dropped.
func (r *Reader) Return() []byte {
	if r.r != r.w || r.buf == nil {
		return nil
	}
	buf := r.buf
	r.buf, r.r, r.w = nil, 0, 0
	if cap(buf) > keepRead {
		return nil
	}
	return buf
}

// TryReader reads without waiting; dry tells that nothing is left for now.
type TryReader interface {
	TryRead(p []byte) (n int, dry bool, err error)
}

// TryFill takes what has arrived, as far as the next message goes or more; dry tells that src has nothing left. io.EOF is an
// end between messages.
func (r *Reader) TryFill(src TryReader) (dry bool, err error) {
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
	n := 5
	if r.w-r.r >= 5 {
		n = 1 + int(binary.BigEndian.Uint32(r.buf[r.r+1:])) // sound, or the message would be ready
	}
	r.room(n)
	m, dry, err := src.TryRead(r.buf[r.w:])
	r.w += m
	if err != nil && r.w > r.r {
		err = eofInside(err)
	}
	return dry, err
}

// Trust lifts the limit for clients that are not authenticated.
func (r *Reader) Trust() { r.limit = MaxMessage }

// Reset goes on with another source, such as TLS over the first. It tells whether nothing was buffered: bytes that came
// before the change of the source must not be taken for bytes that came through it.
func (r *Reader) Reset(src io.Reader) bool {
	clean := r.r == r.w
	r.src, r.r, r.w = src, 0, 0
	return clean
}

// Buffered gives the number of bytes that arrived and are not consumed.
func (r *Reader) Buffered() int { return r.w - r.r }

// Ready tells whether the next message has arrived as a whole.
func (r *Reader) Ready() bool {
	if r.w-r.r < 5 {
		return false
	}
	n := int(binary.BigEndian.Uint32(r.buf[r.r+1:]))
	return n < 4 || n > MaxMessage || r.w-r.r > n
}

// Startup reads a packet without a kind: its code, and the bytes after it, which live until the next call.
func (r *Reader) Startup() (code uint32, body []byte, err error) {
	if err := r.fill(4); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(r.buf[r.r:]))
	if n < 8 || n > MaxStartup {
		return 0, nil, fatal("invalid length of startup packet")
	}
	if err := r.fill(n); err != nil {
		return 0, nil, eofInside(err)
	}
	body = r.buf[r.r+8 : r.r+n : r.r+n]
	code = binary.BigEndian.Uint32(r.buf[r.r+4:])
	r.r += n
	return code, body, nil
}

// Next reads a message. Its body lives until the next call. io.EOF is an end between messages, io.ErrUnexpectedEOF one
// inside; a *pgerror.Error is a message that cannot be, after which the stream is lost.
func (r *Reader) Next() (kind byte, body []byte, err error) {
	if r.broken {
		return 0, nil, io.EOF
	}
	if err := r.fill(5); err != nil {
		if r.w > r.r {
			err = eofInside(err)
		}
		return 0, nil, err
	}
	kind = r.buf[r.r]
	n := int(binary.BigEndian.Uint32(r.buf[r.r+1:]))
	if err := r.check(kind, n); err != nil {
		r.broken = true
		return 0, nil, err
	}
	if err := r.fill(1 + n); err != nil {
		return 0, nil, eofInside(err)
	}
	body = r.buf[r.r+5 : r.r+1+n : r.r+1+n]
	r.r += 1 + n
	return kind, body, nil
}

// check refuses kinds that are none and lengths that are too large for their kind; n counts itself.
func (r *Reader) check(kind byte, n int) error {
	limit := r.limit
	switch kind {
	case 'Q', 'P', 'B', 'F', 'd', 'p':
	case 'E', 'D', 'C', 'H', 'S', 'X', 'c', 'f':
		limit = min(limit, MaxSmall)
	default:
		return fatal("invalid frontend message type %d", kind)
	}
	if n < 4 || n-4 > limit {
		return fatal("invalid message length")
	}
	return nil
}

// fill makes at least n unconsumed bytes stand in the buffer.
func (r *Reader) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	if n <= readChunk {
		r.Shrink()
	}
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
	for r.w-r.r < n {
		r.room(n)
		m, err := r.src.Read(r.buf[r.w:])
		r.w += m
		if err != nil && r.w-r.r < n {
			return err
		}
		if m == 0 && err == nil {
			return io.ErrNoProgress
		}
	}
	return nil
}

// Shrink drops a buffer that has grown for a large message, when nothing is left in it.
func (r *Reader) Shrink() {
	if r.r == r.w && cap(r.buf) > keepRead {
		r.buf, r.r, r.w = nil, 0, 0
	}
}

// room makes space behind the bytes of the buffer for a message of n bytes: all of it when that is little, otherwise as
// much as has already arrived, so that a claimed length costs nothing.
func (r *Reader) room(n int) {
	if r.w < len(r.buf) && r.r+n <= len(r.buf) {
		return
	}
	have := r.w - r.r
	want := min(n, have+max(have, growStep))
	want = max(want, readChunk)
	if want <= len(r.buf) && r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.r, r.w = 0, have
		return
	}
	if want <= len(r.buf) && r.w < len(r.buf) {
		return
	}
	buf := make([]byte, max(want, min(n, 2*len(r.buf))))
	copy(buf, r.buf[r.r:r.w])
	r.buf, r.r, r.w = buf, 0, have
}

func eofInside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func fatal(format string, args ...any) *pgerror.Error {
	e := pgerror.Newf(pgerror.ProtocolViolation, format, args...)
	e.Severity = pgerror.SeverityFatal
	return e
}
