package catalog

import (
	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/types"
)

type typeTable struct {
	byOID  map[base.OID]*Type
	byName map[string][]*Type
	enums  map[base.OID][]EnumLabel
}

// EnumLabel is a row of pg_enum.
type EnumLabel struct {
	OID   base.OID
	Order float64
	Label string
}

type procTable struct {
	byOID      map[base.OID]*Proc
	byName     map[string][]*Proc
	aggregates map[base.OID]*Aggregate
}

type castKey struct{ source, target base.OID }

type operatorTable struct {
	byOID     map[base.OID]*Operator
	byName    map[string][]*Operator
	casts     map[castKey]*Cast
	classes   map[base.OID]*Opclass
	classList []*Opclass
	amops     map[base.OID][]Amop // by operator
	families  map[base.OID][]Amop // by family
	support   map[supportKey]base.OID
}

type supportKey struct {
	family, left, right base.OID
	number              int
}

func (v *View) typeTable() (*typeTable, error) {
	return install(v.cache, GroupTypes, &v.cache.types, func() (*typeTable, error) {
		t := &typeTable{byOID: map[base.OID]*Type{}, byName: map[string][]*Type{}}
		err := v.Scan(bootstrap.RelType, 0, nil, func(_ base.TID, r Row) error {
			x := typeFromRow(r)
			t.byOID[x.OID] = x
			t.byName[x.Name] = append(t.byName[x.Name], x)
			return nil
		})
		return t, err
	})
}

func typeFromRow(r Row) *Type {
	x := &Type{
		OID: r.OID(bootstrap.ColTypeOid), Name: r.Text(bootstrap.ColTypeTypname), Namespace: r.OID(bootstrap.ColTypeTypnamespace),
		Owner: r.OID(bootstrap.ColTypeTypowner), Kind: r.Byte(bootstrap.ColTypeTyptype),
		Category: r.Byte(bootstrap.ColTypeTypcategory), Preferred: r.Bool(bootstrap.ColTypeTypispreferred),
		Defined: r.Bool(bootstrap.ColTypeTypisdefined), Delim: r.Byte(bootstrap.ColTypeTypdelim),
		RelID: r.OID(bootstrap.ColTypeTyprelid), Elem: r.OID(bootstrap.ColTypeTypelem), Array: r.OID(bootstrap.ColTypeTyparray),
		Subscript: r.OID(bootstrap.ColTypeTypsubscript), Input: r.OID(bootstrap.ColTypeTypinput),
		Output: r.OID(bootstrap.ColTypeTypoutput), Receive: r.OID(bootstrap.ColTypeTypreceive),
		Send: r.OID(bootstrap.ColTypeTypsend), TypmodIn: r.OID(bootstrap.ColTypeTypmodin),
		Base: r.OID(bootstrap.ColTypeTypbasetype), Typmod: int32(r.Int(bootstrap.ColTypeTyptypmod)),
		NotNull: r.Bool(bootstrap.ColTypeTypnotnull), Storage: r.Byte(bootstrap.ColTypeTypstorage),
		Collation: r.OID(bootstrap.ColTypeTypcollation),
	}
	x.Len = datumLen(x.OID, r)
	return x
}

// datumLen gives the width in a Datum: that of the built-in type, else what the row says of a type passed by value.
func datumLen(oid base.OID, r Row) int16 {
	if oid < base.FirstNormalOID {
		if _, ok := types.Lookup(oid); ok {
			return types.Len(oid)
		}
	}
	if n := r.Int(bootstrap.ColTypeTyplen); r.Bool(bootstrap.ColTypeTypbyval) && n > 0 {
		return int16(n)
	}
	return -1
}

func (v *View) procTable() (*procTable, error) {
	return install(v.cache, GroupProcs, &v.cache.procs, func() (*procTable, error) {
		t := &procTable{byOID: map[base.OID]*Proc{}, byName: map[string][]*Proc{}, aggregates: map[base.OID]*Aggregate{}}
		err := v.Scan(bootstrap.RelProc, 0, nil, func(_ base.TID, r Row) error {
			p := procFromRow(r)
			t.byOID[p.OID] = p
			t.byName[p.Name] = append(t.byName[p.Name], p)
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = v.Scan(bootstrap.RelAggregate, 0, nil, func(_ base.TID, r Row) error {
			a := &Aggregate{
				Func: r.OID(bootstrap.ColAggregateAggfnoid), Kind: r.Byte(bootstrap.ColAggregateAggkind),
				Direct: int(r.Int(bootstrap.ColAggregateAggnumdirectargs)), SortOp: r.OID(bootstrap.ColAggregateAggsortop),
				Trans: r.OID(bootstrap.ColAggregateAggtranstype), Init: r[bootstrap.ColAggregateAgginitval-1].Clone(),
			}
			t.aggregates[a.Func] = a
			return nil
		})
		return t, err
	})
}

func procFromRow(r Row) *Proc {
	return &Proc{
		OID: r.OID(bootstrap.ColProcOid), Name: r.Text(bootstrap.ColProcProname), Namespace: r.OID(bootstrap.ColProcPronamespace),
		Owner: r.OID(bootstrap.ColProcProowner), Language: r.OID(bootstrap.ColProcProlang), Kind: r.Byte(bootstrap.ColProcProkind),
		Strict: r.Bool(bootstrap.ColProcProisstrict), RetSet: r.Bool(bootstrap.ColProcProretset),
		Volatile: r.Byte(bootstrap.ColProcProvolatile), Variadic: r.OID(bootstrap.ColProcProvariadic),
		NDefaults: int(r.Int(bootstrap.ColProcPronargdefaults)), Ret: r.OID(bootstrap.ColProcProrettype),
		Args: r.OIDs(bootstrap.ColProcProargtypes), AllArgs: r.OIDs(bootstrap.ColProcProallargtypes),
		Modes: r.Bytes(bootstrap.ColProcProargmodes), Names: r.Texts(bootstrap.ColProcProargnames),
		Defaults: r.Text(bootstrap.ColProcProargdefaults), Source: r.Text(bootstrap.ColProcProsrc),
		Rows: r.Float(bootstrap.ColProcProrows), Cost: r.Float(bootstrap.ColProcProcost),
	}
}

func (v *View) operatorTable() (*operatorTable, error) {
	return install(v.cache, GroupOperators, &v.cache.operators, func() (*operatorTable, error) {
		t := &operatorTable{byOID: map[base.OID]*Operator{}, byName: map[string][]*Operator{}, casts: map[castKey]*Cast{},
			classes: map[base.OID]*Opclass{}, amops: map[base.OID][]Amop{}, families: map[base.OID][]Amop{},
			support: map[supportKey]base.OID{}}
		for _, load := range []func(*operatorTable) error{v.loadOperators, v.loadCasts, v.loadClasses, v.loadFamilies} {
			if err := load(t); err != nil {
				return nil, err
			}
		}
		return t, nil
	})
}

func (v *View) loadOperators(t *operatorTable) error {
	return v.Scan(bootstrap.RelOperator, 0, nil, func(_ base.TID, r Row) error {
		o := &Operator{
			OID: r.OID(bootstrap.ColOperatorOid), Name: r.Text(bootstrap.ColOperatorOprname),
			Namespace: r.OID(bootstrap.ColOperatorOprnamespace), Kind: r.Byte(bootstrap.ColOperatorOprkind),
			Left: r.OID(bootstrap.ColOperatorOprleft), Right: r.OID(bootstrap.ColOperatorOprright),
			Result: r.OID(bootstrap.ColOperatorOprresult), Commutator: r.OID(bootstrap.ColOperatorOprcom),
			Negator: r.OID(bootstrap.ColOperatorOprnegate), Code: r.OID(bootstrap.ColOperatorOprcode),
			Rest: r.OID(bootstrap.ColOperatorOprrest), Join: r.OID(bootstrap.ColOperatorOprjoin),
			CanMerge: r.Bool(bootstrap.ColOperatorOprcanmerge), CanHash: r.Bool(bootstrap.ColOperatorOprcanhash),
		}
		t.byOID[o.OID] = o
		t.byName[o.Name] = append(t.byName[o.Name], o)
		return nil
	})
}

func (v *View) loadCasts(t *operatorTable) error {
	return v.Scan(bootstrap.RelCast, 0, nil, func(_ base.TID, r Row) error {
		c := &Cast{
			OID: r.OID(bootstrap.ColCastOid), Source: r.OID(bootstrap.ColCastCastsource), Target: r.OID(bootstrap.ColCastCasttarget),
			Func: r.OID(bootstrap.ColCastCastfunc), Context: r.Byte(bootstrap.ColCastCastcontext),
			Method: r.Byte(bootstrap.ColCastCastmethod),
		}
		t.casts[castKey{c.Source, c.Target}] = c
		return nil
	})
}

func (v *View) loadClasses(t *operatorTable) error {
	return v.Scan(bootstrap.RelOpclass, 0, nil, func(_ base.TID, r Row) error {
		c := &Opclass{
			OID: r.OID(bootstrap.ColOpclassOid), Method: r.OID(bootstrap.ColOpclassOpcmethod), Name: r.Text(bootstrap.ColOpclassOpcname),
			Namespace: r.OID(bootstrap.ColOpclassOpcnamespace), Family: r.OID(bootstrap.ColOpclassOpcfamily),
			Input: r.OID(bootstrap.ColOpclassOpcintype), Default: r.Bool(bootstrap.ColOpclassOpcdefault),
		}
		t.classes[c.OID] = c
		t.classList = append(t.classList, c)
		return nil
	})
}

func (v *View) loadFamilies(t *operatorTable) error {
	err := v.Scan(bootstrap.RelAmop, 0, nil, func(_ base.TID, r Row) error {
		a := Amop{
			Family: r.OID(bootstrap.ColAmopAmopfamily), Left: r.OID(bootstrap.ColAmopAmoplefttype),
			Right: r.OID(bootstrap.ColAmopAmoprighttype), Strategy: int(r.Int(bootstrap.ColAmopAmopstrategy)),
			Operator: r.OID(bootstrap.ColAmopAmopopr), Method: r.OID(bootstrap.ColAmopAmopmethod),
			Purpose: r.Byte(bootstrap.ColAmopAmoppurpose),
		}
		t.amops[a.Operator] = append(t.amops[a.Operator], a)
		t.families[a.Family] = append(t.families[a.Family], a)
		return nil
	})
	if err != nil {
		return err
	}
	return v.Scan(bootstrap.RelAmproc, 0, nil, func(_ base.TID, r Row) error {
		k := supportKey{r.OID(bootstrap.ColAmprocAmprocfamily), r.OID(bootstrap.ColAmprocAmproclefttype),
			r.OID(bootstrap.ColAmprocAmprocrighttype), int(r.Int(bootstrap.ColAmprocAmprocnum))}
		t.support[k] = r.OID(bootstrap.ColAmprocAmproc)
		return nil
	})
}
