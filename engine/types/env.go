package types

import (
	"time"

	"manifold/engine/base"
)

// ByteaOutput selects the text form of bytea.
type ByteaOutput uint8

// The forms of bytea.
const (
	ByteaHex ByteaOutput = iota
	ByteaEscape
)

// DateStyle selects the text form of dates and times.
type DateStyle uint8

// The styles of dates.
const (
	DateISO DateStyle = iota
	DateSQL
	DatePostgres
	DateGerman
)

// DateOrder tells how ambiguous dates are read.
type DateOrder uint8

// The orders of fields.
const (
	OrderMDY DateOrder = iota
	OrderDMY
	OrderYMD
)

// IntervalStyle selects the text form of intervals.
type IntervalStyle uint8

// The styles of intervals.
const (
	IntervalPostgres IntervalStyle = iota
	IntervalPostgresVerbose
	IntervalSQL
	IntervalISO8601
)

// RegKind names a family of catalog objects that a reg type refers to.
type RegKind uint8

// The families.
const (
	RegProc RegKind = iota
	RegProcedure
	RegOper
	RegOperator
	RegClass
	RegType
	RegNamespace
	RegRole
	RegCollation
	RegConfig
	RegDictionary
)

// Names translates between the names and OIDs of catalog objects for the reg types. OIDOf fails with PostgreSQL's error
// for an unknown or ambiguous name. NameOf gives the name, qualified and quoted as needed, or false.
type Names interface {
	OIDOf(kind RegKind, name string) (base.OID, error)
	NameOf(kind RegKind, oid base.OID) (string, bool)
}

// Shape is what a user's type is made of: an array has Elem, a row type Columns.
type Shape struct {
	Elem    base.OID
	Columns []Attribute
}

// Attribute is one column of a row type; a dropped one keeps its place and has no type.
type Attribute struct {
	Name   string
	Type   base.OID
	Typmod int32
}

// Shapes finds the shapes of types that are not built in. Names that know them implement it too.
type Shapes interface {
	ShapeOf(typ base.OID) (Shape, bool)
}

// ShapeOf gives the shape of a user's array or row type.
func (e *Env) ShapeOf(typ base.OID) (Shape, bool) {
	if e == nil || typ < base.FirstNormalOID {
		return Shape{}, false
	}
	s, ok := e.Names.(Shapes)
	if !ok {
		return Shape{}, false
	}
	return s.ShapeOf(typ)
}

// Env is the session's settings that change the forms of values. The zero Env is UTC, ISO, MDY and
// extra_float_digits 0: NewEnv gives PostgreSQL's defaults. Now is the transaction's timestamp, for 'now' and 'today'.
type Env struct {
	TimeZone         *time.Location // nil is UTC
	TimeZoneName     string
	DateStyle        DateStyle
	DateOrder        DateOrder
	IntervalStyle    IntervalStyle
	ByteaOutput      ByteaOutput
	ExtraFloatDigits int
	Now              time.Time
	Names            Names // nil: reg types print as numbers and read numbers only
}

// NewEnv gives the defaults: UTC, ISO, MDY, extra_float_digits 1, bytea_output hex.
func NewEnv() *Env {
	return &Env{TimeZone: time.UTC, TimeZoneName: "UTC", ExtraFloatDigits: 1}
}

func (e *Env) zone() *time.Location {
	if e == nil || e.TimeZone == nil {
		return time.UTC
	}
	return e.TimeZone
}

func (e *Env) now() time.Time {
	if e == nil || e.Now.IsZero() {
		return time.Unix(946684800, 0)
	}
	return e.Now
}

func (e *Env) floatDigits() int {
	if e == nil {
		return 1
	}
	return e.ExtraFloatDigits
}
