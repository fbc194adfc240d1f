package main

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"manifold/cmd/manifold/internal/config"
	"manifold/engine"
	"manifold/engine/pgerror"
	"manifold/engine/setting"
	"manifold/engine/vfs"
)

// flags are the options of a command line, which go before the file.
type flags struct{ config, data, listen string }

func parseFlags(name string, args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.StringVar(&f.config, "config", "", "the configuration file")
	set.StringVar(&f.data, "data", "", "the data directory")
	set.StringVar(&f.listen, "listen", "", "the address to listen at, HOST:PORT")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, pgerror.Newf(pgerror.SyntaxError, "unexpected argument \"%s\"", set.Arg(0))
	}
	return f, nil
}

// load reads the configuration that the flags ask for.
func (f flags) load() (*config.Config, error) {
	c, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	if f.data != "" {
		c.Data = f.data
	}
	if f.listen != "" {
		host, port, err := net.SplitHostPort(f.listen)
		if err != nil {
			return nil, pgerror.Newf(pgerror.SyntaxError, "--listen wants HOST:PORT, not \"%s\"", f.listen)
		}
		n, err := strconv.Atoi(port)
		if err != nil || n < 0 || n > 65535 {
			return nil, pgerror.Newf(pgerror.SyntaxError, "--listen wants a port from 0 to 65535, not \"%s\"", port)
		}
		c.Addresses, c.Port = []string{host}, n
	}
	return c, nil
}

// values reads PostgreSQL's settings of a configuration.
type values map[string]string

func (v values) get(name string) setting.Value {
	p, ok := setting.Lookup(name)
	if !ok {
		return setting.Value{}
	}
	if text, ok := v[p.Name]; ok {
		if parsed, err := p.Parse(text); err == nil { // it was checked when the file was read
			return parsed
		}
	}
	return p.Default()
}

func (v values) ms(name string) time.Duration {
	return time.Duration(v.get(name).Int) * time.Millisecond
}

func (v values) seconds(name string) time.Duration {
	return time.Duration(v.get(name).Int) * time.Second
}

// passwordVariable names the environment variable with the superuser's password of a new cluster, as PostgreSQL's image does.
const passwordVariable = "POSTGRES_PASSWORD"

// engineConfig gives the engine its part of the configuration.
func engineConfig(c *config.Config) engine.Config {
	v := values(c.PostgreSQL)
	return engine.Config{FS: vfs.NewOS(c.Data), SharedBuffers: v.get("shared_buffers").Int * 8192,
		NoSync: !v.get("fsync").Bool, Backends: c.Pool.Backends, Settings: settings(c), Password: os.Getenv(passwordVariable)}
}

// settings gives the parameters that sessions start with.
func settings(c *config.Config) map[string]string {
	out := map[string]string{
		"port": strconv.Itoa(c.Port), "max_connections": strconv.Itoa(min(c.MaxClients, 262143)), "data_directory": absolute(c.Data),
		"config_file": c.File, "unix_socket_directories": c.SocketDir, "listen_addresses": strings.Join(c.Addresses, ","),
		"authentication_timeout": strconv.Itoa(int(c.AuthTimeout / time.Second)), "backends": strconv.Itoa(c.Pool.Backends),
		"queue_timeout": strconv.FormatInt(c.Pool.QueueTimeout.Milliseconds(), 10),
	}
	for name, text := range c.PostgreSQL {
		out[name] = text
	}
	return out
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// makeDirectory makes the data directory, for its owner only.
func makeDirectory(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return pgerror.IO(err, "could not create data directory \"%s\"", path)
	}
	return nil
}

// minStack is what PostgreSQL's grammar needs for the deepest statement that the lexer lets through.
const minStack = 8 << 20

// checkStack refuses thread stacks on which the parser could overflow.
func checkStack() error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &lim); err != nil {
		return pgerror.IO(err, "could not read the limit of stacks")
	}
	if lim.Cur < minStack { // no limit is the largest number
		return pgerror.Newf(pgerror.ConfigurationLimitExceeded, "the stack limit of %d kB is too small", lim.Cur>>10).
			WithHint("Start with at least 8 MiB (ulimit -s 8192).")
	}
	return nil
}
