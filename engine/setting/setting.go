package setting

import "strings"

// Kind is the type of a parameter.
type Kind uint8

// The types of parameters.
const (
	Bool Kind = iota
	Int
	Real
	String
	Enum
)

// String gives the type as pg_settings.vartype shows it.
func (k Kind) String() string {
	return [...]string{"bool", "integer", "real", "string", "enum"}[k]
}

// Context tells when and by whom a parameter may be changed, from least to most freely.
type Context uint8

// The contexts of parameters.
const (
	Internal Context = iota
	Postmaster
	Sighup
	SuperuserBackend
	Backend
	Superuser
	User
)

// String gives the context as pg_settings.context shows it.
func (c Context) String() string {
	return [...]string{"internal", "postmaster", "sighup", "superuser-backend", "backend", "superuser", "user"}[c]
}

// Flags are the properties of a parameter that matter beyond its value.
type Flags uint8

// The flags.
const (
	Report       Flags = 1 << iota // changes are reported to the client (ParameterStatus)
	PlanRelevant                   // a plan made under one value must not be used under another
	List                           // a list of identifiers
	ListQuote                      // a list whose elements SHOW and pg_dump quote
	NoShowAll                      // not in SHOW ALL
	NoReset                        // not touched by RESET ALL
	Manifold                       // not known to PostgreSQL
)

// Setting describes one parameter. Min and Max bound numbers, in Unit. Boot is the default as pg_settings.boot_val shows it.
type Setting struct {
	Name     string
	Kind     Kind
	Context  Context
	Flags    Flags
	Unit     string // "", "B", "kB", "8kB", "MB", "ms", "s" or "min"
	Boot     string
	Min, Max float64
	Enum     []string
	Category string
	Short    string
	Extra    string
}

// Has tells whether the parameter has all of the flags.
func (s *Setting) Has(f Flags) bool { return s.Flags&f == f }

// Value is the value of a parameter: the field of its kind is set. An enum keeps its spelling in Str.
type Value struct {
	Bool bool
	Int  int64
	Real float64
	Str  string
}

// registry is filled once and only read after that.
type registry struct {
	all    []*Setting
	byName map[string]*Setting
}

var settings = buildRegistry()

// Lookup finds a parameter by its name in any case.
func Lookup(name string) (*Setting, bool) {
	if s, ok := settings.byName[name]; ok {
		return s, true
	}
	s, ok := settings.byName[strings.ToLower(name)]
	return s, ok
}

// All gives every parameter in the order of pg_settings; the slice is shared and must not be changed.
func All() []*Setting { return settings.all }

// Default gives the built-in default.
func (s *Setting) Default() Value {
	v, err := s.Parse(s.Boot)
	if err != nil {
		return Value{Str: s.Boot}
	}
	return v
}
