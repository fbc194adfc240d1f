package session

import (
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/pool"
	"manifold/proxy/park"
	"manifold/proxy/wire"
)

const (
	slice     = 5 * time.Millisecond  // how long a client keeps its slot over messages that are already there
	longRun   = 50 * time.Millisecond // a statement that took longer makes its session's next one wait behind others
	lastWords = 2 * time.Second       // how long the last message to a client may take
	moment    = 50 * time.Microsecond // a statement that took longer lets others look for clients while the next runs
	grace     = time.Second           // how long the statement of a client that is gone may still run
	headerLen = 5                     // bytes of a message before its body
	huge      = 32 << 20              // bytes of a message whose memory goes back to the system once it is done
)

// errGone ends a client whose connection is of no more use; the client has been told what could be told.
var errGone = errors.New("client is gone")

// Client is one connection.
type Client struct {
	*work  // nil while the client rests
	cfg    *Config
	sock   wire.Socket
	in     wire.Reader
	s      *session.Session
	task   *activity.Task
	who    Who
	tls    bool
	coming *arrival                  // nil once the client is logged in
	seat   atomic.Pointer[park.Seat] // nil until the client is logged in

	outside   bool // it has left the lobby
	placed    bool // Config.Enter let it in
	console   bool
	listed    bool // guarded by the registry's mutex
	lease     *pool.Lease
	be        pool.Backend // held, or nil
	began     time.Time    // of the message that runs
	txBegan   time.Time    // when the transaction's first message came; zero outside of one
	long      bool         // the last statement ran long
	heavy     bool         // it took more than a moment
	extended  bool         // the message that runs is of the extended protocol
	open      bool         // messages of the extended protocol have run since the last Sync
	bulky     bool         // a huge message was handled since the client last rested
	skip      bool         // an error of the extended protocol: nothing counts until Sync
	broken    error        // the connection failed
	held      []byte       // the answer of a client that waits for its transaction to be let in, or nil
	knobs     *knobs
	knobStamp uint64 // one more than the stamp of the settings that knobs are from; zero: never read

	timer *time.Timer
	idle  *idleTimer // nil until the first silence that is limited

	mu       sync.Mutex
	running  bool        // guarded by mu: a message runs that may be cancelled
	deadline time.Time   // guarded by mu: of the statement that runs; zero is none
	reaper   *time.Timer // guarded by mu: nil unless the peer has closed and a statement ran then
	writing  atomic.Bool
}

// Serve leaves a connection to the poller, which runs its client when something has arrived, until its end; then cfg.Left is
// called.
func Serve(conn *park.Conn, cfg *Config) {
	c := &Client{cfg: cfg, sock: wire.MakeSocket(conn)}
	c.in.Init(&c.sock)
	c.who.Remote = remote(conn)
	now := time.Now()
	c.coming = &arrival{conn: conn, since: now, by: now.Add(cfg.AuthTimeout())}
	cfg.Lobby.enter(c.coming)
	conn.Seat().Start(c, "")
}

func remote(conn net.Conn) string {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.String()
	}
	return "[local]"
}

// Run implements park.Client: it serves all that has arrived.
func (c *Client) Run(r *park.Runner) park.Verdict {
	w, _ := r.Local.(*work)
	if w == nil {
		w = &work{}
		r.Local = w
	}
	c.attach(w)
	c.runner = r
	state := came
	switch {
	case c.coming != nil:
		state = c.arrive()
	case c.held != nil && !c.entered():
		state = awaited
	}
	if state == awaited || state == came && c.loop() {
		c.detach()
		return park.Rest
	}
	c.close()
	return park.End
}

// loop reads messages and serves them: true when no more have arrived, false when the client or the server has had enough.
func (c *Client) loop() bool {
	for dry := false; ; {
		switch {
		case c.task.Terminated():
			c.lastError(terminalReason(c.task))
			return false
		case c.in.Ready():
			c.idle.end()
			if c.be != nil && time.Since(c.took) > slice {
				c.giveBack()
			}
			kind, body, err := c.in.Next()
			if err != nil {
				c.readFailed(err)
				return false
			}
			c.bulky = c.bulky || len(body) > huge
			c.lease.Received(len(body) + headerLen)
			if c.handle(kind, body) != nil {
				return false
			}
			continue
		}
		if !c.open && !c.skip {
			c.notifications()
		}
		c.giveBack()
		if c.s.Tx.Block && c.enter() {
			c.seat.Load().Expect(park.Holding, false)
			return true
		}
		if c.flush() != nil {
			return false
		}
		if dry && !c.seat.Load().Hung() {
			if c.idle.over() {
				c.lastError(c.idle.kind.reason())
				return false
			}
			c.startIdle()
			c.seat.Load().Expect(c.level(), c.heavy)
			return true
		}
		var err error
		if dry, err = c.in.TryFill(&c.sock); err != nil {
			c.readFailed(err)
			return false
		}
	}
}

// flush sends what there is before the client rests.
func (c *Client) flush() error {
	if err := c.send(); err != nil {
		return err
	}
	if c.bulky {
		c.freeBulk()
	}
	return nil
}

// freeBulk gives the memory of a huge message back to the system, which the collector alone would do much later.
func (c *Client) freeBulk() {
	c.bulky = false
	c.query, c.parse, c.bind = wire.Query{}, wire.Parse{}, wire.Bind{}
	c.in.Shrink()
	debug.FreeOSMemory()
}

// readFailed ends a client whose next message did not come or cannot be.
func (c *Client) readFailed(err error) {
	var e *pgerror.Error
	switch {
	case c.task.Terminated():
		c.lastError(terminalReason(c.task))
	case errors.As(err, &e):
		c.lastError(e)
	case c.s.Status != session.Idle:
		c.log(pgerror.Notice(pgerror.SeverityLog, pgerror.ConnectionFailure,
			"unexpected EOF on client connection with an open transaction"))
	case !errors.Is(err, io.EOF):
		c.log(pgerror.Notice(pgerror.SeverityLog, pgerror.ConnectionFailure, "could not receive data from client: %v", err))
	}
}

// handle serves one message; an error ends the client. A panic is a bug that ends this client only.
func (c *Client) handle(kind byte, body []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.panicked(r)
			err = errGone
		}
	}()
	if c.skip && kind != wire.KindSync && kind != wire.KindTerminate {
		return nil
	}
	switch kind {
	case wire.KindQuery:
		c.simple(body)
	case wire.KindParse, wire.KindBind, wire.KindDescribe, wire.KindExecute, wire.KindClose:
		c.step(kind, body)
	case wire.KindSync:
		c.sync(body)
	case wire.KindFlush:
		if err := wire.DecodeEmpty(body); err != nil {
			c.fail(err)
			c.skip = true
			break
		}
		c.push()
	case wire.KindTerminate:
		return errGone
	case wire.KindFunction:
		c.extended = false
		c.fail(pgerror.Unsupported("the function call message"))
		c.ready()
	case wire.KindCopyData, wire.KindCopyDone, wire.KindCopyFail:
		// What a client sent before it learnt that its COPY had failed.
	default:
		c.lastError(invalidKind(kind))
		return errGone
	}
	if c.out.Len() > wire.FlushAt {
		c.push()
	}
	return c.broken
}

func invalidKind(kind byte) *pgerror.Error {
	return pgerror.Newf(pgerror.ProtocolViolation, "invalid frontend message type %d", kind)
}

// panicked answers a bug: the backend is destroyed, the client is told, and the loop ends.
func (c *Client) panicked(reason any) {
	c.cfg.Log.Panic(&c.who, reason, debug.Stack())
	if c.task.Held() > 0 {
		c.cfg.Crash("a statement panicked with pages pinned or latched")
	}
	c.stopRunning()
	if c.be != nil {
		c.be = nil
		c.lease.Destroy()
	}
	c.lastError(pgerror.Newf(pgerror.InternalError, "internal error: %v", reason).
		WithHint("This is a bug. The server's log has the place."))
}

// terminalReason gives the FATAL that a terminated task ends with.
func terminalReason(t *activity.Task) *pgerror.Error { return t.TerminalReason() }

// lastError sends a FATAL in place of whatever was not sent yet, without insisting.
func (c *Client) lastError(e *pgerror.Error) {
	f := *e
	f.Severity = pgerror.SeverityFatal
	c.cfg.Registry.noteError(f.Code)
	c.log(&f)
	c.giveBack()
	if c.broken != nil {
		return
	}
	if c.send() != nil {
		return
	}
	c.sayLast(&f)
}

func (c *Client) sayLast(f *pgerror.Error) {
	c.clear()
	c.out.Error(f)
	// The connection is given up whatever becomes of these bytes.
	_ = c.sock.SetWriteDeadline(time.Now().Add(lastWords))
	_, _ = c.sock.Write(c.out.Buf)
	c.broken = errGone
}

func (c *Client) log(e *pgerror.Error) { c.cfg.Log.Event(&c.who, e, "") }

// close drops all that the client holds.
func (c *Client) close() {
	c.stopTimer()
	c.stopReaper()
	c.idle.stop()
	if c.lease != nil {
		if c.s.Settings.Get("log_disconnections").Bool {
			c.logVisit("disconnection: session time: %s user=%s database=%s host=%s",
				time.Since(c.s.Started).Round(time.Millisecond), c.who.User, c.who.Database, c.who.Remote)
		}
		c.releaseSession()
		c.lease.End()
	}
	if c.s != nil {
		c.cfg.Engine.End(c.s)
		c.cfg.Registry.remove(c)
	}
	// Closing can only fail on a connection that is closed.
	_ = c.sock.Close()
	c.detach()
	c.leaveLobby()
	c.cfg.Left(c.placed)
}

// releaseSession rolls back and drops what the session has, with a backend of any kind of health.
func (c *Client) releaseSession() {
	defer func() {
		if r := recover(); r != nil {
			c.cfg.Log.Panic(&c.who, r, debug.Stack())
			c.be = nil
			c.lease.Destroy()
			c.cfg.Crash("the end of a session panicked")
		}
	}()
	if c.be == nil {
		be, err := c.acquireAlways()
		if err != nil {
			c.log(pgerror.From(err))
			c.cfg.Crash("no backend to end a session with")
			return
		}
		c.be = be
	}
	c.be.Release(c.s)
	c.giveBack()
}
