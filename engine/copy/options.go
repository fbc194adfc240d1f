package copy

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/parse"
)

// format is a form of the stream.
type format uint8

const (
	formatText format = iota
	formatCSV
	formatBinary
)

// options are those of the WITH clause.
type options struct {
	format      format
	delim       byte
	null        string
	header      bool
	headerMatch bool
	quote       byte
	escape      byte
	freeze      bool
	forceQuote  columnSet
	forceNot    columnSet
	forceNull   columnSet
}

// columnSet is a list of columns, or all of them.
type columnSet struct {
	all   bool
	names []string
	attrs map[string]bool
}

func (s *columnSet) has(name string) bool { return s.all || s.attrs[name] }
func (s *columnSet) given() bool          { return s.all || len(s.names) > 0 }

// reading is the options as they are written, before their defaults.
type reading struct {
	o                          *options
	text                       string
	seen                       map[string]bool
	delim, null, quote, escape *string
}

// read takes the options of a statement and checks them against each other.
func (o *options) read(stmt *pg_query.CopyStmt, opt *analyze.Options) error {
	r := &reading{o: o, text: opt.Text, seen: map[string]bool{}}
	for _, n := range stmt.Options {
		if err := r.option(n.GetDefElem(), stmt.IsFrom); err != nil {
			return err
		}
	}
	return r.finish(stmt.IsFrom)
}

func (r *reading) at(e *pgerror.Error, d *pg_query.DefElem) error {
	return e.WithPosition(parse.Position(r.text, int(d.Location)))
}

func (r *reading) option(e *pg_query.DefElem, from bool) error {
	if r.seen[e.Defname] {
		return r.at(pgerror.New(pgerror.SyntaxError, "conflicting or redundant options"), e)
	}
	r.seen[e.Defname] = true
	text := func() *string { s := argText(e); return &s }
	var err error
	switch e.Defname {
	case "format":
		switch argText(e) {
		case "text":
		case "csv":
			r.o.format = formatCSV
		case "binary":
			r.o.format = formatBinary
		default:
			return r.at(pgerror.Newf(pgerror.InvalidParameterValue, "COPY format \"%s\" not recognized", argText(e)), e)
		}
	case "freeze":
		r.o.freeze, err = argBool(e)
	case "delimiter":
		r.delim = text()
	case "null":
		r.null = text()
	case "header":
		if strings.EqualFold(argText(e), "match") {
			if !from {
				return pgerror.New(pgerror.FeatureNotSupported, "cannot use \"match\" with HEADER in COPY TO")
			}
			r.o.header, r.o.headerMatch = true, true
			return nil
		}
		if r.o.header, err = argBool(e); err != nil {
			return pgerror.New(pgerror.SyntaxError, "header requires a Boolean value or \"match\"")
		}
	case "quote":
		r.quote = text()
	case "escape":
		r.escape = text()
	case "force_quote":
		err = r.columns(e, &r.o.forceQuote)
	case "force_not_null":
		err = r.columns(e, &r.o.forceNot)
	case "force_null":
		err = r.columns(e, &r.o.forceNull)
	case "encoding":
		switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(argText(e))) {
		case "utf8", "unicode", "sqlascii":
		default:
			return pgerror.Unsupported("COPY in encoding \"%s\"", argText(e))
		}
	default:
		return r.at(pgerror.Newf(pgerror.SyntaxError, "option \"%s\" not recognized", e.Defname), e)
	}
	return err
}

func (r *reading) columns(e *pg_query.DefElem, s *columnSet) error {
	if e.Arg.GetAStar() != nil {
		s.all = true
		return nil
	}
	items := e.Arg.GetList().GetItems()
	if len(items) == 0 {
		return r.at(pgerror.Newf(pgerror.InvalidParameterValue, "argument to option \"%s\" must be a list of column names", e.Defname), e)
	}
	for _, n := range items {
		if n.GetAStar() != nil {
			s.all = true
			continue
		}
		s.names = append(s.names, n.GetString_().GetSval())
	}
	return nil
}

func argText(e *pg_query.DefElem) string {
	switch a := e.GetArg().GetNode().(type) {
	case *pg_query.Node_String_:
		return a.String_.Sval
	case *pg_query.Node_Boolean:
		if a.Boolean.Boolval {
			return "true"
		}
		return "false"
	case *pg_query.Node_Integer:
		if a.Integer.Ival == 1 {
			return "1"
		}
		return "0"
	case *pg_query.Node_TypeName:
		return a.TypeName.Names[len(a.TypeName.Names)-1].GetString_().GetSval()
	}
	return ""
}

func argBool(e *pg_query.DefElem) (bool, error) {
	if e.GetArg() == nil {
		return true, nil
	}
	switch strings.ToLower(argText(e)) {
	case "true", "on", "1":
		return true, nil
	case "false", "off", "0":
		return false, nil
	}
	return false, pgerror.Newf(pgerror.SyntaxError, "%s requires a Boolean value", e.Defname)
}

// finish fills in the defaults and checks the options against each other.
func (r *reading) finish(from bool) error {
	o, csv := r.o, r.o.format == formatCSV
	unsupported := func(format string, args ...any) error {
		return pgerror.Newf(pgerror.FeatureNotSupported, format, args...)
	}
	if o.format == formatBinary {
		if r.delim != nil {
			return pgerror.New(pgerror.SyntaxError, "cannot specify DELIMITER in BINARY mode")
		}
		if r.null != nil {
			return pgerror.New(pgerror.SyntaxError, "cannot specify NULL in BINARY mode")
		}
		if o.header {
			return unsupported("cannot specify HEADER in BINARY mode")
		}
	}
	o.delim, o.null, o.quote = '\t', `\N`, '"'
	if csv {
		o.delim, o.null = ',', ""
	}
	if r.delim != nil {
		if len(*r.delim) != 1 {
			return unsupported("COPY delimiter must be a single one-byte character")
		}
		o.delim = (*r.delim)[0]
	}
	if r.null != nil {
		o.null = *r.null
	}
	if o.delim == '\r' || o.delim == '\n' {
		return pgerror.New(pgerror.InvalidParameterValue, "COPY delimiter cannot be newline or carriage return")
	}
	if strings.ContainsAny(o.null, "\r\n") {
		return pgerror.New(pgerror.InvalidParameterValue, "COPY null representation cannot use newline or carriage return")
	}
	if !csv && strings.IndexByte(`\.abcdefghijklmnopqrstuvwxyz0123456789`, o.delim) >= 0 {
		return pgerror.Newf(pgerror.InvalidParameterValue, "COPY delimiter cannot be \"%c\"", o.delim)
	}
	if err := r.quoting(csv); err != nil {
		return err
	}
	for _, f := range []struct {
		set  *columnSet
		name string
		from bool
	}{{&o.forceQuote, "force quote", false}, {&o.forceNot, "force not null", true}, {&o.forceNull, "force null", true}} {
		if !f.set.given() {
			continue
		}
		if !csv {
			return unsupported("COPY %s available only in CSV mode", f.name)
		}
		if f.from != from {
			side := "FROM"
			if !f.from {
				side = "TO"
			}
			return unsupported("COPY %s only available using COPY %s", f.name, side)
		}
	}
	if strings.IndexByte(o.null, o.delim) >= 0 {
		return unsupported("COPY delimiter must not appear in the NULL specification")
	}
	if csv && o.null != "" && strings.IndexByte(o.null, o.quote) >= 0 {
		return unsupported("CSV quote character must not appear in the NULL specification")
	}
	return nil
}

func (r *reading) quoting(csv bool) error {
	o := r.o
	if !csv && r.quote != nil {
		return pgerror.New(pgerror.FeatureNotSupported, "COPY quote available only in CSV mode")
	}
	if !csv && r.escape != nil {
		return pgerror.New(pgerror.FeatureNotSupported, "COPY escape available only in CSV mode")
	}
	if r.quote != nil {
		if len(*r.quote) != 1 {
			return pgerror.New(pgerror.FeatureNotSupported, "COPY quote must be a single one-byte character")
		}
		o.quote = (*r.quote)[0]
	}
	if csv && o.delim == o.quote {
		return pgerror.New(pgerror.InvalidParameterValue, "COPY delimiter and quote must be different")
	}
	o.escape = o.quote
	if r.escape != nil {
		if len(*r.escape) != 1 {
			return pgerror.New(pgerror.FeatureNotSupported, "COPY escape must be a single one-byte character")
		}
		o.escape = (*r.escape)[0]
	}
	return nil
}
