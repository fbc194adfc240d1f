package session

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/setting"
	"manifold/proxy/auth"
	"manifold/proxy/wire"
)

// start brings a connection from its first byte to the first ReadyForQuery; an error means that it is over.
func (c *Client) start() error {
	st, err := c.startup()
	if err != nil {
		return c.refuse(err)
	}
	c.who.User, c.who.Database, c.who.Application = st.Params["user"], st.Params["database"], st.Params["application_name"]
	if err := c.cfg.Admit(); err != nil {
		return c.refuse(err)
	}
	if st.Minor > 0 || len(st.Options) > 0 {
		c.out.NegotiateProtocolVersion(st.Options)
	}
	account, err := c.authenticate()
	if err != nil {
		return c.refuse(err)
	}
	c.leaveLobby()
	if err := c.openSession(account, st); err != nil {
		return c.refuse(err)
	}
	c.welcome()
	c.in.Trust()
	if err := c.sock.SetDeadline(time.Time{}); err != nil {
		return errGone
	}
	return nil
}

// refuse tells the client why it does not get in.
func (c *Client) refuse(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = pgerror.New(pgerror.QueryCanceled, "canceling authentication due to timeout")
	}
	var e *pgerror.Error
	if errors.As(err, &e) {
		f := *e
		f.Severity = pgerror.SeverityFatal
		c.cfg.Registry.noteError(f.Code)
		c.log(&f)
		c.sayLast(&f)
	}
	return errGone
}

// startup reads packets until one begins a session.
func (c *Client) startup() (wire.Startup, error) {
	var askedSSL, askedGSS bool
	for {
		code, body, err := c.in.Startup()
		if err != nil {
			return wire.Startup{}, err
		}
		switch {
		case code == wire.CodeCancel:
			if pid, secret, err := wire.DecodeCancel(body); err == nil {
				c.cfg.Registry.Cancel(pid, secret)
			}
			return wire.Startup{}, errGone
		case code == wire.CodeSSL && !askedSSL:
			askedSSL = true
			if err := c.startTLS(); err != nil {
				return wire.Startup{}, err
			}
		case code == wire.CodeGSS && !askedGSS:
			askedGSS = true
			if err := c.answerByte('N'); err != nil {
				return wire.Startup{}, err
			}
		case code>>16 != 3:
			return wire.Startup{}, pgerror.Newf(pgerror.FeatureNotSupported,
				"unsupported frontend protocol %d.%d: server supports 3.0 to 3.0", code>>16, code&0xFFFF)
		default:
			st, err := wire.DecodeStartup(code, body)
			if err != nil {
				return st, err
			}
			return st, completeStartup(&st)
		}
	}
}

func (c *Client) answerByte(b byte) error {
	if c.in.Buffered() > 0 {
		return pgerror.New(pgerror.ProtocolViolation, "received unencrypted data after encryption request").
			WithDetail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.")
	}
	if _, err := c.sock.Write([]byte{b}); err != nil {
		return errGone
	}
	return nil
}

func (c *Client) startTLS() error {
	config := c.cfg.TLS()
	if config == nil || c.sock.Local() {
		return c.answerByte('N')
	}
	if err := c.answerByte('S'); err != nil {
		return err
	}
	if err := c.handshake(config); err != nil {
		c.log(pgerror.Notice(pgerror.SeverityLog, pgerror.ProtocolViolation, "could not accept SSL connection: %v", err))
		return errGone
	}
	c.tls = true
	if !c.in.Reset(&c.sock) {
		return pgerror.New(pgerror.ProtocolViolation, "received unencrypted data after SSL request")
	}
	return nil
}

// handshake begins TLS. Its arithmetic costs more than all else of a login and is done for strangers, so a bounded number of
// clients do it at a time; who is waited for does not count.
func (c *Client) handshake(config *tls.Config) error {
	h := c.cfg.Handshakes
	if err := h.enter(c); err != nil {
		return err
	}
	in := true
	err := c.sock.StartTLS(config, func(reading bool) (err error) {
		if reading {
			h.leave()
			in = false
		} else if err = h.enter(c); err == nil {
			in = true
		}
		return err
	})
	if in {
		h.leave()
	}
	return err
}

// completeStartup fills in what a client may leave out and spreads out the parameter "options".
func completeStartup(st *wire.Startup) error {
	if st.Params["user"] == "" {
		return pgerror.New(pgerror.InvalidAuthorizationSpecification, "no PostgreSQL user name specified in startup packet")
	}
	if st.Params["database"] == "" {
		st.Params["database"] = st.Params["user"]
	}
	if r := strings.ToLower(st.Params["replication"]); r != "" && r != "false" && r != "off" && r != "no" && r != "0" {
		return pgerror.Unsupported("the replication protocol")
	}
	return splitOptions(st, st.Params["options"])
}

// splitOptions reads command-line options as libpq passes them: -c name=value and --name=value, a backslash before a space
// that belongs to a value.
func splitOptions(st *wire.Startup, text string) error {
	words := optionWords(text)
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return pgerror.Newf(pgerror.SyntaxError, "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return pgerror.Newf(pgerror.SyntaxError, "-c %s requires a value", w)
		}
		name = strings.ReplaceAll(name, "-", "_")
		if _, dup := st.Params[name]; !dup {
			st.Order = append(st.Order, name)
		}
		st.Params[name] = value
	}
	return nil
}

func optionWords(text string) []string {
	var words []string
	var w []byte
	in := false
	for i := 0; i < len(text); i++ {
		ch := text[i]
		switch {
		case ch == '\\' && i+1 < len(text):
			i++
			w, in = append(w, text[i]), true
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
			if in {
				words = append(words, string(w))
			}
			w, in = w[:0], false
		default:
			w, in = append(w, ch), true
		}
	}
	if in {
		words = append(words, string(w))
	}
	return words
}

// loginDatabase is where users are looked up when the database they ask for is not one.
const loginDatabase = "template1"

// authenticate checks who the client is, then whether user and database exist, in the order that tells strangers nothing.
func (c *Client) authenticate() (Account, error) {
	peer := auth.Peer{Local: c.sock.Local(), TLS: c.tls, User: c.who.User, Database: c.who.Database}
	if a, ok := c.sock.RemoteAddr().(*net.TCPAddr); ok {
		peer.Addr, _ = netip.AddrFromSlice(a.IP)
		peer.Addr = peer.Addr.Unmap()
	}
	method, err := c.cfg.Rules().Match(peer)
	if err != nil {
		return Account{}, err
	}
	database := c.who.Database
	if c.cfg.Console != nil && consoleName(database) {
		c.console, database = true, loginDatabase
	}
	account, err := c.lookUp(database)
	if err != nil {
		return Account{}, err
	}
	if method == auth.SCRAM {
		password := "" // an unknown user is told so at the end of the exchange, as for a wrong password
		if account.Role != nil {
			password = account.Role.Password
		}
		if err := c.scram(password); err != nil {
			return Account{}, err
		}
	}
	if err := c.cfg.Engine.CheckLogin(account, c.who.User, database); err != nil {
		return Account{}, err
	}
	if err := c.admit(account); err != nil {
		return Account{}, err
	}
	c.out.AuthenticationOk()
	return account, nil
}

// admit checks an authenticated user against what is kept for others.
func (c *Client) admit(a Account) error {
	if p := c.cfg.policy(); !a.Role.Super && c.console && !slices.Contains(p.Admins, c.who.User) && !slices.Contains(p.Watchers, c.who.User) {
		return pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to use the console").
			WithHint("console.admin_users and console.stats_users name others who may.")
	}
	err := c.cfg.Enter(a.Role.Super)
	c.placed = err == nil
	return err
}

// lookUp reads the catalogs, a bounded number of clients at a time.
func (c *Client) lookUp(database string) (Account, error) {
	if err := c.cfg.Logins.enter(c); err != nil {
		return Account{}, err
	}
	defer c.cfg.Logins.leave()
	return c.cfg.Engine.Login(activity.NewTask(0, nil), c.who.User, database)
}

// scram runs the exchange; a wrong password and an unknown user end it alike.
func (c *Client) scram(password string) error {
	x := auth.NewExchange(c.who.User, password, c.cfg.Secret)
	c.out.AuthenticationSASL(auth.Mechanism)
	body, err := c.saslMessage()
	if err != nil {
		return err
	}
	initial, err := wire.DecodeSASLInitial(body)
	if err != nil {
		return err
	}
	if initial.Mechanism != auth.Mechanism {
		return pgerror.New(pgerror.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	challenge, err := x.First(initial.Data)
	if err != nil {
		return err
	}
	c.out.AuthenticationSASLContinue(challenge)
	if body, err = c.saslMessage(); err != nil {
		return err
	}
	reply, ok, err := x.Final(body)
	if err != nil {
		return err
	}
	if !ok {
		return pgerror.Newf(pgerror.InvalidPassword, "password authentication failed for user \"%s\"", c.who.User)
	}
	c.out.AuthenticationSASLFinal(reply)
	return nil
}

// saslMessage sends what there is and reads the client's answer.
func (c *Client) saslMessage() ([]byte, error) {
	if err := c.send(); err != nil {
		return nil, err
	}
	kind, body, err := c.in.Next()
	if err != nil {
		return nil, err
	}
	if kind != wire.KindPassword {
		return nil, pgerror.Newf(pgerror.ProtocolViolation, "expected SASL response, got message type %d", kind)
	}
	return body, nil
}

// openSession makes the session, joins it to its pool and shows it to others.
func (c *Client) openSession(a Account, st wire.Startup) error {
	if err := checkEncoding(st.Params["client_encoding"]); err != nil {
		return err
	}
	c.task = activity.NewTask(0, nil)
	c.s = c.cfg.Engine.NewSession(c.task)
	c.who.PID = c.s.ID
	if err := c.startSession(a, st.Params); err != nil {
		return err
	}
	p := c.cfg.Console
	if !c.console {
		var err error
		if p, err = c.cfg.Pools.Get(a.Database.OID, a.Database.Name); err != nil {
			return err
		}
	}
	addr, port := "", -1
	if t, ok := c.sock.RemoteAddr().(*net.TCPAddr); ok {
		addr, _, _ = net.SplitHostPort(c.who.Remote)
		port = t.Port
	}
	at, atPort := "", 0
	if t, ok := c.sock.LocalAddr().(*net.TCPAddr); ok {
		at, atPort = c.cfg.Registry.spelled(t.AddrPort().Addr()), t.Port
	}
	c.shareNames(a)
	app, now := c.who.Application, time.Now()
	c.began = now
	c.s.Update(func(i *session.Info) {
		i.ClientAddr, i.ClientPort, i.Application, i.StateChange = addr, port, app, now
		i.ServerAddr, i.ServerPort = at, atPort
	})
	c.lease = p.NewLease(c.task, c.who.User, a.Role.Super)
	c.task.SetSlots(c)
	c.task.SetWake(c.wake)
	c.s.Client = c
	if err := c.cfg.Registry.add(c); err != nil {
		return err
	}
	if c.console { // whose database nobody is in
		return nil
	}
	return c.cfg.Engine.Register(c.s)
}

// shareNames takes the names that all clients have in common from the catalogs and settings; those of the startup packet need
// not be kept.
func (c *Client) shareNames(a Account) {
	c.who.User = a.Role.Name
	if !c.console {
		c.who.Database = a.Database.Name
	}
	c.who.Application = c.s.Settings.Get("application_name").Str
}

func (c *Client) startSession(a Account, params map[string]string) error {
	if err := c.cfg.Logins.enter(c); err != nil {
		return err
	}
	defer c.cfg.Logins.leave()
	return c.cfg.Engine.StartSession(c.s, a, params)
}

// checkEncoding refuses encodings that would need a conversion.
func checkEncoding(name string) error {
	switch strings.ToUpper(strings.Trim(strings.ReplaceAll(name, "-", ""), "'\" ")) {
	case "", "UTF8", "UNICODE", "SQL_ASCII", "SQLASCII", "AUTO":
		return nil
	}
	return pgerror.Unsupported("client_encoding \"%s\"", name)
}

// welcome reports the settings that clients depend on, and gives the cancel key.
func (c *Client) welcome() {
	for _, p := range setting.All() {
		if !p.Has(setting.Report) {
			continue
		}
		_, value, err := c.s.Settings.Show(p.Name)
		switch {
		case p.Name == "is_superuser":
			value = "off"
			if c.s.User.Super {
				value = "on"
			}
		case p.Name == "session_authorization":
			value = c.s.User.Name
		case err != nil:
			continue
		}
		c.out.ParameterStatus(p.Name, value)
	}
	c.s.Settings.TakeReports(func(string, string) {})
	if c.s.Settings.Get("log_connections").Bool {
		c.logVisit("connection authorized: user=%s database=%s application_name=%s host=%s", c.who.User, c.who.Database,
			c.who.Application, c.who.Remote)
	}
	c.out.BackendKeyData(c.s.ID, c.s.Secret)
	c.ready()
}

// logVisit logs who comes and goes.
func (c *Client) logVisit(format string, args ...any) {
	c.log(pgerror.Notice(pgerror.SeverityLog, pgerror.SuccessfulCompletion, format, args...))
}
