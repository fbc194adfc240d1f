package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/activity"
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
	full       bool
	verbose    bool
	skipLocked bool
	allPages   bool // DISABLE_PAGE_SKIPPING
	noIndexes  bool // INDEX_CLEANUP off
	noTruncate bool
	noToast    bool
	parallel   bool
	freeze     bool
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
	if err := c.vacuumOptions(&o, s.Options); err != nil {
		return "", err
	}
	for _, n := range s.Rels {
		if len(n.GetVacuumRelation().VaCols) > 0 && !o.analyze {
			return "", pgerror.New(pgerror.FeatureNotSupported, "ANALYZE option must be specified when a column list is provided")
		}
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
	for i, t := range targets {
		if o.vacuum && i > 0 {
			if err := c.Restart(); err != nil {
				return "", err
			}
		}
		if err := c.vacuumOne(t, o); err != nil {
			return "", err
		}
	}
	return tag, c.settleDatabase()
}

func (c *Context) vacuumOptions(o *vacuumOptions, list []*pg_query.Node) error {
	for _, n := range list {
		e := n.GetDefElem()
		switch e.Defname {
		case "index_cleanup":
			if err := o.indexCleanup(e); err != nil {
				return err
			}
			continue
		case "parallel":
			if err := c.parallelOption(o, e); err != nil {
				return err
			}
			continue
		}
		v, err := defBool(e)
		known := true
		switch {
		case e.Defname == "verbose":
			o.verbose = v
		case e.Defname == "skip_locked":
			o.skipLocked = v
		case !o.vacuum:
			known = false
		case e.Defname == "analyze":
			o.analyze = v
		case e.Defname == "truncate":
			o.noTruncate = !v
		case e.Defname == "process_toast":
			o.noToast = !v
		case e.Defname == "disable_page_skipping":
			o.allPages = v
		case e.Defname == "full":
			o.full = v
		case e.Defname == "freeze":
			o.freeze = v
		default:
			known = false
		}
		if !known {
			what := "ANALYZE"
			if o.vacuum {
				what = "VACUUM"
			}
			return c.at(pgerror.Newf(pgerror.SyntaxError, "unrecognized %s option \"%s\"", what, e.Defname), e.Location)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case o.full && o.parallel:
		return pgerror.New(pgerror.FeatureNotSupported, "VACUUM FULL cannot be performed in parallel")
	case o.full && o.allPages:
		return pgerror.New(pgerror.FeatureNotSupported, "VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL")
	case o.full && o.noToast:
		return pgerror.New(pgerror.FeatureNotSupported, "PROCESS_TOAST required with VACUUM FULL")
	}
	return nil
}

// indexCleanup reads INDEX_CLEANUP: a boolean or AUTO, which is on: all indexes are always cleaned.
func (o *vacuumOptions) indexCleanup(e *pg_query.DefElem) error {
	if strings.EqualFold(defText(e), "auto") {
		return nil
	}
	v, err := defBool(e)
	o.noIndexes = !v
	return err
}

// parallelOption reads PARALLEL; one worker cleans all indexes whatever it says.
func (c *Context) parallelOption(o *vacuumOptions, e *pg_query.DefElem) error {
	if e.Arg == nil {
		return c.at(pgerror.New(pgerror.SyntaxError, "parallel option requires a value between 0 and 1024"), e.Location)
	}
	n, err := defInt(e)
	if err == nil && (n < 0 || n > 1024) {
		err = c.at(pgerror.New(pgerror.SyntaxError, "parallel workers for vacuum must be between 0 and 1024"), e.Location)
	}
	o.parallel = n > 0
	return err
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
func (c *Context) vacuumOne(t vacuumTarget, o vacuumOptions) error {
	what := "vacuum"
	if !o.vacuum {
		what = "analyze"
	}
	class, err := c.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(t.oid))
	if err != nil || class == nil {
		return err
	}
	if may, err := c.mayVacuum(class, what); err != nil || !may {
		return err
	}
	if err := c.lockForVacuum(t, o); err != nil {
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
		c.warning(pgerror.Warning, "skipping \"%s\" --- cannot %s non-tables or special system tables", d.Name, what)
		return nil
	}
	if c.foreignTemporary(d) {
		return nil
	}
	switch {
	case o.full:
		if err := c.vacuumFull(d, o); err != nil {
			return err
		}
	case o.vacuum:
		if err := c.vacuumTable(d, o); err != nil {
			return err
		}
	}
	if o.analyze {
		return c.analyzeTable(d, t.columns, o.verbose)
	}
	return nil
}

// mayVacuum tells whether the role may work on a table; that it may not is a warning.
func (c *Context) mayVacuum(class catalog.Row, what string) (bool, error) {
	owns, err := c.View.MemberOf(c.Session.Role, class.OID(bootstrap.ColClassRelowner))
	shared := class.Bool(bootstrap.ColClassRelisshared)
	if err == nil && !owns && !shared {
		owns, err = c.View.MemberOf(c.Session.Role, c.Session.Database.Owner)
	}
	if err != nil || owns {
		return owns, err
	}
	who := "table or database owner"
	switch {
	case shared:
		who = "superuser"
	case class.OID(bootstrap.ColClassRelnamespace) == bootstrap.NamespacePgCatalog:
		who = "superuser or database owner"
	}
	c.warning(pgerror.Warning, "skipping \"%s\" --- only %s can %s it", class.Text(bootstrap.ColClassRelname), who, what)
	return false, nil
}

// lockForVacuum takes the lock of a table to be vacuumed or analysed.
func (c *Context) lockForVacuum(t vacuumTarget, o vacuumOptions) error {
	if !o.full {
		return c.lockRelation(t.oid, lock.ShareUpdateExclusive, t.name, o.skipLocked)
	}
	if isCatalog(t.oid) {
		if err := c.lockRewrite(o.skipLocked); err != nil {
			return err
		}
	}
	return c.lockRelation(t.oid, lock.AccessExclusive, t.name, o.skipLocked)
}

// vacuumFull rewrites a table without what nobody sees.
func (c *Context) vacuumFull(d *relation.Desc, o vacuumOptions) error {
	if o.verbose {
		c.info("vacuuming \"%s.%s\"", d.Schema, d.Name)
	}
	defer c.report("CLUSTER", d.OID, byVacuumFull)()
	n, err := c.rebuild(d.OID, nil)
	if err == nil && o.verbose {
		c.tellRebuilt(d, n)
	}
	c.Builder.Stats.Table(d.File.Database, d.OID).Vacuumed(time.Now().UnixNano(), n.dying, c.Session.Worker != nil)
	return err
}

func (c *Context) vacuumTable(d *relation.Desc, o vacuumOptions) error {
	t := c.Opened.Table(d)
	var indexes []vacuum.Index
	for _, ix := range d.Indexes {
		indexes = append(indexes, c.Opened.Tree(ix, d.Logged()).NewWriter(c.Task))
	}
	vo := vacuum.Options{Full: o.allPages, KeepIndexes: o.noIndexes || !boolOption(d.Options, "vacuum_index_cleanup", true),
		Delay: c.costDelay(d.Options)}
	if !o.noTruncate && boolOption(d.Options, "vacuum_truncate", true) {
		c.cutTail(d, &vo)
	}
	if err := c.settling(d, o, &vo); err != nil {
		return err
	}
	if o.verbose {
		c.info("vacuuming \"%s.%s.%s\"", c.Session.Database.Name, d.Schema, d.Name)
	}
	vo.Progress = func(p vacuum.Progress) {
		c.progress.Set(0, int64(p.Phase), int64(p.Pages), int64(p.Scanned), int64(p.Vacuumed), int64(p.IndexPasses), int64(p.MaxDead),
			int64(p.Dead))
	}
	start, used := time.Now(), c.Task.Buffers
	before := c.indexPages(d)
	done := c.report("VACUUM", d.OID, 0)
	r, err := vacuum.Table(c.Task, c.Tx.Manager(), t, indexes, vo)
	done()
	if err != nil {
		return err
	}
	if o.verbose {
		now := c.Task.Buffers
		used = activity.BufferCounts{Hit: now.Hit - used.Hit, Read: now.Read - used.Read, Dirtied: now.Dirtied - used.Dirtied}
		c.tellVacuumed(d, r, before, used, time.Since(start))
	}
	c.Builder.Stats.Table(d.File.Database, d.OID).Vacuumed(time.Now().UnixNano(), r.Dying, c.Session.Worker != nil)
	if err := c.keepVacuumCounts(d, t, r); err != nil || d.ToastRel == nil || o.noToast {
		return err
	}
	if err := c.lockRelation(d.Toast, lock.ShareUpdateExclusive, d.ToastRel.Name, false); err != nil {
		return err
	}
	return c.vacuumTable(d.ToastRel, o)
}

// cutTail lets a run cut an empty tail off: it tries to get the table for itself now and then, without queueing, so that
// nobody waits behind it.
func (c *Context) cutTail(d *relation.Desc, vo *vacuum.Options) {
	const tries, pause = 100, 50 * time.Millisecond
	owner, locks := c.Session.Proc.Owner(), c.Tx.Manager().Locks()
	tag := lock.Relation(c.database(), d.OID)
	if d.Shared {
		tag = lock.Relation(0, d.OID)
	}
	vo.TryExclusive = func() bool {
		for range tries {
			_, err := locks.Acquire(c.Task, owner, lock.Request{Tag: tag, Mode: lock.AccessExclusive, NoWait: true})
			if err == nil {
				return true
			}
			if err := c.Task.Wait(activity.EventVacuumTruncate, nil, pause); !errors.Is(err, activity.ErrTimeout) {
				return false
			}
		}
		return false
	}
	vo.Release = func() { locks.Release(owner, tag, lock.AccessExclusive, false) }
}

// indexPages counts the pages that the indexes of a table do not use.
func (c *Context) indexPages(d *relation.Desc) []btree.Pages {
	var out []btree.Pages
	for _, ix := range d.Indexes {
		out = append(out, c.Opened.Tree(ix, d.Logged()).Pages())
	}
	return out
}

func (c *Context) tellVacuumed(d *relation.Desc, r vacuum.Report, before []btree.Pages, used activity.BufferCounts, took time.Duration) {
	share := func(n base.BlockNumber) float64 {
		if r.Pages == 0 {
			return 100
		}
		return 100 * float64(n) / float64(r.Pages)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "finished vacuuming \"%s.%s.%s\": index scans: %d\n", c.Session.Database.Name, d.Schema, d.Name, r.IndexPasses)
	fmt.Fprintf(&b, "pages: %d removed, %d remain, %d scanned (%.2f%% of total)\n", r.Truncated, r.Pages-r.Truncated, r.Scanned, share(r.Scanned))
	fmt.Fprintf(&b, "tuples: %d removed, %d remain, %d are dead but not yet removable\n", r.Removed, r.Live, r.Dying)
	need := "not needed"
	if r.IndexPasses > 0 {
		need = "needed"
	}
	fmt.Fprintf(&b, "index scan %s: %d pages from table (%.2f%% of total) had %d dead item identifiers removed\n",
		need, r.DeadPages, share(r.DeadPages), r.DeadPointers)
	if r.IndexPasses > 0 {
		for i, ix := range d.Indexes {
			tree := c.Opened.Tree(ix, d.Logged())
			if n, err := tree.Blocks(); err == nil {
				p := tree.Pages()
				fmt.Fprintf(&b, "index \"%s\": pages: %d in total, %d newly deleted, %d currently deleted, %d reusable\n", ix.Name, n,
					p.Went-before[i].Went, p.Free, p.Reusable)
			}
		}
	}
	fmt.Fprintf(&b, "buffer usage: %d hits, %d misses, %d dirtied\n", used.Hit, used.Read, used.Dirtied)
	fmt.Fprintf(&b, "system usage: elapsed: %.2f s", took.Seconds())
	c.info("%s", b.String())
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
		c.settled(row, r)
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
