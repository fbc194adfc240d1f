package txn

import (
	"fmt"
	"sync"

	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
)

// exports are the snapshots that transactions offer to others. Each stays registered until its transaction ends.
type exports struct {
	mu   sync.Mutex // guards the rest
	byID map[string]export
	next uint64
}

type export struct {
	proc     *Proc
	s        base.LSN
	database base.OID
}

// Export offers a snapshot of the transaction to others until its end, and gives its identifier.
func (t *Tx) Export(s *mvcc.Snapshot, database base.OID) string {
	e := &t.p.m.exports
	t.p.regs = append(t.p.regs, s.S)
	t.p.announceOldest()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byID == nil {
		e.byID = map[string]export{}
	}
	e.next++
	id := fmt.Sprintf("%08X-%08X-1", t.p.owner.PID(), e.next)
	e.byID[id] = export{t.p, s.S, database}
	t.exported = append(t.exported, id)
	return id
}

// Import fills s with a snapshot that another transaction offers, registered for this one.
func (t *Tx) Import(id string, database base.OID, s *mvcc.Snapshot) error {
	e := &t.p.m.exports
	e.mu.Lock()
	defer e.mu.Unlock()
	x, ok := e.byID[id]
	if !ok {
		return pgerror.Newf(pgerror.InvalidParameterValue, "invalid snapshot identifier: \"%s\"", id)
	}
	if x.database != database {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot import a snapshot from a different database")
	}
	t.p.regs = append(t.p.regs, x.s) // the exporter keeps the horizon below it until this is done
	t.p.announceOldest()
	*s = mvcc.Snapshot{S: x.s, Own: &t.ident, Command: t.command}
	return nil
}

// Exported tells whether the transaction offers a snapshot.
func (t *Tx) Exported() bool { return len(t.exported) > 0 }

// withdraw ends the offers of the transaction.
func (t *Tx) withdraw() {
	if len(t.exported) == 0 {
		return
	}
	e := &t.p.m.exports
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range t.exported {
		delete(e.byID, id)
	}
	t.exported = nil
}
