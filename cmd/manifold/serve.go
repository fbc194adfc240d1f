package main

import (
	"context"
	"crypto/tls"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"manifold/auxiliary/autovacuum"
	"manifold/auxiliary/bgwriter"
	"manifold/auxiliary/checkpointer"
	"manifold/auxiliary/logger"
	"manifold/auxiliary/metrics"
	"manifold/auxiliary/supervisor"
	"manifold/auxiliary/walwriter"
	"manifold/cmd/manifold/internal/config"
	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/pool"
	"manifold/proxy"
	"manifold/proxy/admin"
	"manifold/proxy/auth"
	"manifold/proxy/session"
)

// exitCrash is the code of a server that ended itself because shared state may be harmed; the next start recovers.
const exitCrash = 70

// server is a running server.
type server struct {
	flags    flags
	config   atomic.Pointer[config.Config]
	tls      atomic.Pointer[tls.Config]
	policy   atomic.Pointer[session.Policy]
	log      *logger.Logger
	stopLog  func()
	engine   *engine.Engine
	pools    *pool.Pools
	registry *session.Registry
	front    *proxy.Server
	aux      *supervisor.Supervisor
	metrics  *metrics.Server // nil without an address
	signals  chan os.Signal
}

// serve is the command of that name.
func serve(args []string, _ io.Writer) error {
	f, err := parseFlags("serve", args)
	if err != nil {
		return err
	}
	if err := checkStack(); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	s := &server{flags: f, registry: session.NewRegistry()}
	s.config.Store(c)
	s.policy.Store(policy(c))
	if err := s.loadTLS(c); err != nil {
		return err
	}
	if err := s.startLog(c); err != nil {
		return err
	}
	defer s.stopLog()
	tuneCollector(c)
	widenScheduler()
	// The collector waits until the heap has doubled. This much of it is never touched, so it costs addresses and no memory.
	ballast := make([]byte, c.Headroom)
	defer runtime.KeepAlive(ballast)
	s.signals = make(chan os.Signal, 8)
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP)
	if err := s.start(c); err != nil {
		return err
	}
	return s.run(s.signals)
}

// startLog starts the log before everything else; it ends after everything else.
func (s *server) startLog(c *config.Config) error {
	var out io.Writer = os.Stderr
	var file *logger.File
	if c.LogDestination != "stderr" {
		var err error
		if file, err = logger.OpenFile(c.LogDestination, c.RotationSize, c.RotationAge); err != nil {
			return err
		}
		out = file
	}
	s.log = logger.New(out, logOptions(c))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Its loop ends with ctx and has no errors of its own.
		_ = s.log.Run(ctx)
	}()
	s.stopLog = func() {
		cancel()
		<-done
		if file != nil {
			// There is nowhere left to tell.
			_ = file.Close()
		}
	}
	return nil
}

func logOptions(c *config.Config) logger.Options {
	v := values(c.PostgreSQL)
	o := logger.Options{Min: v.get("log_min_messages").Str, MinStatement: v.get("log_min_error_statement").Str}
	if c.LogJSON {
		o.Format = logger.JSON
	}
	return o
}

// start opens the listeners, then the cluster, then the doors.
func (s *server) start(c *config.Config) error {
	secret, err := auth.NewSecret()
	if err != nil {
		return err
	}
	if err := makeDirectory(c.Data); err != nil {
		return err
	}
	cfg := &session.Config{Registry: s.registry, Log: s.log, Secret: secret, Crash: s.crash,
		Rules:       func() auth.Rules { return s.config.Load().Rules },
		TLS:         func() *tls.Config { return s.tls.Load() },
		Policy:      func() *session.Policy { return s.policy.Load() },
		AuthTimeout: func() time.Duration { return s.config.Load().AuthTimeout },
	}
	s.front, err = proxy.Listen(proxy.Addresses(c.Addresses, c.Port, c.SocketDir), s.clientLimits(c), cfg)
	if err != nil {
		return err
	}
	// Nobody is let in before the phase is Running, which stands after the last of these writes.
	go s.accept()
	for _, a := range s.front.Addrs() {
		s.log.Say("listening on %s", a)
	}
	if err := s.open(c); err != nil {
		return err
	}
	s.pools = pool.NewPools(poolLimits(c, s.front.Behind), func(base.OID) (pool.Backend, error) { return s.engine.NewBackend(), nil })
	cfg.Engine, cfg.Pools = host{s.engine}, s.pools
	if cfg.Console, err = s.console(); err != nil {
		return err
	}
	if c.Metrics != "" {
		if s.metrics, err = metrics.Listen(c.Metrics, s.metricSources()); err != nil {
			return err
		}
		s.log.Say("metrics at http://%s/metrics", s.metrics.Addr())
	}
	s.startProcesses()
	s.front.SetPhase(proxy.Running)
	s.log.Say("database system is ready to accept connections")
	return nil
}

// accept runs the accept loops; Shutdown ends them.
func (s *server) accept() { _ = s.front.Run() }

// open makes the cluster when the directory is empty, and opens it.
func (s *server) open(c *config.Config) error {
	cfg := engineConfig(c)
	cfg.Log = func(e *pgerror.Error, statement string) { s.log.Event(&session.Who{}, e, statement) }
	cfg.Reload = func() bool { return s.ask(admin.Reload) }
	cfg.Report = s.report
	cfg.Dropped = func(database base.OID) { s.pools.Drop(database) } // the pools are made before anybody is let in
	empty, err := engine.IsEmpty(cfg.FS)
	if err != nil {
		return err
	}
	if empty {
		s.log.Say("data directory \"%s\" is empty: making a new cluster", c.Data)
		if err := engine.InitDB(cfg); err != nil {
			return err
		}
	}
	s.engine, err = engine.Open(context.Background(), cfg)
	return err
}

func (s *server) console() (*pool.Pool, error) {
	from := s.sources()
	return pool.New("manifold", pool.Limits{}, func() (pool.Backend, error) { return admin.New(from), nil })
}

// startProcesses starts the auxiliary processes: first those that the others rely on.
func (s *server) startProcesses() {
	get := func() values { return values(s.config.Load().PostgreSQL) }
	h := host{s.engine}
	s.aux = supervisor.New(s.log, s.crash)
	start := func(name string, rests activity.Event, run func(context.Context) error) {
		s.aux.Start(supervisor.Process{Name: name, Run: func(ctx context.Context) error {
			defer s.engine.Auxiliary(name, rests)()
			return run(ctx)
		}})
	}
	s.aux.Start(supervisor.Process{Name: "pool statistics", Run: s.pools.Run})
	if s.metrics != nil {
		s.aux.Start(supervisor.Process{Name: "metrics", Run: s.metrics.Run})
	}
	s.engine.Auxiliary("logger", activity.EventSysLoggerMain) // runs since before the engine and ends after it
	start("checkpointer", activity.EventCheckpointerMain, checkpointer.New(h, func() checkpointer.Settings {
		v := get()
		return checkpointer.Settings{Timeout: v.seconds("checkpoint_timeout"), MaxWAL: v.get("max_wal_size").Int << 20,
			Completion: v.get("checkpoint_completion_target").Real, Warning: v.seconds("checkpoint_warning")}
	}, s.log).Run)
	start("background writer", activity.EventBgWriterMain, bgwriter.New(h, func() bgwriter.Settings {
		v := get()
		return bgwriter.Settings{Delay: v.ms("bgwriter_delay"), MaxPages: int(v.get("bgwriter_lru_maxpages").Int),
			Multiplier: v.get("bgwriter_lru_multiplier").Real}
	}).Run)
	start("walwriter", activity.EventWALWriterMain, walwriter.New(h, func() time.Duration {
		return get().ms("wal_writer_delay")
	}).Run)
	start("autovacuum launcher", activity.EventAutovacuumMain, autovacuum.New(h, func() autovacuum.Settings {
		v := get()
		return autovacuum.Settings{Enabled: v.get("autovacuum").Bool, Naptime: v.seconds("autovacuum_naptime"),
			Workers:         int(v.get("autovacuum_max_workers").Int),
			InsertThreshold: v.get("autovacuum_vacuum_insert_threshold").Int, InsertScale: v.get("autovacuum_vacuum_insert_scale_factor").Real,
			VacuumThreshold: v.get("autovacuum_vacuum_threshold").Int, VacuumScale: v.get("autovacuum_vacuum_scale_factor").Real,
			AnalyzeThreshold: v.get("autovacuum_analyze_threshold").Int, AnalyzeScale: v.get("autovacuum_analyze_scale_factor").Real,
			FreezeMaxAge: v.get("autovacuum_freeze_max_age").Int}
	}, s.log).Run)
}

// tuneCollector obeys memory.limit.
func tuneCollector(c *config.Config) {
	limit := int64(math.MaxInt64)
	if c.MemoryLimit > 0 {
		limit = c.MemoryLimit
	}
	debug.SetMemoryLimit(limit)
}

// spareThreads is how many threads may run Go code beyond the processors. Whoever flushes the log, or reads a page, holds its place
// in the runtime for 20 microseconds or more until that notices; with two processors that was half of the server.
const spareThreads = 2

// widenScheduler lets the spare threads run. Where the container has less than the machine, more threads than that would use its
// share of time up early, and all stand still until the next.
func widenScheduler() {
	if n := pool.Processors(); os.Getenv("GOMAXPROCS") == "" && n == runtime.NumCPU() {
		runtime.GOMAXPROCS(n + spareThreads)
	}
}

// crash ends the process at once: what it holds in memory may be wrong, the log is right.
func (s *server) crash(reason string) {
	e := pgerror.Newf(pgerror.InternalError, "%s; the server stops and recovers at its next start", reason)
	e.Severity = pgerror.SeverityPanic
	s.log.Event(&session.Who{}, e, "")
	s.stopLog()
	os.Exit(exitCrash)
}

func (s *server) loadTLS(c *config.Config) error {
	if c.Certificate == "" {
		s.tls.Store(nil)
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return pgerror.Newf(pgerror.ConfigFileError, "could not load certificate \"%s\" with key \"%s\": %v", c.Certificate, c.Key, err)
	}
	s.tls.Store(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	return nil
}
