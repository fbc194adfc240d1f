package wire

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Writer encodes messages behind each other into Buf, which its owner sends and empties.
type Writer struct{ Buf []byte }

// Len gives the number of bytes not sent.
func (w *Writer) Len() int { return len(w.Buf) }

// Clear forgets what was sent, and a buffer that one large answer made large.
func (w *Writer) Clear() {
	if cap(w.Buf) > 2*KeepWrite {
		w.Buf = nil
	}
	w.Buf = w.Buf[:0]
}

func (w *Writer) begin(kind byte) int {
	w.Buf = append(w.Buf, kind, 0, 0, 0, 0)
	return len(w.Buf) - 4
}

func (w *Writer) end(mark int) { binary.BigEndian.PutUint32(w.Buf[mark:], uint32(len(w.Buf)-mark)) }

func (w *Writer) int16(v int) { w.Buf = binary.BigEndian.AppendUint16(w.Buf, uint16(v)) }

func (w *Writer) int32(v uint32) { w.Buf = binary.BigEndian.AppendUint32(w.Buf, v) }

func (w *Writer) cstring(s string) { w.Buf = append(append(w.Buf, s...), 0) }

// empty appends a message without fields.
func (w *Writer) empty(kind byte) { w.Buf = append(w.Buf, kind, 0, 0, 0, 4) }

// Byte appends one bare byte, the answer to SSLRequest and GSSENCRequest.
func (w *Writer) Byte(b byte) { w.Buf = append(w.Buf, b) }

// AuthenticationOk ends authentication.
func (w *Writer) AuthenticationOk() { w.authentication(0, nil) }

// AuthenticationSASL offers mechanisms.
func (w *Writer) AuthenticationSASL(mechanisms ...string) {
	m := w.begin('R')
	w.int32(10)
	for _, s := range mechanisms {
		w.cstring(s)
	}
	w.Buf = append(w.Buf, 0)
	w.end(m)
}

// AuthenticationSASLContinue carries a challenge.
func (w *Writer) AuthenticationSASLContinue(data []byte) { w.authentication(11, data) }

// AuthenticationSASLFinal carries the outcome.
func (w *Writer) AuthenticationSASLFinal(data []byte) { w.authentication(12, data) }

func (w *Writer) authentication(code uint32, data []byte) {
	m := w.begin('R')
	w.int32(code)
	w.Buf = append(w.Buf, data...)
	w.end(m)
}

// NegotiateProtocolVersion tells that only protocol 3.0 is spoken and which options are not known.
func (w *Writer) NegotiateProtocolVersion(options []string) {
	m := w.begin('v')
	w.int32(Version3)
	w.int32(uint32(len(options)))
	for _, o := range options {
		w.cstring(o)
	}
	w.end(m)
}

// BackendKeyData tells the client how to cancel.
func (w *Writer) BackendKeyData(pid, secret uint32) {
	m := w.begin('K')
	w.int32(pid)
	w.int32(secret)
	w.end(m)
}

// ParameterStatus reports a setting.
func (w *Writer) ParameterStatus(name, value string) {
	m := w.begin('S')
	w.cstring(name)
	w.cstring(value)
	w.end(m)
}

// ReadyForQuery tells the state of the transaction: 'I', 'T' or 'E'.
func (w *Writer) ReadyForQuery(status byte) { w.Buf = append(w.Buf, 'Z', 0, 0, 0, 5, status) }

// Messages without fields.
func (w *Writer) ParseComplete()      { w.empty('1') }
func (w *Writer) BindComplete()       { w.empty('2') }
func (w *Writer) CloseComplete()      { w.empty('3') }
func (w *Writer) NoData()             { w.empty('n') }
func (w *Writer) PortalSuspended()    { w.empty('s') }
func (w *Writer) EmptyQueryResponse() { w.empty('I') }
func (w *Writer) CopyDone()           { w.empty('c') }

// CommandComplete ends a statement.
func (w *Writer) CommandComplete(tag string) {
	m := w.begin('C')
	w.cstring(tag)
	w.end(m)
}

// ParameterDescription tells the types of a statement's parameters.
func (w *Writer) ParameterDescription(params []base.OID) {
	m := w.begin('t')
	w.int16(len(params))
	for _, p := range params {
		w.int32(uint32(p))
	}
	w.end(m)
}

// RowDescription tells the columns of rows to come; formats has an entry for each, or is empty for text.
func (w *Writer) RowDescription(cols []plan.ResultColumn, formats []int16) {
	m := w.begin('T')
	w.int16(len(cols))
	for i := range cols {
		c := &cols[i]
		w.cstring(c.Name)
		w.int32(uint32(c.Table))
		w.int16(c.Attr)
		w.int32(uint32(c.Type))
		w.int16(typeLen(c.Type))
		w.int32(uint32(c.Typmod))
		w.int16(int(format(formats, i)))
	}
	w.end(m)
}

func typeLen(typ base.OID) int {
	if info, ok := types.Lookup(typ); ok {
		return int(info.Typlen)
	}
	return -1
}

// format gives the format of a column: none means text, one is for all.
func format(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return 0
	case len(formats) == 1:
		return formats[0]
	}
	return formats[i]
}

// Row appends a DataRow of one lane of a batch. After an error nothing was appended.
func (w *Writer) Row(cols []plan.ResultColumn, formats []int16, b *vector.Batch, lane int, env *types.Env) error {
	m := w.begin('D')
	w.int16(len(cols))
	for i := range cols {
		v := &b.Cols[i]
		if v.IsNull(lane) {
			w.Buf = append(w.Buf, 0xFF, 0xFF, 0xFF, 0xFF)
			continue
		}
		mark := len(w.Buf)
		w.Buf = append(w.Buf, 0, 0, 0, 0)
		if format(formats, i) == 0 {
			w.Buf = types.AppendText(w.Buf, cols[i].Type, v.Get(lane), env)
		} else {
			buf, err := types.AppendBinary(w.Buf, cols[i].Type, v.Get(lane), env)
			if err != nil {
				w.Buf = w.Buf[:m-1]
				return err
			}
			w.Buf = buf
		}
		binary.BigEndian.PutUint32(w.Buf[mark:], uint32(len(w.Buf)-mark-4))
	}
	if size := len(w.Buf) - m; size > MaxMessage {
		w.Buf = w.Buf[:m-1]
		return pgerror.Newf(pgerror.ProgramLimitExceeded, "out of memory").
			WithDetail("A row of %d bytes is larger than a message can be.", size)
	}
	w.end(m)
	return nil
}

// Error appends an ErrorResponse.
func (w *Writer) Error(e *pgerror.Error) { w.report('E', e) }

// Notice appends a NoticeResponse.
func (w *Writer) Notice(e *pgerror.Error) { w.report('N', e) }

// reportRest is room for what a report says beside its texts, as a rule.
const reportRest = 400

func (w *Writer) report(kind byte, e *pgerror.Error) {
	w.Buf = slices.Grow(w.Buf, reportRest+len(e.Message)+len(e.Detail)+len(e.Hint)+len(e.Where))
	m := w.begin(kind)
	w.field('S', string(e.Severity))
	w.field('V', string(e.Severity))
	w.field('C', e.Code)
	w.field('M', e.Message)
	w.optional('D', e.Detail)
	w.optional('H', e.Hint)
	if e.Position > 0 {
		w.Buf = strconv.AppendInt(append(w.Buf, 'P'), int64(e.Position), 10)
		w.Buf = append(w.Buf, 0)
	}
	w.optional('W', e.Where)
	w.optional('s', e.Schema)
	w.optional('t', e.Table)
	w.optional('c', e.Column)
	w.optional('d', e.DataType)
	w.optional('n', e.Constraint)
	w.Buf = append(w.Buf, 0)
	w.end(m)
}

// field appends a field of a report; a zero byte inside would end it early and is left out.
func (w *Writer) field(code byte, s string) {
	w.Buf = append(w.Buf, code)
	w.cstring(strings.ReplaceAll(s, "\x00", ""))
}

func (w *Writer) optional(code byte, s string) {
	if s != "" {
		w.field(code, s)
	}
}

// CopyInResponse asks for the data of COPY FROM STDIN.
func (w *Writer) CopyInResponse(binary bool, columns int) { w.copyResponse('G', binary, columns) }

// CopyOutResponse announces the data of COPY TO STDOUT.
func (w *Writer) CopyOutResponse(binary bool, columns int) { w.copyResponse('H', binary, columns) }

func (w *Writer) copyResponse(kind byte, binary bool, columns int) {
	f := 0
	if binary {
		f = 1
	}
	m := w.begin(kind)
	w.Buf = append(w.Buf, byte(f))
	w.int16(columns)
	for range columns {
		w.int16(f)
	}
	w.end(m)
}

// CopyData carries a row of COPY TO STDOUT.
func (w *Writer) CopyData(row []byte) {
	m := w.begin('d')
	w.Buf = append(w.Buf, row...)
	w.end(m)
}

// Notification delivers NOTIFY.
func (w *Writer) Notification(pid uint32, channel, payload string) {
	m := w.begin('A')
	w.int32(pid)
	w.cstring(channel)
	w.cstring(payload)
	w.end(m)
}
