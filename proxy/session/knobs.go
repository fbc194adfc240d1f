package session

import (
	"strings"
	"time"

	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// knobs are the settings that matter at every message. Clients share them; they never change.
type knobs struct {
	statementTimeout  time.Duration
	idleInTransaction time.Duration
	idle              time.Duration
	clientMin         int
	logStatement      string
	logMinDuration    time.Duration // below zero: never
	application       string
	keepAlive         [3]int // tcp_keepalives_idle, _interval and _count; zero is the system's
}

// currentKnobs gives the client's knobs, read again when any setting has changed.
func (c *Client) currentKnobs() *knobs {
	g := c.s.Settings
	if c.knobStamp == g.Stamp()+1 {
		return c.knobs
	}
	k := g.Memo(func() any { return readKnobs(g) }).(*knobs)
	before := c.knobs
	c.knobs, c.knobStamp = k, g.Stamp()+1
	if before != nil && before.keepAlive != k.keepAlive || before == nil && k.keepAlive != [3]int{} {
		c.sock.KeepAlive(k.keepAlive[0], k.keepAlive[1], k.keepAlive[2])
	}
	if k.application != c.who.Application {
		c.who.Application = k.application
		c.s.Update(func(i *session.Info) { i.Application = k.application })
	}
	return k
}

func readKnobs(g *session.Settings) *knobs {
	ms := func(name string) time.Duration { return time.Duration(g.Get(name).Int) * time.Millisecond }
	whole := func(name string) int { return int(g.Get(name).Int) }
	return &knobs{statementTimeout: ms("statement_timeout"), idle: ms("idle_session_timeout"),
		idleInTransaction: ms("idle_in_transaction_session_timeout"), logStatement: g.Get("log_statement").Str,
		logMinDuration: ms("log_min_duration_statement"), clientMin: rankOf(g.Get("client_min_messages").Str),
		application: g.Get("application_name").Str,
		keepAlive:   [3]int{whole("tcp_keepalives_idle"), whole("tcp_keepalives_interval"), whole("tcp_keepalives_count")}}
}

// rankOf reads a level of client_min_messages.
func rankOf(level string) int {
	switch {
	case strings.HasPrefix(level, "debug"):
		return rank(pgerror.SeverityDebug)
	case level == "log":
		return rank(pgerror.SeverityLog)
	case level == "warning":
		return rank(pgerror.SeverityWarning)
	case level == "error":
		return rank(pgerror.SeverityError)
	}
	return rank(pgerror.SeverityNotice)
}

func (c *Client) logStatement(text string) {
	switch c.knobs.logStatement {
	case "all":
	case "mod":
		if !changesData(text) && !definesData(text) {
			return
		}
	case "ddl":
		if !definesData(text) {
			return
		}
	default:
		return
	}
	c.cfg.Log.Statement(&c.who, text)
}

func (c *Client) logDuration(text string, took time.Duration) {
	if limit := c.knobs.logMinDuration; limit >= 0 && took >= limit {
		c.cfg.Log.Duration(&c.who, text, took)
	}
}

// definesData and changesData judge a text by its first word, which is enough for a log.
func definesData(text string) bool {
	return begins(text, "create", "alter", "drop", "grant", "revoke", "comment", "reindex")
}

func changesData(text string) bool {
	return begins(text, "insert", "update", "delete", "merge", "truncate", "copy", "with")
}

func begins(text string, words ...string) bool {
	t := strings.TrimLeft(text, " \t\r\n(")
	for _, w := range words {
		if len(t) >= len(w) && strings.EqualFold(t[:len(w)], w) {
			return true
		}
	}
	return false
}
