package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// Conn is a connection that can also be read and written without waiting.
type Conn interface {
	net.Conn
	TryReader
	TryWrite(p []byte) (int, error)
}

// Socket is a client's connection, plain or under TLS. TryRead and TryWrite never wait: a client rests without a goroutine,
// and a fast one is sent rows without giving the right to run up.
type Socket struct {
	net.Conn
	plain Conn
	below *belowTLS // nil without TLS
}

// MakeSocket takes a connection over.
func MakeSocket(conn Conn) Socket { return Socket{Conn: conn, plain: conn} }

// KeepAlive sets after how many seconds of silence the peer is probed, how many seconds apart, and how many probes may stay
// without an answer; zero is the usual value.
func (s *Socket) KeepAlive(idle, interval, count int) {
	if k, ok := s.plain.(interface {
		KeepAlive(idle, interval, count int)
	}); ok {
		k.KeepAlive(idle, interval, count)
	}
}

// StartTLS goes on under TLS as the server; the handshake obeys the connection's deadline. It calls around before it waits for the
// client (true) and when that has answered.
func (s *Socket) StartTLS(config *tls.Config, around func(reading bool) error) error {
	below := &belowTLS{Conn: s.plain, around: around}
	c := tls.Server(below, config)
	if err := c.Handshake(); err != nil {
		return err
	}
	below.around = nil
	s.Conn, s.below = c, below
	return nil
}

// belowTLS is the plain connection under TLS. While try is set its Read does not wait.
type belowTLS struct {
	Conn
	try    bool
	around func(reading bool) error // during the handshake, else nil
}

// Read implements net.Conn.
func (b *belowTLS) Read(p []byte) (int, error) {
	if b.around != nil {
		return b.readAround(p)
	}
	if !b.try {
		return b.Conn.Read(p)
	}
	n, _, err := b.TryRead(p)
	if n == 0 && err == nil {
		return 0, errDry{}
	}
	return n, err
}

func (b *belowTLS) readAround(p []byte) (int, error) {
	if err := b.around(true); err != nil {
		return 0, err
	}
	n, err := b.Conn.Read(p)
	if e := b.around(false); e != nil {
		return n, e
	}
	return n, err
}

// errDry is a temporary error, after which crypto/tls can be asked again.
type errDry struct{}

func (errDry) Error() string   { return "nothing to read for now" }
func (errDry) Timeout() bool   { return true }
func (errDry) Temporary() bool { return true }

// TryRead implements TryReader. Under TLS only an attempt that finds nothing tells that nothing is left.
func (s *Socket) TryRead(p []byte) (n int, dry bool, err error) {
	if s.below == nil {
		return s.plain.TryRead(p)
	}
	s.below.try = true
	n, err = s.Conn.Read(p)
	s.below.try = false
	if errors.As(err, &errDry{}) {
		return n, true, nil
	}
	return n, false, err
}

// TLS tells whether the connection is encrypted.
func (s *Socket) TLS() bool { return s.below != nil }

// Local tells whether the client came through a Unix socket.
func (s *Socket) Local() bool {
	_, ok := s.LocalAddr().(*net.UnixAddr)
	return ok
}

// TryWrite writes what the kernel takes at once. Under TLS that is nothing.
func (s *Socket) TryWrite(p []byte) (int, error) {
	if s.below != nil {
		return 0, nil
	}
	return s.plain.TryWrite(p)
}

// Wake makes reads that block return with a timeout, from any goroutine; writes too when asked.
func (s *Socket) Wake(writes bool) {
	past := time.Unix(1, 0)
	// A connection without deadlines is closed already.
	_ = s.SetReadDeadline(past)
	if writes {
		_ = s.SetWriteDeadline(past)
	}
}
