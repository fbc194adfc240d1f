package query

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/relation"
)

// The stored form of an expression or query is JSON: a node is an object whose "k" is its Go name and whose other keys are
// its non-zero fields. Catalog columns of type pg_node_tree hold it (adbin, conbin, indexprs, indpred, ev_action).

// nodes lists every type that may stand behind an interface of this package.
var nodes = nodeTable(
	&Var{}, &Const{}, &Param{}, &FuncExpr{}, &OpExpr{}, &DistinctExpr{}, &NullIf{}, &ArrayOp{}, &BoolExpr{}, &NullTest{},
	&BooleanTest{}, &Case{}, &CaseArg{}, &Coalesce{}, &MinMax{}, &ArrayExpr{}, &RowExpr{}, &RowCompare{}, &Subscript{},
	&FieldSelect{}, &Relabel{}, &CoerceViaIO{}, &ArrayCoerce{}, &Collate{}, &Aggref{}, &WindowFunc{}, &Grouping{},
	&SubLink{}, &SubColumn{}, &SQLValue{}, &CurrentOf{}, &Default{}, &NextValue{}, &DomainCheck{}, &FromRef{}, &FromJoin{},
)

// descType is the type of the fields that the stored form leaves out: descriptors are found again by OID.
var descType = reflect.TypeFor[*relation.Desc]()

func nodeTable(protos ...any) map[string]reflect.Type {
	m := make(map[string]reflect.Type, len(protos))
	for _, p := range protos {
		t := reflect.TypeOf(p).Elem()
		m[t.Name()] = t
	}
	return m
}

// Marshal gives the stored form of an expression.
func Marshal(e Expr) string {
	b, err := json.Marshal(encode(reflect.ValueOf(&e).Elem()))
	if err != nil {
		panic(fmt.Sprintf("marshal of an expression: %v", err))
	}
	return string(b)
}

// MarshalQuery gives the stored form of a query.
func MarshalQuery(q *Query) string {
	b, err := json.Marshal(encode(reflect.ValueOf(q)))
	if err != nil {
		panic(fmt.Sprintf("marshal of a query: %v", err))
	}
	return pack(b)
}

// Queries longer than packAbove are stored compressed: packMark, then base64 of a deflate stream.
const (
	packAbove = 1000
	packMark  = "z:"
)

func pack(b []byte) string {
	if len(b) <= packAbove {
		return string(b)
	}
	var out bytes.Buffer
	out.WriteString(packMark)
	enc := base64.NewEncoder(base64.RawStdEncoding, &out)
	w, err := flate.NewWriter(enc, flate.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = errors.Join(w.Close(), enc.Close())
	}
	if err != nil {
		panic(fmt.Sprintf("compression of a query: %v", err)) // writing to memory does not fail
	}
	return out.String()
}

// maxUnpacked bounds what a stored query may be unpacked to.
const maxUnpacked = 64 << 20

func unpack(s string) (string, error) {
	if !strings.HasPrefix(s, packMark) {
		return s, nil
	}
	r := flate.NewReader(base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(s[len(packMark):])))
	b, err := io.ReadAll(io.LimitReader(r, maxUnpacked))
	if err != nil {
		return "", pgerror.Corrupt("stored query is not readable: %v", err)
	}
	return string(b), nil
}

// Unmarshal is the inverse of Marshal. Bytes that Marshal did not write give XX001.
func Unmarshal(s string) (Expr, error) {
	var e Expr
	if err := unmarshal(s, reflect.ValueOf(&e).Elem()); err != nil {
		return nil, err
	}
	return e, nil
}

// UnmarshalQuery is the inverse of MarshalQuery.
func UnmarshalQuery(s string) (*Query, error) {
	var q *Query
	s, err := unpack(s)
	if err != nil {
		return nil, err
	}
	if err := unmarshal(s, reflect.ValueOf(&q).Elem()); err != nil {
		return nil, err
	}
	return q, nil
}

func unmarshal(s string, into reflect.Value) error {
	var raw any
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	if err := dec.Decode(&raw); err != nil {
		return pgerror.Corrupt("stored expression is not readable: %v", err)
	}
	if err := decode(raw, into); err != nil {
		return pgerror.Corrupt("stored expression is not readable: %v", err)
	}
	return nil
}

func encode(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		p := v.Elem()
		m := encode(p).(map[string]any)
		m["k"] = p.Elem().Type().Name()
		return m
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return encode(v.Elem())
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && f.Type() != descType {
				m[v.Type().Field(i).Name] = encode(f)
			}
		}
		return m
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
		l := make([]any, v.Len())
		for i := range l {
			l[i] = encode(v.Index(i))
		}
		return l
	default:
		return v.Interface()
	}
}

func decode(raw any, into reflect.Value) error {
	if raw == nil {
		return nil
	}
	switch into.Kind() {
	case reflect.Interface:
		m, ok := raw.(map[string]any)
		if !ok {
			return fmt.Errorf("a node is not an object")
		}
		name, _ := m["k"].(string)
		t, ok := nodes[name]
		if !ok {
			return fmt.Errorf("unknown node %q", name)
		}
		p := reflect.New(t)
		if !p.Type().Implements(into.Type()) {
			return fmt.Errorf("node %q does not belong here", name)
		}
		into.Set(p)
		return decode(raw, p.Elem())
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return decode(raw, into.Elem())
	case reflect.Struct:
		m, ok := raw.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is not an object", into.Type())
		}
		for i := range into.NumField() {
			if f, ok := m[into.Type().Field(i).Name]; ok {
				if err := decode(f, into.Field(i)); err != nil {
					return err
				}
			}
		}
		return nil
	case reflect.Slice, reflect.Array:
		return decodeList(raw, into)
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into.Addr().Interface())
}

func decodeList(raw any, into reflect.Value) error {
	if into.Type().Elem().Kind() == reflect.Uint8 {
		b, err := json.Marshal(raw)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, into.Addr().Interface())
	}
	l, ok := raw.([]any)
	if !ok {
		return fmt.Errorf("%s is not a list", into.Type())
	}
	if into.Kind() == reflect.Slice {
		into.Set(reflect.MakeSlice(into.Type(), len(l), len(l)))
	} else if into.Len() != len(l) {
		return fmt.Errorf("%s has %d elements", into.Type(), len(l))
	}
	for i := range l {
		if err := decode(l[i], into.Index(i)); err != nil {
			return err
		}
	}
	return nil
}
