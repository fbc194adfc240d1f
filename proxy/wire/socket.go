package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is a client's connection, plain or under TLS. Reads block by the runtime's poller. TryWrite never blocks, so that
// a fast client's rows can be sent without giving the right to run up.
type Socket struct {
	net.Conn
	raw   syscall.RawConn // nil under TLS, or when the connection has no descriptor
	try   func(fd uintptr) bool
	tryP  []byte
	tryN  int
	tryE  error
	isTLS bool
}

// NewSocket takes a connection over: no delay, keepalive.
func NewSocket(conn net.Conn) *Socket {
	s := &Socket{Conn: conn}
	if t, ok := conn.(*net.TCPConn); ok {
		// A connection whose options cannot be set is about to fail by itself.
		_ = t.SetNoDelay(true)
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAlive})
	}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.try = func(fd uintptr) bool {
		s.tryN, s.tryE = unix.Write(int(fd), s.tryP)
		return true
	}
	return s
}

// StartTLS goes on under TLS as the server; the handshake obeys the connection's deadline.
func (s *Socket) StartTLS(config *tls.Config) error {
	c := tls.Server(s.Conn, config)
	if err := c.Handshake(); err != nil {
		return err
	}
	s.Conn, s.raw, s.isTLS = c, nil, true
	return nil
}

// TLS tells whether the connection is encrypted.
func (s *Socket) TLS() bool { return s.isTLS }

// Local tells whether the client came through a Unix socket.
func (s *Socket) Local() bool {
	_, ok := s.LocalAddr().(*net.UnixAddr)
	return ok
}

// TryWrite writes what the kernel takes at once.
func (s *Socket) TryWrite(p []byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	s.tryP = p
	err := s.raw.Write(s.try)
	s.tryP = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(s.tryE, unix.EAGAIN), errors.Is(s.tryE, unix.EINTR):
		return 0, nil
	case s.tryE != nil:
		return 0, s.tryE
	}
	return s.tryN, nil
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
