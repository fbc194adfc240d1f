package lock

import (
	"fmt"

	"manifold/engine/activity"
	"manifold/engine/base"
)

// Kind is the type of a lockable thing.
type Kind uint8

// The kinds, named by String as pg_locks does.
const (
	KindRelation Kind = iota + 1
	KindExtend
	KindFrozenID
	KindPage
	KindTuple
	KindTransaction
	KindVirtualXID
	KindSpecToken
	KindObject
	KindUser
	KindAdvisory
	kindCount
)

// String gives pg_locks.locktype.
func (k Kind) String() string {
	names := [kindCount]string{"", "relation", "extend", "frozenid", "page", "tuple", "transactionid", "virtualxid",
		"spectoken", "object", "userlock", "advisory"}
	if k < kindCount {
		return names[k]
	}
	return "unknown"
}

// Event gives the wait event of a wait for this kind.
func (k Kind) Event() activity.Event {
	switch k {
	case KindExtend:
		return activity.EventLockExtend
	case KindPage, KindTuple:
		return activity.EventLockTuple
	case KindTransaction:
		return activity.EventLockTransactionID
	case KindVirtualXID:
		return activity.EventLockVirtualXID
	case KindSpecToken:
		return activity.EventLockSpecToken
	case KindObject, KindUser:
		return activity.EventLockObject
	case KindAdvisory:
		return activity.EventLockAdvisory
	}
	return activity.EventLockRelation
}

// Tag names a lockable thing. Make it with the functions below; the meaning of the fields is theirs.
type Tag struct {
	Kind     Kind
	Sub      uint16
	Database base.OID
	A        uint64
	B        uint64
}

// Relation locks a table, index or sequence. Shared relations have database zero.
func Relation(db, rel base.OID) Tag { return Tag{Kind: KindRelation, Database: db, A: uint64(rel)} }

// Page locks a page of a relation.
func Page(db, rel base.OID, block base.BlockNumber) Tag {
	return Tag{Kind: KindPage, Database: db, A: uint64(rel), B: uint64(block)}
}

// Tuple locks a row version: the queue of those who wait for it.
func Tuple(db, rel base.OID, tid base.TID) Tag {
	return Tag{Kind: KindTuple, Database: db, A: uint64(rel), B: tid.Pack()}
}

// Transaction is held exclusively by a transaction while it runs; waiting for its end is a share lock.
func Transaction(xid base.XID) Tag { return Tag{Kind: KindTransaction, A: uint64(xid)} }

// SpecToken is held exclusively by a transaction while it inserts a row that it may take back (ON CONFLICT). It has one such row
// at a time, so that the number of the token, which pg_locks shows, is always one.
func SpecToken(xid base.XID) Tag { return Tag{Kind: KindSpecToken, A: uint64(xid), B: 1} }

// VirtualXID is held exclusively by a transaction that may have no XID.
func VirtualXID(pid uint32, local uint64) Tag {
	return Tag{Kind: KindVirtualXID, A: uint64(pid), B: local}
}

// Object locks a non-relation catalog object, sub being a column number or zero.
func Object(db, class, object base.OID, sub uint16) Tag {
	return Tag{Kind: KindObject, Database: db, A: uint64(class), B: uint64(object), Sub: sub}
}

// Advisory locks a bigint key.
func Advisory(db base.OID, key int64) Tag {
	return Tag{Kind: KindAdvisory, Database: db, A: uint64(key) >> 32, B: uint64(uint32(key)), Sub: 1}
}

// Advisory2 locks a pair of integer keys, a space of its own.
func Advisory2(db base.OID, k1, k2 int32) Tag {
	return Tag{Kind: KindAdvisory, Database: db, A: uint64(uint32(k1)), B: uint64(uint32(k2)), Sub: 2}
}

// String describes the thing as PostgreSQL's messages do.
func (t Tag) String() string {
	switch t.Kind {
	case KindRelation:
		return fmt.Sprintf("relation %d of database %d", t.A, t.Database)
	case KindExtend:
		return fmt.Sprintf("extension of relation %d of database %d", t.A, t.Database)
	case KindPage:
		return fmt.Sprintf("page %d of relation %d of database %d", t.B, t.A, t.Database)
	case KindTuple:
		tid := base.UnpackTID(t.B)
		return fmt.Sprintf("tuple (%d,%d) of relation %d of database %d", tid.Block, tid.Offset, t.A, t.Database)
	case KindTransaction:
		return fmt.Sprintf("transaction %d", t.A)
	case KindVirtualXID:
		return fmt.Sprintf("virtual transaction %d/%d", t.A, t.B)
	case KindSpecToken:
		return fmt.Sprintf("speculative token %d of transaction %d", t.B, t.A)
	case KindObject:
		return fmt.Sprintf("object %d of class %d of database %d", t.B, t.A, t.Database)
	case KindAdvisory:
		return fmt.Sprintf("advisory lock [%d,%d,%d,%d]", t.Database, t.A, t.B, t.Sub)
	}
	return fmt.Sprintf("unrecognized locktag type %d", t.Kind)
}
