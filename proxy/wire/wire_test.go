package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func encoded(t testing.TB, msgs ...pgproto3.FrontendMessage) []byte {
	t.Helper()
	var b []byte
	for _, m := range msgs {
		var err error
		if b, err = m.Encode(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestReader cuts messages whatever the pieces are in which they arrive.
func TestReader(t *testing.T) {
	stream := encoded(t, &pgproto3.Query{String: "select 1"}, &pgproto3.Sync{}, &pgproto3.CopyData{Data: bytes.Repeat([]byte("x"), 3<<20)},
		&pgproto3.Terminate{})
	for name, src := range map[string]io.Reader{"whole": bytes.NewReader(stream), "halves": iotest.HalfReader(bytes.NewReader(stream)),
		"bytes": iotest.OneByteReader(bytes.NewReader(stream)), "early EOF": iotest.DataErrReader(bytes.NewReader(stream))} {
		r := NewReader(src)
		r.Trust()
		got := ""
		for {
			kind, body, err := r.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(name, err)
				}
				break
			}
			got += string(kind)
			if kind == 'd' && len(body) != 3<<20 {
				t.Error(name, len(body))
			}
		}
		if got != "QSdX" {
			t.Errorf("%s: %s", name, got)
		}
		if cap(r.buf) > keepRead {
			t.Errorf("%s: %d bytes kept", name, cap(r.buf))
		}
	}
}

// TestClaimedLength: a length alone costs no memory.
func TestClaimedLength(t *testing.T) {
	r := NewReader(bytes.NewReader(append([]byte{'d', 0x3F, 0xFF, 0xFF, 0xF0}, make([]byte, 100)...)))
	r.Trust()
	if _, _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if cap(r.buf) > 2*growStep {
		t.Errorf("%d bytes taken", cap(r.buf))
	}
	for _, head := range [][]byte{{'Q', 0, 0, 0, 3}, {'Q', 0x7F, 0xFF, 0xFF, 0xFF}, {'S', 0, 1, 0, 0}, {0, 0, 0, 0, 4}} {
		r := NewReader(bytes.NewReader(head))
		r.Trust()
		if _, _, err := r.Next(); pgerror.Code(err) != pgerror.ProtocolViolation {
			t.Errorf("%v: %v", head, err)
		}
	}
	r = NewReader(bytes.NewReader([]byte{'p', 0, 0, 0x50, 0}))
	if _, _, err := r.Next(); pgerror.Code(err) != pgerror.ProtocolViolation {
		t.Error("a large message before authentication")
	}
}

func TestDecodersAgreeWithPgproto3(t *testing.T) {
	var p Parse
	if err := p.Decode(encoded(t, &pgproto3.Parse{Name: "n", Query: "q", ParameterOIDs: []uint32{23, 25}})[5:]); err != nil {
		t.Fatal(err)
	}
	if want := (Parse{"n", "q", []base.OID{23, 25}}); !reflect.DeepEqual(p, want) {
		t.Errorf("%+v", p)
	}
	var b Bind
	in := pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{0, 1, 0},
		Parameters: [][]byte{[]byte("a"), {}, nil}, ResultFormatCodes: []int16{1}}
	if err := b.Decode(encoded(t, &in)[5:]); err != nil {
		t.Fatal(err)
	}
	if want := (Bind{"p", "s", []int16{0, 1, 0}, [][]byte{[]byte("a"), {}, nil}, []int16{1}}); !reflect.DeepEqual(b, want) {
		t.Errorf("%+v", b)
	}
	formats := b.ResultFormats
	in.ResultFormatCodes = []int16{0}
	if err := b.Decode(encoded(t, &in)[5:]); err != nil || formats[0] != 1 {
		t.Error("a list that was given out changed", err)
	}
	in.ParameterFormatCodes = []int16{0, 1}
	if err := b.Decode(encoded(t, &in)[5:]); err == nil || err.(*pgerror.Error).Message != "bind message has 2 parameter formats but 3 parameters" {
		t.Error(err)
	}
	var e Execute
	if err := e.Decode(encoded(t, &pgproto3.Execute{Portal: "x", MaxRows: 7})[5:]); err != nil || e != (Execute{"x", 7}) {
		t.Error(e, err)
	}
	var d Target
	if err := d.Decode(encoded(t, &pgproto3.Describe{ObjectType: 'S', Name: "x"})[5:], "DESCRIBE"); err != nil || d != (Target{'S', "x"}) {
		t.Error(d, err)
	}
	s, err := DecodeSASLInitial(encoded(t, &pgproto3.SASLInitialResponse{AuthMechanism: "M", Data: []byte("d")})[5:])
	if err != nil || s.Mechanism != "M" || string(s.Data) != "d" {
		t.Error(s, err)
	}
}

// TestWriterAgreesWithPgproto3 decodes everything that a server sends.
func TestWriterAgreesWithPgproto3(t *testing.T) {
	var w Writer
	cols := []plan.ResultColumn{{Name: "a", Type: types.OIDInt4, Typmod: -1, Table: 9, Attr: 2}, {Name: "b", Type: types.OIDText, Typmod: 5}}
	batch := vector.Batch{Cols: make([]vector.Vector, 2), N: 2}
	batch.Cols[0].Reset(false, 2)
	batch.Cols[1].Reset(true, 2)
	batch.Cols[0].Fixed[1] = -2
	batch.Cols[1].SetBytes(1, []byte("xyz"))
	batch.Cols[1].SetNull(0)
	w.RowDescription(cols, []int16{1, 0})
	for i := range 2 {
		if err := w.Row(cols, []int16{1, 0}, &batch, i, types.NewEnv()); err != nil {
			t.Fatal(err)
		}
	}
	w.Error(pgerror.New("42601", "mes\x00sage").WithDetail("d").WithHint("h").WithPosition(4).WithWhere("w").WithTable("s", "t").
		WithColumn("c").WithDataType("y").WithConstraint("n"))
	w.Notice(pgerror.Notice(pgerror.SeverityWarning, "01000", "careful"))
	w.CommandComplete("SELECT 2")
	w.ParameterDescription([]base.OID{23})
	w.ParameterStatus("a", "b")
	w.BackendKeyData(1, 2)
	w.CopyInResponse(true, 2)
	w.CopyData([]byte("row"))
	w.Notification(7, "chan", "load")
	w.AuthenticationSASL("M1")
	w.ReadyForQuery('T')
	f := pgproto3.NewFrontend(bytes.NewReader(w.Buf), io.Discard)
	want := []pgproto3.BackendMessage{
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{
			{Name: []byte("a"), TableOID: 9, TableAttributeNumber: 2, DataTypeOID: 23, DataTypeSize: 4, TypeModifier: -1, Format: 1},
			{Name: []byte("b"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: 5}}},
		&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 0}, nil}},
		&pgproto3.DataRow{Values: [][]byte{{0xFF, 0xFF, 0xFF, 0xFE}, []byte("xyz")}},
		&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42601", Message: "message", Detail: "d", Hint: "h",
			Position: 4, Where: "w", SchemaName: "s", TableName: "t", ColumnName: "c", DataTypeName: "y", ConstraintName: "n"},
		&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: "01000", Message: "careful"},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 2")},
		&pgproto3.ParameterDescription{ParameterOIDs: []uint32{23}},
		&pgproto3.ParameterStatus{Name: "a", Value: "b"},
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}},
		&pgproto3.CopyInResponse{OverallFormat: 1, ColumnFormatCodes: []uint16{1, 1}},
		&pgproto3.CopyData{Data: []byte("row")},
		&pgproto3.NotificationResponse{PID: 7, Channel: "chan", Payload: "load"},
		&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"M1"}},
		&pgproto3.ReadyForQuery{TxStatus: 'T'},
	}
	for _, x := range want {
		got, err := f.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, x) {
			t.Errorf("got %+v\nwant %+v", got, x)
		}
	}
}

func TestRowsAllocateNothing(t *testing.T) {
	cols := []plan.ResultColumn{{Type: types.OIDInt8}, {Type: types.OIDText}, {Type: types.OIDFloat8}}
	batch := vector.Batch{Cols: make([]vector.Vector, 3), N: 1}
	batch.Cols[0].Reset(false, 1)
	batch.Cols[0].Fixed[0] = math.MinInt64
	batch.Cols[1].Reset(true, 1)
	batch.Cols[1].SetBytes(0, []byte("some text"))
	batch.Cols[2].Reset(false, 1)
	env := types.NewEnv()
	w := Writer{Buf: make([]byte, 0, 1024)}
	if n := testing.AllocsPerRun(100, func() {
		w.Clear()
		if err := w.Row(cols, nil, &batch, 0, env); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(encoded(f, &pgproto3.Query{String: "x"}, &pgproto3.Sync{}))
	f.Add([]byte{'B', 0, 0, 0, 12, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data))
		r.Trust()
		for {
			if _, _, err := r.Next(); err != nil {
				break
			}
		}
		if len(r.buf) > len(data)+2*growStep {
			t.Errorf("%d bytes taken for %d", len(r.buf), len(data))
		}
		r = NewReader(bytes.NewReader(data))
		if code, body, err := r.Startup(); err == nil {
			_, _ = DecodeStartup(code, body)
			_, _, _ = DecodeCancel(body)
		}
	})
}

func FuzzDecoders(f *testing.F) {
	f.Add(encoded(f, &pgproto3.Bind{Parameters: [][]byte{nil, []byte("a")}, ResultFormatCodes: []int16{1}})[5:])
	f.Add(encoded(f, &pgproto3.Parse{Query: "select 1", ParameterOIDs: []uint32{1}})[5:])
	f.Fuzz(func(t *testing.T, data []byte) {
		var q Query
		var p Parse
		var b Bind
		var d Target
		var e Execute
		for _, err := range []error{q.Decode(data), p.Decode(data), b.Decode(data), d.Decode(data, "CLOSE"), e.Decode(data), DecodeEmpty(data)} {
			if _, ok := err.(*pgerror.Error); err != nil && !ok {
				t.Errorf("%T", err)
			}
		}
		if b.Decode(data) == nil {
			in := pgproto3.Bind{}
			if err := in.Decode(data); err != nil {
				t.Errorf("pgproto3 refuses what we take: %v", err)
			}
		}
		_, _ = DecodeCopyFail(data)
		_, _ = DecodeSASLInitial(data)
	})
}
