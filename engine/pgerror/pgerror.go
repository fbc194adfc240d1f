package pgerror

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Severity is the S and V field of an error or notice.
type Severity string

// The severities of PostgreSQL.
const (
	SeverityError   Severity = "ERROR"
	SeverityFatal   Severity = "FATAL"
	SeverityPanic   Severity = "PANIC"
	SeverityWarning Severity = "WARNING"
	SeverityNotice  Severity = "NOTICE"
	SeverityDebug   Severity = "DEBUG"
	SeverityInfo    Severity = "INFO"
	SeverityLog     Severity = "LOG"
)

// Error is an error or notice with the fields of PostgreSQL's ErrorResponse. Position is in characters from one; zero
// is none.
type Error struct {
	Severity   Severity
	Code       string
	Message    string
	Detail     string
	LogDetail  string // for the log in place of Detail: what clients must not see
	Hint       string
	Position   int
	Where      string
	Schema     string
	Table      string
	Column     string
	DataType   string
	Constraint string
	cause      error
}

// New makes an error with a SQLSTATE and a message.
func New(code, message string) *Error {
	return &Error{Severity: SeverityError, Code: code, Message: message}
}

// Newf makes an error with a SQLSTATE and a formatted message.
func Newf(code, format string, args ...any) *Error {
	return &Error{Severity: SeverityError, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Notice makes a message that does not end the statement.
func Notice(severity Severity, code, format string, args ...any) *Error {
	return &Error{Severity: severity, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Unsupported makes the 0A000 that every feature without an implementation raises, with its name.
func Unsupported(format string, args ...any) *Error {
	return Newf(FeatureNotSupported, "%s is not supported yet", fmt.Sprintf(format, args...))
}

// Internal wraps an unexpected error as XX000.
func Internal(err error) *Error {
	return &Error{Severity: SeverityError, Code: InternalError, Message: err.Error(), cause: err}
}

// Corrupt makes an XX001 for bytes on disk that cannot be right; the message must name their place.
func Corrupt(format string, args ...any) *Error { return Newf(DataCorrupted, format, args...) }

// IO wraps a failed file operation; the code says what kind of failure it was, 58030 when it is none that has a code of its own.
func IO(err error, format string, args ...any) *Error {
	code, why := IOError, err.Error()
	var no syscall.Errno
	switch { // also of a file system that is not the operating system's
	case errors.Is(err, fs.ErrNotExist):
		no = syscall.ENOENT
	case errors.Is(err, fs.ErrExist):
		no = syscall.EEXIST
	}
	if no != 0 || errors.As(err, &no) {
		code, why = errnoCode(no), no.Error()
		why = strings.ToUpper(why[:1]) + why[1:] // as the C library has it
	}
	e := Newf(code, "%s: %s", fmt.Sprintf(format, args...), why)
	e.cause = err
	return e
}

// errnoCode gives the SQLSTATE of an error of the operating system.
func errnoCode(no syscall.Errno) string {
	switch no {
	case syscall.ENOSPC, syscall.EDQUOT:
		return DiskFull
	case syscall.ENOENT:
		return UndefinedFile
	case syscall.EEXIST:
		return DuplicateFile
	case syscall.EPERM, syscall.EACCES, syscall.EROFS:
		return InsufficientPrivilege
	case syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY:
		return WrongObjectType
	case syscall.EMFILE, syscall.ENFILE:
		return InsufficientResources
	}
	return IOError
}

// Error implements error.
func (e *Error) Error() string {
	return string(e.Severity) + ": " + e.Message + " (SQLSTATE " + e.Code + ")"
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// WithDetail sets the detail and returns the same error.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// WithHint sets the hint and returns the same error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithPosition sets the position in characters from one, unless one is set, and returns the same error.
func (e *Error) WithPosition(pos int) *Error {
	if e.Position == 0 {
		e.Position = pos
	}
	return e
}

// WithTable sets schema and table and returns the same error.
func (e *Error) WithTable(schema, table string) *Error {
	e.Schema, e.Table = schema, table
	return e
}

// WithColumn sets the column and returns the same error.
func (e *Error) WithColumn(column string) *Error {
	e.Column = column
	return e
}

// WithConstraint sets the constraint and returns the same error.
func (e *Error) WithConstraint(name string) *Error {
	e.Constraint = name
	return e
}

// WithDataType sets the data type and returns the same error.
func (e *Error) WithDataType(name string) *Error {
	e.DataType = name
	return e
}

// WithWhere appends a line of context and returns the same error.
func (e *Error) WithWhere(format string, args ...any) *Error {
	line := fmt.Sprintf(format, args...)
	if e.Where != "" {
		line = e.Where + "\n" + line
	}
	e.Where = line
	return e
}

// From gives the *Error inside err, or wraps err as an internal error. A nil error gives nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Internal(err)
}

// Code gives the SQLSTATE of err: XX000 when it has none, empty when err is nil.
func Code(err error) string {
	if err == nil {
		return ""
	}
	return From(err).Code
}
