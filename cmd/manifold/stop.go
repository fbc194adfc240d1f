package main

import (
	"context"
	"os"
	"syscall"

	"manifold/proxy"
	"manifold/proxy/admin"
)

// run obeys signals until the server has stopped: SIGTERM waits for the clients, SIGINT ends them, SIGQUIT ends the
// process, SIGHUP reads the configuration again. A stronger signal may follow a weaker one.
func (s *server) run(signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	empty := make(chan error, 2) // one for each mode
	asked := false
	last := proxy.Smart
	for {
		select {
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				s.reload()
				continue
			case syscall.SIGQUIT:
				s.log.Say("received immediate shutdown request")
				s.stopLog()
				os.Exit(exitCrash)
			}
			mode := proxy.Smart
			if sig == syscall.SIGINT {
				mode = proxy.Fast
			}
			if asked && mode <= last {
				continue
			}
			asked, last = true, mode
			s.log.Say("received %s shutdown request", [...]string{"smart", "fast"}[mode])
			go func() { empty <- s.front.Shutdown(ctx, mode) }()
		case err := <-empty:
			if err != nil {
				return err
			}
			return s.close()
		case <-s.engine.Failed():
			s.crash("the write-ahead log could not be written")
		}
	}
}

// ask does what the console asks for as if a signal had come.
func (s *server) ask(r admin.Request) bool {
	sig := map[admin.Request]os.Signal{admin.Reload: syscall.SIGHUP, admin.ShutdownFast: syscall.SIGINT, admin.ShutdownSmart: syscall.SIGTERM}[r]
	select {
	case s.signals <- sig:
		return true
	default:
		return false
	}
}

// close stops what the clients no longer need: the auxiliary processes, last to first, then the pools, then the cluster.
func (s *server) close() error {
	s.log.Say("shutting down")
	s.aux.Stop()
	s.pools.Close()
	err := s.engine.Shutdown()
	if err == nil {
		s.log.Say("database system is shut down")
	}
	return err
}

// reload reads the configuration again. One with mistakes changes nothing.
func (s *server) reload() {
	c, err := s.flags.load()
	if err == nil {
		err = s.loadTLS(c)
	}
	if err != nil {
		s.log.Warn("configuration was not changed: %v", err)
		return
	}
	old := s.config.Swap(c)
	s.policy.Store(policy(c))
	if err := s.engine.SetSettings(settings(c)); err != nil {
		s.log.Warn("parameters of sessions were not changed: %v", err)
	}
	s.pools.SetLimits(poolLimits(c, s.front.Behind))
	s.front.SetLimits(s.clientLimits(c))
	s.log.SetOptions(logOptions(c))
	tuneCollector(c)
	if old.Data != c.Data || old.Port != c.Port || old.SocketDir != c.SocketDir {
		s.log.Warn("data, port and socket directory change at the next start only")
	}
	s.log.Say("configuration reloaded")
}
