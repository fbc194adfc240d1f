package floor

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const threads = 2

// The answers: to a login (AuthenticationOk, BackendKeyData, ReadyForQuery), and to a query (RowDescription, DataRow,
// CommandComplete, ReadyForQuery).
const (
	welcome = "R\x00\x00\x00\x08\x00\x00\x00\x00" + "K\x00\x00\x00\x0c\x00\x00\x00\x07\x00\x00\x00\x09" + ready
	row     = "T\x00\x00\x00\x21\x00\x01abalance\x00\x00\x00\x40\x00\x00\x03\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00" +
		"D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x010" + "C\x00\x00\x00\x0dSELECT 1\x00" + ready
	ready = "Z\x00\x00\x00\x05I"
)

// Serve answers clients at the address, IP:PORT, until accepting fails. It leaves its threads behind: the process is to end.
func Serve(addr string) error {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	return serve(l)
}

func serve(l net.Listener) (err error) {
	var sets [threads]int
	for i := range sets {
		if sets[i], err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return err
		}
		go (&thread{epfd: sets[i], greeted: map[int32]bool{}}).serve()
	}
	for i := 0; ; i++ {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		if err := hand(conn.(*net.TCPConn), sets[i%threads]); err != nil {
			return err
		}
	}
}

// hand gives a connection's socket to a set, behind the back of the runtime's own.
func hand(conn *net.TCPConn, epfd int) error {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, own, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(own)})
		}
		failed = err
	})
	return errors.Join(err, failed)
}

type thread struct {
	epfd    int
	greeted map[int32]bool // sockets whose login was answered
	events  [64]unix.EpollEvent
	buf     [1 << 16]byte
}

func (t *thread) serve() {
	runtime.LockOSThread()
	for {
		n, err := unix.EpollWait(t.epfd, t.events[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic(os.NewSyscallError("epoll_wait", err))
		}
		for i := range max(n, 0) {
			t.answer(t.events[i].Fd)
		}
	}
}

func (t *thread) answer(fd int32) {
	n, err := unix.Read(int(fd), t.buf[:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	reply := ""
	switch {
	case err != nil || n == 0:
	case t.greeted[fd] && t.buf[0] == 'X':
	case t.greeted[fd]:
		reply = row
	case n >= 8 && binary.BigEndian.Uint32(t.buf[4:])>>16 == 1234: // for encryption
		reply = "N"
	default:
		t.greeted[fd] = true
		reply = welcome
	}
	if reply != "" {
		_, err = unix.Write(int(fd), []byte(reply))
	}
	if reply == "" || err != nil {
		delete(t.greeted, fd)
		_ = unix.Close(int(fd)) // there is nobody to tell
	}
}
