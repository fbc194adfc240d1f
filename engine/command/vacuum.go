package command

import (
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/vacuum"
)

// vacuumOptions are those of VACUUM and ANALYZE.
type vacuumOptions struct {
	vacuum     bool
	analyze    bool
	verbose    bool
	skipLocked bool
	noTruncate bool
	noToast    bool
}

// VacuumTarget is one table to be vacuumed or analysed; Columns narrows ANALYZE.
type vacuumTarget struct {
	oid     base.OID
	name    string
	columns []string
}

func vacuumStmt(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetVacuumStmt()
	o := vacuumOptions{vacuum: s.IsVacuumcmd, analyze: !s.IsVacuumcmd}
	tag := "ANALYZE"
	if s.IsVacuumcmd {
		tag = "VACUUM"
	}
	if err := o.read(s.Options); err != nil {
		return "", err
	}
	if o.vacuum {
		if err := c.topLevel("VACUUM"); err != nil {
			return "", err
		}
	}
	targets, err := c.vacuumTargets(s.Rels)
	if err != nil {
		return "", err
	}
	for _, t := range targets {
		if err := c.vacuumOne(t, o, len(s.Rels) > 0); err != nil {
			return "", err
		}
	}
	return tag, nil
}

func (o *vacuumOptions) read(list []*pg_query.Node) error {
	for _, n := range list {
		e := n.GetDefElem()
		if e.Defname == "index_cleanup" || e.Defname == "parallel" || e.Defname == "buffer_usage_limit" {
			continue // all indexes are cleaned by one worker
		}
		v, err := defBool(e)
		if err != nil {
			return err
		}
		switch e.Defname {
		case "verbose":
			o.verbose = v
		case "analyze":
			o.analyze = v
		case "skip_locked":
			o.skipLocked = v
		case "truncate":
			o.noTruncate = !v
		case "process_toast":
			o.noToast = !v
		case "freeze", "disable_page_skipping": // transaction ids never wrap
		case "full":
			if v {
				return pgerror.Unsupported("VACUUM FULL")
			}
		default:
			return pgerror.Newf(pgerror.SyntaxError, "unrecognized VACUUM option \"%s\"", e.Defname)
		}
	}
	return nil
}

// vacuumTargets gives the tables that were named, or all that the role may vacuum.
func (c *Context) vacuumTargets(list []*pg_query.Node) ([]vacuumTarget, error) {
	var out []vacuumTarget
	for _, n := range list {
		v := n.GetVacuumRelation()
		oid, err := c.findRelation(v.Relation)
		if err != nil {
			return nil, err
		}
		if oid == 0 {
			return nil, pgerror.Newf(pgerror.UndefinedTable, "relation \"%s\" does not exist", shown(v.Relation))
		}
		out = append(out, vacuumTarget{oid, v.Relation.Relname, strs(v.VaCols)})
	}
	if len(list) > 0 {
		return out, nil
	}
	err := c.View.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
		temporary := r.Byte(bootstrap.ColClassRelpersistence) == relation.Temporary
		if r.Byte(bootstrap.ColClassRelkind) == relation.KindTable &&
			(!temporary || r.OID(bootstrap.ColClassRelnamespace) == c.Session.Temp.Namespace) {
			out = append(out, vacuumTarget{oid: r.OID(bootstrap.ColClassOid), name: r.Text(bootstrap.ColClassRelname)})
		}
		return nil
	})
	return out, err
}

// vacuumOne locks and works on one table; what the role may not touch is skipped with a warning.
func (c *Context) vacuumOne(t vacuumTarget, o vacuumOptions, named bool) error {
	what := "vacuum"
	if !o.vacuum {
		what = "analyze"
	}
	class, err := c.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(t.oid))
	if err != nil || class == nil {
		return err
	}
	owns, err := c.View.MemberOf(c.Session.Role, class.OID(bootstrap.ColClassRelowner))
	if err == nil && !owns {
		owns, err = c.View.MemberOf(c.Session.Role, c.Session.Database.Owner)
	}
	if err != nil {
		return err
	}
	if !owns {
		if named {
			c.warning(pgerror.InsufficientPrivilege, "permission denied to %s \"%s\", skipping it", what, t.name)
		}
		return nil
	}
	if err := c.lockRelation(t.oid, lock.ShareUpdateExclusive, t.name, o.skipLocked); err != nil {
		if o.skipLocked && pgerror.Code(err) == pgerror.LockNotAvailable {
			c.warning(pgerror.LockNotAvailable, "skipping %s of \"%s\" --- lock not available", what, t.name)
			return nil
		}
		return err
	}
	d, err := c.View.Relation(t.oid)
	if err != nil || d == nil {
		return err
	}
	if d.Kind != relation.KindTable && d.Kind != relation.KindToast {
		c.warning(pgerror.WrongObjectType, "skipping \"%s\" --- cannot %s non-tables or special system tables", d.Name, what)
		return nil
	}
	if o.vacuum {
		if err := c.vacuumTable(d, o); err != nil {
			return err
		}
	}
	if o.analyze {
		return c.analyzeTable(d, t.columns, o.verbose)
	}
	return nil
}

func (c *Context) vacuumTable(d *relation.Desc, o vacuumOptions) error {
	t := c.Opened.Table(d)
	var indexes []vacuum.Index
	for _, ix := range d.Indexes {
		indexes = append(indexes, c.Opened.Tree(ix, d.Logged()).NewWriter(c.Task))
	}
	vo := vacuum.Options{}
	if !o.noTruncate {
		owner, locks := c.Session.Proc.Owner(), c.Tx.Manager().Locks()
		tag := lock.Relation(c.database(), d.OID)
		if d.Shared {
			tag = lock.Relation(0, d.OID)
		}
		vo.TryExclusive = func() bool {
			_, err := locks.Acquire(c.Task, owner, lock.Request{Tag: tag, Mode: lock.AccessExclusive, NoWait: true})
			return err == nil
		}
		vo.Release = func() { locks.Release(owner, tag, lock.AccessExclusive, false) }
	}
	if o.verbose {
		c.Session.Notice(pgerror.Notice(pgerror.SeverityInfo, pgerror.SuccessfulCompletion, "vacuuming \"%s.%s.%s\"",
			c.Session.Database.Name, d.Schema, d.Name))
	}
	r, err := vacuum.Table(c.Task, c.Tx.Manager(), t, indexes, vo)
	if err != nil {
		return err
	}
	if o.verbose {
		c.Session.Notice(pgerror.Notice(pgerror.SeverityInfo, pgerror.SuccessfulCompletion,
			"finished vacuuming \"%s.%s.%s\": index scans: %d\npages: %d removed, %d remain, %d scanned\ntuples: %d removed, %d remain, %d are dead but not yet removable",
			c.Session.Database.Name, d.Schema, d.Name, r.IndexPasses, r.Truncated, r.Pages-r.Truncated, r.Scanned, r.Removed, r.Live, r.Dying))
	}
	c.Builder.Stats.Table(d.File.Database, d.OID).Vacuumed(time.Now().UnixNano(), r.Dying)
	if err := c.keepVacuumCounts(d, t, r); err != nil || d.ToastRel == nil || o.noToast {
		return err
	}
	if err := c.lockRelation(d.Toast, lock.ShareUpdateExclusive, d.ToastRel.Name, false); err != nil {
		return err
	}
	return c.vacuumTable(d.ToastRel, o)
}

// keepVacuumCounts keeps sizes and row counts in pg_class. Of pages that were not read the density is taken to be as before.
func (c *Context) keepVacuumCounts(d *relation.Desc, t *heap.Table, r vacuum.Report) error {
	stats, err := c.View.StatisticsOf(d.OID)
	if err != nil {
		return err
	}
	pages, err := t.Blocks()
	if err != nil {
		return err
	}
	rows := float64(r.Live)
	if r.Scanned < r.Pages {
		density := 0.0
		if stats.Rows >= 0 && stats.Pages > 0 {
			density = stats.Rows / stats.Pages
		} else if r.Scanned > 0 {
			density = rows / float64(r.Scanned)
		}
		rows += density * float64(r.Pages-r.Scanned)
	}
	visible, err := c.allVisible(t, pages)
	if err != nil {
		return err
	}
	if err := c.editClass(d.OID, func(row catalog.Row) {
		row.SetInt(bootstrap.ColClassRelpages, int64(pages))
		row.SetFloat(bootstrap.ColClassReltuples, float64(float32(rows)))
		row.SetInt(bootstrap.ColClassRelallvisible, visible)
		row.SetBool(bootstrap.ColClassRelhasindex, len(d.Indexes) > 0)
	}); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		blocks, err := c.Opened.Tree(ix, d.Logged()).Blocks()
		if err != nil {
			return err
		}
		if err := c.editClass(ix.OID, func(row catalog.Row) {
			row.SetInt(bootstrap.ColClassRelpages, int64(blocks))
			row.SetFloat(bootstrap.ColClassReltuples, float64(float32(rows)))
		}); err != nil {
			return err
		}
	}
	return nil
}

// allVisible counts the pages whose rows everybody sees.
func (c *Context) allVisible(t *heap.Table, pages base.BlockNumber) (int64, error) {
	var cache heap.VMCache
	defer func() { cache.Release() }()
	n := int64(0)
	for b := base.BlockNumber(0); b < pages; b++ {
		ok, err := t.AllVisible(c.Task, b, &cache)
		if err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}
