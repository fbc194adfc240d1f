package catalog

import (
	"manifold/engine/base"
	"manifold/engine/types"
)

// Type is a row of pg_type. Len is the width in a types.Datum: 1, 2, 4, 8, or -1 for types kept as bytes.
type Type struct {
	OID       base.OID
	Name      string
	Namespace base.OID
	Owner     base.OID
	Len       int16
	Kind      byte // b, c, d, e, p, r or m
	Category  byte
	Preferred bool
	Defined   bool
	Delim     byte
	RelID     base.OID
	Elem      base.OID // the element of an array type (a true array or an oidvector-like type)
	Array     base.OID
	Subscript base.OID
	Input     base.OID
	Output    base.OID
	Receive   base.OID
	Send      base.OID
	TypmodIn  base.OID
	Base      base.OID // of a domain
	Typmod    int32
	NotNull   bool
	Storage   byte
	Collation base.OID
}

// TrueArray tells whether the type is an array type proper, made by "[]".
func (t *Type) TrueArray() bool {
	return t.Elem != 0 && t.Category == 'A' && t.Name[0] == '_' || t.OID == types.OIDRecordArray
}

// Proc is a row of pg_proc.
type Proc struct {
	OID       base.OID
	Name      string
	Namespace base.OID
	Owner     base.OID
	Language  base.OID
	Kind      byte // f, a, w or p
	Strict    bool
	RetSet    bool
	Volatile  byte // i, s or v
	Variadic  base.OID
	NDefaults int
	Ret       base.OID
	Args      []base.OID // input arguments
	AllArgs   []base.OID // nil when all are input
	Modes     []byte
	Names     []string
	Defaults  string // text of the default expressions, comma-separated
	Source    string
	Rows      float64
	Cost      float64
}

// Operator is a row of pg_operator. Kind is 'b' or 'l' (prefix).
type Operator struct {
	OID        base.OID
	Name       string
	Namespace  base.OID
	Kind       byte
	Left       base.OID
	Right      base.OID
	Result     base.OID
	Commutator base.OID
	Negator    base.OID
	Code       base.OID
	Rest       base.OID
	Join       base.OID
	CanMerge   bool
	CanHash    bool
}

// Cast is a row of pg_cast. Context is 'i', 'a' or 'e'; Method is 'f', 'b' or 'i'.
type Cast struct {
	OID     base.OID
	Source  base.OID
	Target  base.OID
	Func    base.OID
	Context byte
	Method  byte
}

// Aggregate is a row of pg_aggregate.
type Aggregate struct {
	Func   base.OID
	Kind   byte // n, o or h
	Direct int
	SortOp base.OID
	Trans  base.OID
	Init   types.Datum
}

// Opclass is a row of pg_opclass.
type Opclass struct {
	OID       base.OID
	Method    base.OID
	Name      string
	Namespace base.OID
	Family    base.OID
	Input     base.OID
	Default   bool
}

// Amop says that an operator belongs to an operator family as a strategy of an access method.
type Amop struct {
	Family   base.OID
	Left     base.OID
	Right    base.OID
	Strategy int
	Operator base.OID
	Method   base.OID
	Purpose  byte
}

// Btree strategies of pg_amop.
const (
	StrategyLess = 1 + iota
	StrategyLessEqual
	StrategyEqual
	StrategyGreaterEqual
	StrategyGreater
)

// Namespace is a row of pg_namespace.
type Namespace struct {
	OID   base.OID
	Name  string
	Owner base.OID
	ACL   types.Datum
}

// Role is a row of pg_authid.
type Role struct {
	OID         base.OID
	Name        string
	Super       bool
	Inherit     bool
	CreateRole  bool
	CreateDB    bool
	CanLogin    bool
	Replication bool
	BypassRLS   bool
	ConnLimit   int32
	Password    string // empty when none
	HasPassword bool
}

// Database is a row of pg_database.
type Database struct {
	OID        base.OID
	Name       string
	Owner      base.OID
	Template   bool
	AllowConn  bool
	ConnLimit  int32
	Tablespace base.OID
}
