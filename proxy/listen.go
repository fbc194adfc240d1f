package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"manifold/engine/pgerror"
)

// Address is a place to listen at.
type Address struct {
	Network string // tcp or unix
	Addr    string
}

// Addresses gives the places of a configuration: one a host, and a socket in the directory unless that is empty. "*" is
// every address of the machine.
func Addresses(hosts []string, port int, socketDir string) []Address {
	var out []Address
	for _, h := range hosts {
		if h == "*" {
			h = ""
		}
		out = append(out, Address{Network: "tcp", Addr: net.JoinHostPort(h, strconv.Itoa(port))})
	}
	if socketDir != "" {
		out = append(out, Address{Network: "unix", Addr: filepath.Join(socketDir, fmt.Sprintf(".s.PGSQL.%d", port))})
	}
	return out
}

func listen(a Address) (net.Listener, error) {
	if a.Network == "unix" {
		if err := clearSocket(a.Addr); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen(a.Network, a.Addr)
	if err != nil {
		e := pgerror.IO(err, "could not listen on \"%s\"", a.Addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			e = e.WithHint("Is another server already running there? If not, wait a few seconds and retry.")
		}
		return nil, e
	}
	return l, nil
}

// clearSocket removes a socket that a crashed server left behind; one that answers is another server's.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return pgerror.IO(err, "could not look at \"%s\"", path)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return pgerror.Newf(pgerror.LockFileExists, "\"%s\" is in the way and is not a socket", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return pgerror.Newf(pgerror.LockFileExists, "another server listens on \"%s\"", path)
	}
	if err := os.Remove(path); err != nil {
		return pgerror.IO(err, "could not remove \"%s\"", path)
	}
	return nil
}
