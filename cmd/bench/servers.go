package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxDirect is how many clients PostgreSQL takes without a pooler.
const maxDirect = 1000

// server is a running server. cpu and memory count its process tree; for PgBouncer that of the PostgreSQL behind it too.
type server struct {
	name string
	port int
	cmd  *exec.Cmd
	with *server
}

// addr gives where the server listens.
func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// startAll starts the servers; stop ends those that run.
func startAll(o *options, dir string) (servers []*server, stop func(), err error) {
	stop = func() {
		for i := len(servers) - 1; i >= 0; i-- {
			servers[i].stop()
		}
	}
	for _, start := range []func(*options, string, []*server) (*server, error){startManifold, startPostgres, startPgBouncer, startFloor} {
		s, err := start(o, dir, servers)
		if err != nil {
			return servers, stop, err
		}
		servers = append(servers, s)
		if err := s.wait(o); err != nil {
			return servers, stop, err
		}
	}
	return servers, stop, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func startManifold(o *options, dir string, _ []*server) (*server, error) {
	return startManifoldWith(o, dir, 8)
}

// startManifoldWith starts Manifold with a number of backends.
func startManifoldWith(o *options, dir string, backends int) (*server, error) {
	bin := o.binary
	if bin == "" {
		bin = filepath.Join(dir, "manifold")
		if out, err := exec.Command("go", "build", "-o", bin, "./cmd/manifold").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("[clients]\nmax_clients = 12000\n\n[pool]\nbackends = %d\n\n[postgresql]\nshared_buffers = \"1GB\"\nmax_wal_size = \"4GB\"\n", backends)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	s := &server{name: "manifold", port: port}
	s.cmd = exec.Command(bin, "serve", "--config", config, "--data", filepath.Join(dir, "manifold-data"), "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	return s, s.start(filepath.Join(dir, "manifold.log"), nil)
}

// postgresUser gives the credentials of user postgres when the bench runs as root, which the peers refuse.
func postgresUser(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chmod(dir, 0o777)
}

func startPostgres(o *options, dir string, _ []*server) (*server, error) {
	cred, err := postgresUser(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "postgres-data")
	initdb := exec.Command(filepath.Join(o.pgbin, "initdb"), "-D", data, "-U", "postgres", "--locale=C.UTF-8", "-E", "UTF8", "-k")
	initdb.Dir = dir
	if cred != nil {
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{name: "postgres", port: port}
	s.cmd = exec.Command(filepath.Join(o.pgbin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "-c", fmt.Sprintf("max_connections=%d", maxDirect+50))
	s.cmd.Dir = dir
	return s, s.start(filepath.Join(dir, "postgres.log"), cred)
}

func startPgBouncer(o *options, dir string, servers []*server) (*server, error) {
	cred, err := postgresUser(dir)
	if err != nil {
		return nil, err
	}
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	pg := servers[len(servers)-1]
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 8\nmax_client_conn = 12000\nlog_connections = 0\nlog_disconnections = 0\n"+
		"ignore_startup_parameters = extra_float_digits\n", pg.port, port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	s := &server{name: "pgbouncer", port: port, with: pg}
	s.cmd = exec.Command(bin, config)
	return s, s.start(filepath.Join(dir, "pgbouncer.log"), cred)
}

// startFloor starts this program as the server of package floor.
func startFloor(_ *options, dir string, _ []*server) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{name: "floor", port: port}
	s.cmd = exec.Command(self, "-floor", s.addr())
	return s, s.start(filepath.Join(dir, "floor.log"), nil)
}

func (s *server) start(logFile string, cred *syscall.Credential) error {
	out, err := os.Create(logFile)
	if err != nil {
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if cred != nil {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
	return s.cmd.Start()
}

// wait waits until the server takes connections.
func (s *server) wait(o *options) error {
	to := s.many(o)
	if err := to.Up(30 * time.Second); err != nil {
		return fmt.Errorf("%s does not answer: %w", s.name, err)
	}
	return nil
}

func (s *server) stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-done
	}
}

// tree gives the processes of the server.
func (s *server) tree() []int {
	parents := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f, err := stat(pid); err == nil {
			ppid, _ := strconv.Atoi(f[1])
			parents[ppid] = append(parents[ppid], pid)
		}
	}
	list := []int{s.cmd.Process.Pid}
	for i := 0; i < len(list); i++ {
		list = append(list, parents[list[i]]...)
	}
	if s.with != nil {
		list = append(list, s.with.tree()...)
	}
	return list
}

// stat gives the fields of /proc/PID/stat behind the command: state, parent, ...
func stat(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return nil, errors.New("malformed stat")
	}
	f := strings.Fields(string(data[i+1:]))
	if len(f) < 16 {
		return nil, errors.New("short stat")
	}
	return f, nil
}

// cpu gives the user and system time of the process tree, ended children included.
func (s *server) cpu() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	var total time.Duration
	for _, pid := range s.tree() {
		f, err := stat(pid)
		if err != nil {
			continue
		}
		for _, i := range []int{11, 12, 13, 14} {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err == nil {
				total += time.Duration(n) * tick
			}
		}
	}
	return total
}

// watchMemory samples the proportional memory of the tree until the function it returns is called, which gives the peak in KiB.
func (s *server) watchMemory() func() int64 {
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		top := s.memory()
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-stop:
				peak <- top
				return
			case <-t.C:
				top = max(top, s.memory())
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-peak
	}
}

func (s *server) memory() int64 {
	var total int64
	for _, pid := range s.tree() {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(data), "\n") {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				f := strings.Fields(rest)
				if len(f) > 0 {
					n, _ := strconv.ParseInt(f[0], 10, 64)
					total += n
				}
			}
		}
	}
	return total
}
