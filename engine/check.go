package engine

import (
	"fmt"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// CheckReport counts what Check looked at.
type CheckReport struct {
	Databases int
	Tables    int
	Indexes   int
	Faults    int
}

// Check verifies every page, row, index and catalog that it can reach, in all databases, and tells of every fault. The log
// since the last checkpoint was verified by the recovery that opened the cluster.
func (e *Engine) Check(task *activity.Task, fault func(error)) (CheckReport, error) {
	var r CheckReport
	report := func(err error) {
		r.Faults++
		fault(err)
	}
	var dbs []*catalog.Database
	err := e.read(task, bootstrap.DatabaseTemplate1, func(v *catalog.View) error {
		var err error
		dbs, err = v.Databases()
		return err
	})
	if err != nil {
		return r, err
	}
	for i, db := range dbs {
		r.Databases++
		err := e.checkDatabase(task, db, i == 0, &r, func(err error) {
			report(fmt.Errorf("database \"%s\": %w", db.Name, err))
		})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func (e *Engine) checkDatabase(task *activity.Task, db *catalog.Database, shared bool, r *CheckReport, report func(error)) error {
	owner := e.cluster.Locks.NewOwner(0)
	p := e.cluster.Txns.NewProc(owner)
	tx := p.Begin()
	defer func() {
		tx.Abort(task)
		p.Close()
		owner.Close()
	}()
	v := catalog.NewView(&catalog.HeapSource{Opened: e.opened, Task: task, Tx: tx}, e.Cache(db.OID))
	rels, settled, err := e.relations(v, shared, report)
	if err != nil {
		report(err)
		return nil
	}
	var snap mvcc.Snapshot
	tx.Snapshot(&snap)
	defer tx.Release(&snap)
	x := &exec.Context{Task: task, Tx: tx, Snapshot: &snap,
		Eval: &eval.Env{Task: task, Ctx: &builtins.Context{Env: types.NewEnv()}, Run: 1}}
	for _, d := range rels {
		r.Tables++
		r.Indexes += len(d.Indexes)
		if err := e.checkTable(x, d, settled[d.OID], report); err != nil {
			report(fmt.Errorf("table \"%s.%s\": %w", d.Schema, d.Name, err))
		}
	}
	return nil
}

// relations gives the tables of a database, catalogs among them, and their relfrozenxid.
func (e *Engine) relations(v *catalog.View, shared bool, report func(error)) ([]*relation.Desc, map[base.OID]base.XID, error) {
	var oids []base.OID
	settled := map[base.OID]base.XID{}
	err := v.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, row catalog.Row) error {
		k := row.Byte(bootstrap.ColClassRelkind)
		if (k == relation.KindTable || k == relation.KindToast) && row.Byte(bootstrap.ColClassRelpersistence) != relation.Temporary &&
			(shared || !row.Bool(bootstrap.ColClassRelisshared)) {
			oids = append(oids, row.OID(bootstrap.ColClassOid))
			settled[row.OID(bootstrap.ColClassOid)] = e.cluster.Txns.FullXID(uint32(row.Int(bootstrap.ColClassRelfrozenxid)))
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var out []*relation.Desc
	for _, oid := range oids {
		d, err := v.Relation(oid)
		switch {
		case err != nil:
			report(fmt.Errorf("definition of relation %d: %w", oid, err))
		case d == nil:
			report(fmt.Errorf("relation %d is in pg_class but not in its index", oid))
		default:
			out = append(out, d)
		}
	}
	return out, settled, nil
}

// checkTable verifies a table's pages and chains, the pages and order of its indexes, that every entry leads to a line
// pointer of the table, and that every visible row has its entries.
func (e *Engine) checkTable(x *exec.Context, d *relation.Desc, settled base.XID, report func(error)) error {
	t := e.opened.Table(d)
	for _, err := range t.Check(x.Task, settled) {
		report(fmt.Errorf("table \"%s.%s\": %w", d.Schema, d.Name, err))
	}
	blocks, err := t.Blocks()
	if err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		for _, err := range e.opened.Tree(ix, d.Logged()).Check(x.Task, func(_ []byte, tid base.TID) {
			if tid.Block >= blocks {
				report(fmt.Errorf("index \"%s\" has an entry for %s, behind the end of table \"%s\"", ix.Name, tid, d.Name))
			}
		}) {
			report(fmt.Errorf("index \"%s\": %w", ix.Name, err))
		}
	}
	view := mvcc.NewView(x.Snapshot, x.Tx.Manager(), x.Task)
	if err := t.CheckWide(view, func(err error) { report(fmt.Errorf("table \"%s.%s\": %w", d.Schema, d.Name, err)) }); err != nil {
		return err
	}
	return e.svc.Builder.VerifyIndexes(x, d, report)
}
