package park

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a connection's keepalives are unless its client says otherwise, in seconds: how long a silent one is left alone before
// its peer is probed, and how far the probes are apart.
const (
	probeIdle     = 120
	probeInterval = 30
	probeCount    = 6 // probes without an answer that end the connection
)

// Conn is a connection whose readiness the poller knows: a net.Conn that can also be read and written without waiting.
// Reads and writes that wait are those of its client's goroutine; Close and the deadlines may be set from any.
type Conn struct {
	fd      int
	seat    *Seat
	local   net.Addr       // shared with the listener
	remote  netip.AddrPort // zero for a Unix socket
	readBy  atomic.Int64   // deadlines in nanoseconds since 1970, zero is none
	writeBy atomic.Int64
	runner  *Runner // see Use
	closed  atomic.Bool
}

// Listener accepts connections for a poller.
type Listener struct {
	net.Listener
	p    *Poller
	file *os.File // the listener's descriptor once more
	raw  syscall.RawConn

	taken  int // connections accepted
	closed atomic.Bool
}

// Listen takes a listener of package net over.
func (p *Poller) Listen(l net.Listener) (*Listener, error) {
	f, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("the listener has no descriptor")
	}
	file, err := f.File()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Listener{Listener: l, p: p, file: file, raw: raw}, nil
}

// Close ends Accept with net.ErrClosed.
func (l *Listener) Close() error {
	l.closed.Store(true)
	return errors.Join(l.file.Close(), l.Listener.Close())
}

// Accept takes the next connection. One goroutine calls it; in a storm of connections it lets the runners have the processor
// now and then.
func (l *Listener) Accept() (*Conn, error) {
	if l.taken++; l.taken%yieldAt == 0 {
		runtime.Gosched()
	}
	var fd int
	var from unix.Sockaddr
	var acceptErr error
	err := l.raw.Read(func(lfd uintptr) bool {
		for acceptErr = unix.EINTR; acceptErr == unix.EINTR || acceptErr == unix.ECONNABORTED; {
			fd, from, acceptErr = unix.Accept4(int(lfd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		}
		return acceptErr != unix.EAGAIN
	})
	switch {
	case l.closed.Load():
		return nil, net.ErrClosed
	case err != nil:
		return nil, err
	case acceptErr != nil:
		return nil, os.NewSyscallError("accept4", acceptErr)
	}
	c := &Conn{fd: fd, local: l.Addr(), remote: address(from)}
	if _, ok := c.local.(*net.TCPAddr); ok {
		// A connection whose options cannot be set is about to fail by itself.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, probeIdle)
	}
	if c.seat, err = l.p.join(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return c, nil
}

func address(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// Seat gives the connection's place at the poller.
func (c *Conn) Seat() *Seat { return c.seat }

// TryRead reads without waiting; dry tells that nothing is left for now. io.EOF is the end.
func (c *Conn) TryRead(p []byte) (n int, dry bool, err error) {
	switch n, errno := c.try(unix.SYS_RECVFROM, p); {
	case errno == unix.EAGAIN:
		return 0, true, nil
	case errno != 0:
		return 0, false, c.fail("read", errno)
	case n == 0 && len(p) > 0:
		return 0, false, io.EOF
	default:
		return n, n < len(p), nil
	}
}

// TryWrite writes what the kernel takes at once.
func (c *Conn) TryWrite(p []byte) (int, error) {
	switch n, errno := c.try(unix.SYS_SENDTO, p); {
	case errno == unix.EAGAIN:
		return 0, nil
	case errno != 0:
		return 0, c.fail("write", errno)
	default:
		return n, nil
	}
}

// try is a call that does not wait, and so needs not be made known to the scheduler; recv and send cost less than read and write.
func (c *Conn) try(call uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(call, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if err := c.late(&c.readBy); err != nil {
			return 0, err
		}
		n, _, err := c.TryRead(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		c.wait(&c.readBy)
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (done int, err error) {
	for {
		if err := c.late(&c.writeBy); err != nil {
			return done, err
		}
		n, err := c.TryWrite(p[done:])
		if done += n; err != nil || done == len(p) {
			return done, err
		}
		if n == 0 {
			c.wait(&c.writeBy)
		}
	}
}

func (c *Conn) late(deadline *atomic.Int64) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if d := deadline.Load(); d != 0 && time.Now().UnixNano() >= d {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Use has reads and writes that wait give the turn of a runner to others meanwhile; nil ends that. Only the client calls it.
func (c *Conn) Use(r *Runner) { c.runner = r }

// wait returns when the kernel may have news of the connection, or a deadline has passed or changed.
func (c *Conn) wait(deadline *atomic.Int64) {
	news, fresh := c.seat.listen()
	if fresh {
		return
	}
	if c.runner != nil {
		c.runner.Blocking()
		defer c.runner.Unblocked()
	}
	d := deadline.Load()
	if d == 0 {
		<-news
		return
	}
	t := time.NewTimer(time.Until(time.Unix(0, d)))
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	}
}

// Close implements net.Conn. The client's goroutine calls it last.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.seat.leave()
	return unix.Close(c.fd)
}

// KeepAlive sets after how many seconds of silence the peer is probed, how many seconds apart, and how many probes may stay
// without an answer; zero is the usual value.
func (c *Conn) KeepAlive(idle, interval, count int) {
	if _, ok := c.local.(*net.TCPAddr); !ok || c.closed.Load() {
		return
	}
	for _, o := range [][3]int{{unix.TCP_KEEPIDLE, idle, probeIdle}, {unix.TCP_KEEPINTVL, interval, probeInterval}, {unix.TCP_KEEPCNT, count, probeCount}} {
		if o[1] == 0 {
			o[1] = o[2]
		}
		_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, o[0], o[1]) // a value that the system refuses changes nothing
	}
}

// LocalAddr implements net.Conn. That of a listener at all addresses is of no use, so the connection's own is asked for; it is
// for the client's goroutine.
func (c *Conn) LocalAddr() net.Addr {
	if c.closed.Load() {
		return c.local
	}
	if sa, err := unix.Getsockname(c.fd); err == nil {
		return netAddr(address(sa))
	}
	return c.local
}

// netAddr gives an address as package net does; an invalid one is that of a Unix socket.
func netAddr(a netip.AddrPort) net.Addr {
	if !a.IsValid() {
		return &net.UnixAddr{Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(a)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return netAddr(c.remote) }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.readBy, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeBy, t) }

func (c *Conn) setDeadline(d *atomic.Int64, t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	at := int64(0)
	if !t.IsZero() {
		at = t.UnixNano()
	}
	d.Store(at)
	c.seat.tell()
	return nil
}
