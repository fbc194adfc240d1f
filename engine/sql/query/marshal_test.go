package query

import (
	"reflect"
	"testing"

	"manifold/engine/types"
)

func TestMarshalRoundTrip(t *testing.T) {
	e := Expr(&BoolExpr{T: T{Typ: types.OIDBool, Mod: -1}, Op: Or, Args: []Expr{
		&OpExpr{T: T{Typ: types.OIDBool, Mod: -1}, Op: 96, Func: 65, Strict: true, Volatile: 'i', Args: []Expr{
			&Var{T: T{Typ: types.OIDInt4, Mod: -1}, RTE: 1, Attr: 2},
			&Const{T: T{Typ: types.OIDInt4, Mod: -1}, Value: types.Int(-1 << 62), Slot: -1}}},
		&NullTest{T: T{Typ: types.OIDBool}, Arg: &Const{T: T{Typ: types.OIDText}, Value: types.Text("a\x00b"), Slot: -1}},
		&DistinctExpr{OpExpr: OpExpr{Op: 5, Args: []Expr{&CaseArg{}}}, Not: true},
	}})
	got, err := Unmarshal(Marshal(e))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(e, got) {
		t.Fatalf("got %#v", got)
	}
	if _, err := Unmarshal(`{"k":"FromRef"}`); err == nil {
		t.Fatal("a FROM item was taken for an expression")
	}
	if _, err := Unmarshal(`{"k":"Nope"}`); err == nil {
		t.Fatal("an unknown node was accepted")
	}
}

func TestMutateLeavesTheInputAlone(t *testing.T) {
	in := &FuncExpr{Func: 1, Args: []Expr{&Var{RTE: 1, Attr: 1}}}
	out := Mutate(in, func(e Expr) (Expr, bool) {
		if v, ok := e.(*Var); ok {
			c := *v
			c.Attr = 9
			return &c, true
		}
		return nil, false
	}).(*FuncExpr)
	if in.Args[0].(*Var).Attr != 1 || out.Args[0].(*Var).Attr != 9 {
		t.Fatal("the input was changed")
	}
}

func TestMarshalQueryPacksWhatIsLong(t *testing.T) {
	q := &Query{}
	for i := range 200 {
		q.Targets = append(q.Targets, &Target{Name: "a name", Expr: &Var{T: T{Typ: types.OIDInt4, Mod: -1}, RTE: 1, Attr: i + 1}})
	}
	stored := MarshalQuery(q)
	if len(stored) > 4000 {
		t.Fatalf("%d bytes", len(stored))
	}
	got, err := UnmarshalQuery(stored)
	if err != nil || !reflect.DeepEqual(q, got) {
		t.Fatalf("%v", err)
	}
	if _, err := UnmarshalQuery("z:!"); err == nil {
		t.Fatal("garbage was read")
	}
}

func TestMarshalWindows(t *testing.T) {
	q := &Query{HasWindows: true, Windows: []*Window{
		{Name: "w", Partition: []*SortItem{{Ref: 1, EqOp: 96, SortOp: 97}}, Frame: FrameDefault},
		{Base: "w", Order: []*SortItem{{Ref: 2, EqOp: 96, SortOp: 521, Descending: true, NullsFirst: true}}, Frame: FrameNonDefault | FrameRange |
			FrameStartOffsetPreceding | FrameEndCurrentRow | FrameBetween | FrameExcludeTies, StartInRange: 4128,
			Start: &Const{T: T{Typ: types.OIDInt4, Mod: -1}, Value: types.Int(3), Slot: -1}},
	}, Targets: []*Target{{Name: "n", Expr: &WindowFunc{T: T{Typ: types.OIDInt8, Mod: -1}, Func: 2803, Star: true, Agg: true, Window: 2,
		Filter: &Var{T: T{Typ: types.OIDBool, Mod: -1}, RTE: 1, Attr: 1}}}}}
	got, err := UnmarshalQuery(MarshalQuery(q))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(q, got) {
		t.Fatalf("got %#v", got)
	}
}
