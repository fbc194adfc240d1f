package relation

import (
	"manifold/engine/base"
	"manifold/engine/types"
)

// Column describes one attribute. Len is 1, 2, 4 or 8 for a type kept in Datum.I and -1 for one kept in Datum.B.
type Column struct {
	Name        string
	Type        base.OID
	Typmod      int32
	Len         int16
	Collation   base.OID
	NotNull     bool
	Dropped     bool
	HasDefault  bool
	HasMissing  bool        // rows written before the column was added read Missing
	Missing     types.Datum // owned by the descriptor
	Identity    byte        // 0, 'a' (always) or 'd' (by default)
	Generated   byte        // 0 or 's' (stored)
	Storage     byte        // 'p', 'e', 'm' or 'x', as attstorage
	Compression byte        // 'p', 'l', or 0 for default_toast_compression, as attcompression
}

// Fixed tells whether the column is kept in Datum.I.
func (c *Column) Fixed() bool { return c.Len > 0 }

// Relation kinds, as relkind.
const (
	KindTable    = 'r'
	KindIndex    = 'i'
	KindSequence = 'S'
	KindView     = 'v'
	KindToast    = 't'
)

// Persistence, as relpersistence.
const (
	Permanent = 'p'
	Unlogged  = 'u'
	Temporary = 't'
)

// Desc describes a relation.
type Desc struct {
	OID         base.OID
	Name        string
	Schema      string
	Namespace   base.OID
	Kind        byte
	Persistence byte
	Owner       base.OID
	RowType     base.OID
	File        base.RelFile
	Columns     []Column
	Fillfactor  int               // percent, 0 for the default
	Options     map[string]string // all storage parameters that are set
	Toast       base.OID
	ToastRel    *Desc    // the relation of Toast, with its index
	ToastTarget int      // bytes a row is shrunk to, 0 for the default
	Indexes     []*Index // of a table, in OID order
	Index       *Index   // of an index: its own keys
	Checks      []Check
	ForeignKeys []*ForeignKey // of this table
	Referrers   []*ForeignKey // of tables (this one among them) that refer to this table
	Shared      bool          // a relation of the whole cluster
	System      bool          // a catalog
	HasRules    bool
	HasTriggers bool
}

// Logged tells whether changes of the relation's pages go to the log.
func (d *Desc) Logged() bool { return d.Persistence == Permanent }

// ColumnByName gives the attribute number (from one) of a live column, or zero.
func (d *Desc) ColumnByName(name string) int {
	for i := range d.Columns {
		if d.Columns[i].Name == name && !d.Columns[i].Dropped {
			return i + 1
		}
	}
	return 0
}

// Index describes an index: Keys order it, Included columns ride along.
type Index struct {
	OID        base.OID
	Table      base.OID
	Name       string
	File       base.RelFile
	Keys       []IndexKey
	Included   []int16 // attribute numbers of the table
	Unique     bool
	NullsEqual bool // UNIQUE NULLS NOT DISTINCT
	Primary    bool
	Valid      bool
	Ready      bool
	Immediate  bool       // false for a deferrable constraint
	Deferred   bool       // of a constraint that is INITIALLY DEFERRED
	Constraint string     // the constraint the index enforces, if any
	ConOID     base.OID   // its OID
	Exclusion  []base.OID // the operators of an EXCLUDE constraint, by key column
	Predicate  string     // a serialized boolean expression over the table's row, if partial
	Exprs      []string
	Method     string // "btree"
	Fillfactor int
	// KeepDuplicates is the storage parameter deduplicate_items turned off.
	KeepDuplicates bool
	Options        []string // all storage parameters, as pg_class.reloptions has them
	Desc           *Desc    // the index's own relation descriptor
}

// Exclusive tells whether the index keeps two rows from having the same key.
func (x *Index) Exclusive() bool { return x.Unique || len(x.Exclusion) > 0 }

// KeyAttrs gives the attribute numbers of the key columns; zero stands for an expression.
func (x *Index) KeyAttrs() []int16 {
	out := make([]int16, 0, len(x.Keys))
	for _, k := range x.Keys {
		out = append(out, k.Attr)
	}
	return out
}

// IndexKey is one key column. Attr is the table's attribute number, or zero for the next of Exprs.
type IndexKey struct {
	Attr       int16
	Type       base.OID
	Collation  base.OID
	Opclass    base.OID
	Descending bool
	NullsFirst bool
}

// ForeignKey is a FOREIGN KEY constraint. Its lists run in the order in which it was written.
type ForeignKey struct {
	OID        base.OID
	Name       string
	Table      base.OID // that refers
	Target     base.OID // that is referred to
	Index      base.OID // of Target: the unique index behind the constraint
	Columns    []int16
	Keys       []int16 // of Target
	SetColumns []int16 // that ON DELETE SET NULL and SET DEFAULT change; empty: all
	Match      byte    // 's' or 'f', as confmatchtype
	OnUpdate   FKAction
	OnDelete   FKAction
	Deferrable bool
	Deferred   bool // INITIALLY DEFERRED
	Validated  bool
	Fires      [FKEvents]byte // when its triggers fire, as tgenabled; zero as FiresOnOrigin
}

// FKEvent is a change of a row that a foreign key has a trigger for.
type FKEvent uint8

// The events: of the table that refers and of the one that is referred to.
const (
	FKInserted FKEvent = iota
	FKUpdated
	FKKeyDeleted
	FKKeyUpdated

	FKEvents = 4
)

// When a trigger fires, as tgenabled.
const (
	FiresOnOrigin  byte = 'O' // unless session_replication_role is replica
	FiresOnReplica byte = 'R' // only then
	FiresAlways    byte = 'A'
	FiresNever     byte = 'D'
)

// Acts tells whether the foreign key's trigger for an event fires.
func (k *ForeignKey) Acts(e FKEvent, replica bool) bool {
	switch k.Fires[e] {
	case FiresNever:
		return false
	case FiresAlways:
		return true
	case FiresOnReplica:
		return replica
	}
	return !replica
}

// FKAction is what becomes of referring rows, as confupdtype.
type FKAction byte

// The actions.
const (
	NoAction   FKAction = 'a'
	Restrict   FKAction = 'r'
	Cascade    FKAction = 'c'
	SetNull    FKAction = 'n'
	SetDefault FKAction = 'd'
)

// Check is a CHECK constraint; Expr is a serialized boolean expression over the row.
type Check struct {
	OID       base.OID
	Name      string
	Expr      string
	Validated bool
	NoInherit bool
}
