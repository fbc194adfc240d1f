package base

import "fmt"

// OID identifies an object of the system catalogs. Zero is invalid. Below 16384 OIDs are PostgreSQL's own.
type OID uint32

// FirstNormalOID is the first OID given to an object that a user creates.
const FirstNormalOID OID = 16384

// XID identifies a transaction. It is 64 bits wide and never wraps. Zero is invalid.
type XID uint64

// Special transaction identifiers.
const (
	InvalidXID   XID = 0
	BootstrapXID XID = 1 // the transaction of initdb: always committed, visible to all
	FrozenXID    XID = 2 // as PostgreSQL names it; never written by this engine
	FirstXID     XID = 3 // the first transaction of a new cluster
)

// LSN is a position in the write-ahead log in bytes since its beginning. The LSN of a record is the position of its
// end. Zero is invalid.
type LSN uint64

// String renders the position as PostgreSQL does: the halves in hexadecimal, "16/B374D848".
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// CommandID numbers the commands of a transaction from zero.
type CommandID uint32

// BlockNumber is the index of a page in a fork of a relation.
type BlockNumber uint32

// InvalidBlock is no block.
const InvalidBlock BlockNumber = 0xFFFFFFFF

// OffsetNumber is the one-based index of a line pointer in a page. Zero is invalid.
type OffsetNumber uint16

// TID is the physical address of a tuple.
type TID struct {
	Block  BlockNumber
	Offset OffsetNumber
}

// Valid tells whether the address can be that of a tuple.
func (t TID) Valid() bool { return t.Block != InvalidBlock && t.Offset != 0 }

// Less orders addresses by block, then offset.
func (t TID) Less(o TID) bool {
	return t.Block < o.Block || t.Block == o.Block && t.Offset < o.Offset
}

// String renders the address as PostgreSQL's type tid does.
func (t TID) String() string { return fmt.Sprintf("(%d,%d)", t.Block, t.Offset) }

// Pack folds the address into 48 bits, block in the high part; the order of packed values is that of Less.
func (t TID) Pack() uint64 { return uint64(t.Block)<<16 | uint64(t.Offset) }

// UnpackTID is the inverse of TID.Pack.
func UnpackTID(v uint64) TID { return TID{Block: BlockNumber(v >> 16), Offset: OffsetNumber(v)} }

// Fork names one of the files of a relation.
type Fork uint8

// The forks of a relation.
const (
	MainFork Fork = iota
	FSMFork       // free space map
	VMFork        // visibility map
	InitFork      // the empty image of an unlogged relation
)

// String gives the suffix of the fork's file name.
func (f Fork) String() string {
	switch f {
	case MainFork:
		return "main"
	case FSMFork:
		return "fsm"
	case VMFork:
		return "vm"
	case InitFork:
		return "init"
	}
	return fmt.Sprintf("fork%d", uint8(f))
}

// RelFile locates the files of a relation. Database is zero for relations shared by the cluster. Number is the
// relation's file node. A temporary relation has the session's number (never zero) in Temp; its pages are neither
// logged nor shared.
type RelFile struct {
	Space    OID
	Database OID
	Number   OID
	Temp     uint32
}

// String renders the location for messages and logs.
func (r RelFile) String() string {
	if r.Temp != 0 {
		return fmt.Sprintf("%d/%d/t%d_%d", r.Space, r.Database, r.Temp, r.Number)
	}
	return fmt.Sprintf("%d/%d/%d", r.Space, r.Database, r.Number)
}

// PageTag names one page of the cluster.
type PageTag struct {
	File  RelFile
	Fork  Fork
	Block BlockNumber
}

// String renders the tag for messages and logs.
func (t PageTag) String() string { return fmt.Sprintf("%s/%s/%d", t.File, t.Fork, t.Block) }

// Well-known tablespaces.
const (
	DefaultTablespace OID = 1663 // pg_default
	GlobalTablespace  OID = 1664 // pg_global
)
