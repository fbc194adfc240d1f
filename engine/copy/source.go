package copy

import (
	"bytes"
	"errors"
	"io"

	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// bufferSize is how much input is kept; rows of a batch refer to it until they are written.
const bufferSize = 256 << 10

// maxLine bounds a line of input.
const maxLine = 1 << 30

// source reads lines, or counts of bytes, out of messages of any size. What it gave stays valid until release is called:
// bytes move only then, or into a new buffer.
type source struct {
	in   Reader
	buf  []byte
	pos  int // of the first byte not taken
	eof  bool
	done bool // the end marker was met
	eol  eolKind
	// full is called before the buffer is reused: whoever keeps rows writes them.
	full  func() error
	shown *session.Progress // takes the bytes that came; may be nil
}

// eolKind is how lines end; the first line decides.
type eolKind uint8

const (
	eolUnknown eolKind = iota
	eolLF
	eolCRLF
	eolCR
)

// more appends the next message; false at the end.
func (s *source) more() (bool, error) {
	if s.eof {
		return false, nil
	}
	m, err := s.in.Next()
	if errors.Is(err, io.EOF) {
		s.eof = true
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(s.buf)+len(m) > cap(s.buf) {
		if err := s.full(); err != nil {
			return false, err
		}
		rest := s.buf[s.pos:]
		need := len(rest) + len(m)
		if need > maxLine {
			return false, pgerror.New(pgerror.ProgramLimitExceeded, "line of COPY data is too long")
		}
		if need > cap(s.buf)/2 {
			s.buf = append(make([]byte, 0, max(bufferSize, 2*need)), rest...)
		} else {
			s.buf = s.buf[:copy(s.buf[:cap(s.buf)], rest)]
		}
		s.pos = 0
	}
	s.buf = append(s.buf, m...)
	s.shown.Add(shownBytes, int64(len(m)))
	return true, nil
}

// bytes takes n bytes; fewer only at the end.
func (s *source) bytes(n int) ([]byte, error) {
	for len(s.buf)-s.pos < n {
		if ok, err := s.more(); err != nil {
			return nil, err
		} else if !ok {
			break
		}
	}
	n = min(n, len(s.buf)-s.pos)
	out := s.buf[s.pos : s.pos+n : s.pos+n]
	s.pos += n
	return out, nil
}

// drain reads to the end without looking.
func (s *source) drain() error {
	for {
		if _, err := s.in.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// line takes a line of the text format, without its end; false at the end of the data. A newline behind a backslash is
// data.
func (s *source) line() ([]byte, bool, error) {
	for from := s.pos; ; {
		at := -1
		if s.eol == eolUnknown || s.eol == eolCR {
			at = s.anyEnd(from)
		} else if k := bytes.IndexByte(s.buf[from:], '\n'); k >= 0 {
			at = from + k
		}
		if at >= 0 {
			if escaped(s.buf[s.pos:at]) {
				from = at + 1
				continue
			}
			out, err := s.take(at)
			return out, true, err
		}
		scanned := len(s.buf) - s.pos
		ok, err := s.more()
		if err != nil {
			return nil, false, err
		}
		if !ok {
			if s.pos == len(s.buf) {
				return nil, false, nil
			}
			out := s.buf[s.pos:len(s.buf):len(s.buf)]
			s.pos = len(s.buf)
			if n := len(out); n > 0 && out[n-1] == '\r' && s.eol != eolLF {
				out = out[:n-1]
			}
			return out, true, nil
		}
		from = s.pos + scanned
		if s.eol == eolUnknown && scanned > 0 {
			from-- // a carriage return at the end may be half of a line end
		}
	}
}

// anyEnd finds the first line end of any kind and remembers the kind.
func (s *source) anyEnd(from int) int {
	k := bytes.IndexAny(s.buf[from:], "\r\n")
	if k < 0 {
		return -1
	}
	at := from + k
	if s.buf[at] == '\n' {
		if s.eol == eolUnknown {
			s.eol = eolLF
		}
		return at
	}
	if at+1 >= len(s.buf) && !s.eof {
		return -1
	}
	if s.eol == eolUnknown {
		s.eol = eolCR
		if at+1 < len(s.buf) && s.buf[at+1] == '\n' {
			s.eol = eolCRLF
			return at + 1
		}
	}
	return at
}

// escaped tells whether an odd number of backslashes ends b.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// take gives the line that ends at position at.
func (s *source) take(at int) ([]byte, error) {
	out := s.buf[s.pos:at:at]
	s.pos = at + 1
	if n := len(out); s.eol == eolCRLF {
		if n == 0 || out[n-1] != '\r' {
			return nil, pgerror.New(pgerror.BadCopyFileFormat, "literal newline found in data").WithHint(
				"Use \"\\n\" to represent newline.")
		}
		out = out[: n-1 : n-1]
	}
	return out, nil
}

// csvLine takes a line of the CSV format, in which line ends inside quotes are data.
func (s *source) csvLine(quote, escape byte) ([]byte, bool, error) {
	inQuote, skip := false, false
	at := s.pos
	for {
		for ; at < len(s.buf); at++ {
			b := s.buf[at]
			if skip {
				skip = false
				continue
			}
			switch {
			case inQuote && b == escape && escape != quote:
				skip = true
			case b == quote:
				inQuote = !inQuote
			case inQuote:
			case b == '\n' && s.eol != eolCR:
				if s.eol == eolUnknown {
					s.eol = eolLF
					if at > s.pos && s.buf[at-1] == '\r' {
						s.eol = eolCRLF
					}
				}
				out, err := s.take(at)
				return out, true, err
			case b == '\r' && s.eol == eolCR:
				out, err := s.take(at)
				return out, true, err
			}
		}
		scanned := at - s.pos
		ok, err := s.more()
		if err != nil {
			return nil, false, err
		}
		at = s.pos + scanned
		if ok {
			continue
		}
		if s.pos == len(s.buf) {
			return nil, false, nil
		}
		out := s.buf[s.pos:len(s.buf):len(s.buf)]
		s.pos = len(s.buf)
		if inQuote {
			return out, true, errUnterminated()
		}
		return out, true, nil
	}
}

func errUnterminated() error {
	return pgerror.New(pgerror.BadCopyFileFormat, "unterminated CSV quoted field")
}
