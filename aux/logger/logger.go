package logger

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"manifold/engine/pgerror"
	"manifold/proxy/session"
)

// Format is how lines look.
type Format uint8

// The formats.
const (
	Text Format = iota
	JSON
)

// Options of a log; they may change later through SetOptions.
type Options struct {
	Format Format
	// Min is the least severe message kept, as log_min_messages names it.
	Min string
	// MinStatement is the least severe error that is logged with its statement, as log_min_error_statement.
	MinStatement string
}

const queueLength = 4096

// Logger takes messages from the whole server.
type Logger struct {
	out     io.Writer
	queue   chan []byte
	options atomic.Pointer[Options]
	done    chan struct{}
}

// New makes a log that writes to out once Run runs.
func New(out io.Writer, o Options) *Logger {
	l := &Logger{out: out, queue: make(chan []byte, queueLength), done: make(chan struct{})}
	l.options.Store(&o)
	return l
}

// SetOptions changes what is kept from now on.
func (l *Logger) SetOptions(o Options) { l.options.Store(&o) }

// Run writes lines until ctx ends, and then those that are left.
func (l *Logger) Run(ctx context.Context) error {
	defer close(l.done)
	for {
		select {
		case line := <-l.queue:
			l.write(line)
		case <-ctx.Done():
			for {
				select {
				case line := <-l.queue:
					l.write(line)
				default:
					return nil
				}
			}
		}
	}
}

// write writes a line; there is nowhere to tell of a log that cannot be written.
func (l *Logger) write(line []byte) { _, _ = l.out.Write(line) }

func (l *Logger) put(line []byte) {
	select {
	case <-l.done:
		l.write(line)
	default:
		select {
		case l.queue <- line:
		case <-l.done:
			l.write(line)
		}
	}
}

// Event implements session.Log.
func (l *Logger) Event(w *session.Who, e *pgerror.Error, statement string) {
	o := l.options.Load()
	if level(string(e.Severity)) < level(o.Min) {
		return
	}
	if level(string(e.Severity)) < level(o.MinStatement) || e.Severity == pgerror.SeverityLog {
		statement = ""
	}
	l.put(l.encode(o, w, e, statement))
}

// Statement implements session.Log.
func (l *Logger) Statement(w *session.Who, text string) {
	l.say(w, pgerror.SeverityLog, "statement: %s", text)
}

// Duration implements session.Log.
func (l *Logger) Duration(w *session.Who, text string, took time.Duration) {
	l.say(w, pgerror.SeverityLog, "duration: %.3f ms  statement: %s", float64(took)/float64(time.Millisecond), text)
}

// Panic implements session.Log.
func (l *Logger) Panic(w *session.Who, reason any, stack []byte) {
	e := pgerror.Newf(pgerror.InternalError, "panic: %v", reason).WithDetail("%s", stack)
	e.Severity = pgerror.SeverityPanic
	l.Event(w, e, "")
}

// Say logs a message of the server itself.
func (l *Logger) Say(format string, args ...any) {
	l.say(&session.Who{}, pgerror.SeverityLog, format, args...)
}

// Warn logs a warning of the server itself.
func (l *Logger) Warn(format string, args ...any) {
	l.say(&session.Who{}, pgerror.SeverityWarning, format, args...)
}

func (l *Logger) say(w *session.Who, s pgerror.Severity, format string, args ...any) {
	l.Event(w, pgerror.Notice(s, pgerror.SuccessfulCompletion, format, args...), "")
}

func (l *Logger) encode(o *Options, w *session.Who, e *pgerror.Error, statement string) []byte {
	if o.Format == JSON {
		return encodeJSON(w, e, statement)
	}
	return encodeText(w, e, statement)
}

func encodeText(w *session.Who, e *pgerror.Error, statement string) []byte {
	b := time.Now().UTC().AppendFormat(make([]byte, 0, lineRest), "2006-01-02 15:04:05.000 MST ")
	if w.PID != 0 {
		b = fmt.Appendf(b, "[%d] ", w.PID)
	}
	if w.User != "" {
		b = fmt.Appendf(b, "%s@%s ", w.User, w.Database)
	}
	lines := [...]struct{ name, text string }{
		{string(e.Severity), e.Message}, {"DETAIL", detail(e)}, {"HINT", e.Hint}, {"CONTEXT", e.Where}, {"STATEMENT", statement},
	}
	prefix, size := string(b), 0
	for i := range lines {
		l := &lines[i]
		l.text = strings.ReplaceAll(l.text, "\n", "\n\t")
		size += len(prefix) + len(l.text) + lineRest
	}
	b = slices.Grow(b[:0], size)
	for _, l := range lines {
		if l.text == "" {
			continue
		}
		b = append(append(b, prefix...), l.name...)
		b = append(append(append(b, ":  "...), l.text...), '\n')
	}
	return b
}

// lineRest is room for what stands around the text of a line, as a rule.
const lineRest = 64

// detail gives the detail as the log shows it.
func detail(e *pgerror.Error) string {
	if e.LogDetail != "" {
		return e.LogDetail
	}
	return e.Detail
}

func encodeJSON(w *session.Who, e *pgerror.Error, statement string) []byte {
	var buf writer
	root := zerolog.New(&buf)
	z := root.Log().Time("timestamp", time.Now().UTC())
	text := func(name, value string) {
		if value != "" {
			z = z.Str(name, value)
		}
	}
	text("user", w.User)
	text("dbname", w.Database)
	if w.PID != 0 {
		z = z.Str("pid", strconv.FormatUint(uint64(w.PID), 10))
	}
	text("remote_host", w.Remote)
	text("application_name", w.Application)
	text("error_severity", string(e.Severity))
	text("state_code", e.Code)
	text("detail", detail(e))
	text("hint", e.Hint)
	text("context", e.Where)
	text("statement", statement)
	z.Msg(e.Message)
	return buf.b
}

type writer struct{ b []byte }

func (w *writer) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// level orders severities as log_min_messages does: LOG stands between ERROR and FATAL.
func level(name string) int {
	n := strings.ToLower(name)
	for i, s := range [...]string{"debug", "info", "notice", "warning", "error", "log", "fatal", "panic"} {
		if strings.HasPrefix(n, s) {
			return i
		}
	}
	return 0
}
