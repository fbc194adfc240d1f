package command

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/relation"
	"manifold/engine/vacuum"
)

// settling has a run make the hints of old transactions durable: those that are vacuum_freeze_min_age behind, or all with
// FREEZE. Then the table needs no commit log for them.
func (c *Context) settling(d *relation.Desc, o vacuumOptions, vo *vacuum.Options) error {
	row, err := c.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(d.OID))
	if err != nil || row == nil {
		return err
	}
	g, m := c.Session.Settings, c.Tx.Manager()
	least := g.Get("vacuum_freeze_min_age").Int
	if c.Session.Worker != nil {
		least = intOption(d.Options, "autovacuum_freeze_min_age", least)
	}
	if least = min(least, g.Get("autovacuum_freeze_max_age").Int/2); o.freeze {
		least = 0
	}
	next := m.NextXID()
	vo.SettledFrom = m.FullXID(uint32(row.Int(bootstrap.ColClassRelfrozenxid)))
	vo.SettleBelow = base.FirstXID
	if int64(next) > least {
		vo.SettleBelow = max(base.FirstXID, next-base.XID(least))
	}
	return nil
}

// settled notes in pg_class what a run has settled.
func (c *Context) settled(row catalog.Row, r vacuum.Report) {
	m := c.Tx.Manager()
	x := m.BoundXID(r.Oldest)
	if low := uint32(row.Int(bootstrap.ColClassRelfrozenxid)); r.Oldest != 0 && (low < uint32(base.FirstXID) || x > m.FullXID(low)) {
		row.SetInt(bootstrap.ColClassRelfrozenxid, int64(uint32(x)))
		c.aged = true
	}
}

// settleDatabase keeps pg_database.datfrozenxid, the least of the tables' relfrozenxid, and then gives the transactions up that
// no database needs the commit log for. It is the end of VACUUM, in transactions of its own.
func (c *Context) settleDatabase() error {
	if !c.aged {
		return nil
	}
	c.aged = false
	if err := c.Restart(); err != nil {
		return err
	}
	m := c.Tx.Manager()
	oldest := base.XID(0)
	err := c.View.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
		if k := r.Byte(bootstrap.ColClassRelkind); k == relation.KindTable || k == relation.KindToast {
			if x := m.FullXID(uint32(r.Int(bootstrap.ColClassRelfrozenxid))); oldest == 0 || x < oldest {
				oldest = x
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	row, tid, err := c.Editor.One(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex, oidKey(c.database()))
	if err != nil || row == nil {
		return err
	}
	if low := uint32(row.Int(bootstrap.ColDatabaseDatfrozenxid)); low >= uint32(base.FirstXID) && oldest <= m.FullXID(low) {
		return nil
	}
	row.SetInt(bootstrap.ColDatabaseDatfrozenxid, int64(uint32(oldest)))
	if err := c.Editor.Update(bootstrap.RelDatabase, tid, row); err != nil {
		return err
	}
	if err := c.Restart(); err != nil {
		return err
	}
	return c.settleCluster()
}

// settleCluster raises the oldest transaction that the commit log must know to the least of all databases.
func (c *Context) settleCluster() error {
	m := c.Tx.Manager()
	oldest := base.XID(0)
	err := c.View.Scan(bootstrap.RelDatabase, 0, nil, func(_ base.TID, r catalog.Row) error {
		if x := m.FullXID(uint32(r.Int(bootstrap.ColDatabaseDatfrozenxid))); oldest == 0 || x < oldest {
			oldest = x
		}
		return nil
	})
	if err == nil && oldest != 0 {
		m.SetOldestXID(oldest)
	}
	return err
}
