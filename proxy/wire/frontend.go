package wire

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// The kinds of messages that a client sends.
const (
	KindQuery     = 'Q'
	KindParse     = 'P'
	KindBind      = 'B'
	KindDescribe  = 'D'
	KindExecute   = 'E'
	KindClose     = 'C'
	KindFlush     = 'H'
	KindSync      = 'S'
	KindTerminate = 'X'
	KindFunction  = 'F'
	KindPassword  = 'p'
	KindCopyData  = 'd'
	KindCopyDone  = 'c'
	KindCopyFail  = 'f'
)

// The codes that stand in a startup packet where the protocol's version is expected.
const (
	CodeCancel = 80877102
	CodeSSL    = 80877103
	CodeGSS    = 80877104
	Version3   = 3 << 16
)

// Query is a simple query. Decode keeps the last text, so that a repeated statement costs no copy.
type Query struct{ Text string }

// Decode reads the message.
func (q *Query) Decode(b []byte) error {
	m := body{b: b}
	q.Text = m.text(q.Text)
	return m.end()
}

// Parse asks to prepare a statement.
type Parse struct {
	Name   string
	Text   string
	Params []base.OID
}

// Decode reads the message. Params is not written to again.
func (p *Parse) Decode(b []byte) error {
	m := body{b: b}
	p.Name = m.text(p.Name)
	p.Text = m.text(p.Text)
	p.Params = m.oids(p.Params)
	return m.end()
}

// Bind asks to make a portal. A nil parameter is NULL.
type Bind struct {
	Portal        string
	Statement     string
	ParamFormats  []int16
	Params        [][]byte
	ResultFormats []int16
}

// Decode reads the message. The formats are not written to again; Params lives until the next Decode, its bytes as long as b.
func (p *Bind) Decode(b []byte) error {
	m := body{b: b}
	p.Portal = m.text(p.Portal)
	p.Statement = m.text(p.Statement)
	p.ParamFormats = m.int16s(p.ParamFormats)
	p.Params = p.Params[:0]
	for n := m.count(4); n > 0 && m.err == nil; n-- {
		size := m.int32()
		if size == -1 {
			p.Params = append(p.Params, nil)
			continue
		}
		v := m.bytes(int(size))
		if v == nil {
			v = []byte{}
		}
		p.Params = append(p.Params, v)
	}
	p.ResultFormats = m.int16s(p.ResultFormats)
	if err := m.end(); err != nil {
		return err
	}
	return p.check()
}

// check refuses formats that are none and text that is no text.
func (p *Bind) check() error {
	nf, np := len(p.ParamFormats), len(p.Params)
	if nf > 1 && nf != np {
		return pgerror.Newf(pgerror.ProtocolViolation, "bind message has %d parameter formats but %d parameters", nf, np)
	}
	for _, list := range [2][]int16{p.ParamFormats, p.ResultFormats} {
		for _, f := range list {
			if f != 0 && f != 1 {
				return pgerror.Newf(pgerror.InvalidParameterValue, "unsupported format code: %d", f)
			}
		}
	}
	for i, v := range p.Params {
		if nf == 0 || nf == 1 && p.ParamFormats[0] == 0 || nf > 1 && p.ParamFormats[i] == 0 {
			if err := CheckText(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// Target names a statement ('S') or a portal ('P'): the message is Describe or Close, as what says.
type Target struct {
	Kind byte
	Name string
}

// Decode reads the message; what is "DESCRIBE" or "CLOSE", for the error.
func (t *Target) Decode(b []byte, what string) error {
	m := body{b: b}
	t.Kind = m.byte()
	t.Name = m.text(t.Name)
	if err := m.end(); err != nil {
		return err
	}
	if t.Kind != 'S' && t.Kind != 'P' {
		return pgerror.Newf(pgerror.ProtocolViolation, "invalid %s message subtype %d", what, t.Kind)
	}
	return nil
}

// Execute asks to run a portal for at most MaxRows rows; zero or less is all.
type Execute struct {
	Portal  string
	MaxRows int32
}

// Decode reads the message.
func (e *Execute) Decode(b []byte) error {
	m := body{b: b}
	e.Portal = m.text(e.Portal)
	e.MaxRows = m.int32()
	return m.end()
}

// DecodeEmpty checks a message without fields.
func DecodeEmpty(b []byte) error {
	m := body{b: b}
	return m.end()
}

// DecodeCopyFail gives the client's reason.
func DecodeCopyFail(b []byte) (string, error) {
	m := body{b: b}
	s := m.text("")
	return s, m.end()
}

// Startup is the parameters of a startup packet. Options are those of the protocol itself (_pq_.) that we do not know.
type Startup struct {
	Minor   int
	Params  map[string]string
	Order   []string // the names of Params as they came
	Options []string
}

// DecodeStartup reads the packet after its code.
func DecodeStartup(code uint32, b []byte) (Startup, error) {
	st := Startup{Minor: int(code & 0xFFFF), Params: map[string]string{}}
	m := body{b: b}
	for m.err == nil && len(m.b) > 0 && m.b[0] != 0 {
		name := m.text("")
		value := m.text("")
		if len(name) > 5 && name[:5] == "_pq_." {
			st.Options = append(st.Options, name)
			continue
		}
		if _, ok := st.Params[name]; !ok {
			st.Order = append(st.Order, name)
		}
		st.Params[name] = value
	}
	if len(m.b) != 1 || m.err != nil {
		return st, fatal("invalid startup packet layout: expected terminator as last byte")
	}
	return st, nil
}

// DecodeCancel reads a cancel request after its code.
func DecodeCancel(b []byte) (pid, secret uint32, err error) {
	m := body{b: b}
	pid, secret = uint32(m.int32()), uint32(m.int32())
	return pid, secret, m.end()
}

// SASLInitial is the first message of a SASL exchange.
type SASLInitial struct {
	Mechanism string
	Data      []byte // nil: none
}

// DecodeSASLInitial reads the message; Data aliases b.
func DecodeSASLInitial(b []byte) (SASLInitial, error) {
	m := body{b: b}
	var s SASLInitial
	s.Mechanism = m.text("")
	if n := m.int32(); n != -1 {
		s.Data = m.bytes(int(n))
	}
	return s, m.end()
}
