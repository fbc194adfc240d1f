package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
)

// rebuilt is what a rebuild of a table counted.
type rebuilt struct {
	removed, kept, dying int64
	pages                base.BlockNumber // before
}

// rebuild copies a table, with its TOAST relation, into new files and builds its indexes anew: VACUUM FULL and CLUSTER. order
// gives the sequence of rows, nil the one there is. The caller holds the table exclusively. The old files go at commit.
func (c *Context) rebuild(oid base.OID, order *relation.Index) (rebuilt, error) {
	old, err := c.relation(oid)
	if err != nil {
		return rebuilt{}, err
	}
	if isCatalog(oid) {
		return c.rebuildCatalog(old, order)
	}
	h := c.Tx.Manager().RefreshHorizon() // one for rows and chunks: neither may stay without the other
	if old.ToastRel != nil {
		if _, err := c.copyVersions(old.ToastRel, nil, h); err != nil {
			return rebuilt{}, err
		}
		if _, err := c.reread(oid); err != nil {
			return rebuilt{}, err
		}
	}
	return c.copyVersions(old, order, h)
}

// copyVersions gives a heap and its indexes new files with the versions of rows that somebody may see.
func (c *Context) copyVersions(old *relation.Desc, order *relation.Index, h base.LSN) (n rebuilt, err error) {
	from := c.Opened.Table(old)
	if n.pages, err = from.Blocks(); err != nil {
		return n, err
	}
	d, err := c.newFile(old.OID)
	if err != nil {
		return n, err
	}
	if err := c.makeHeap(d); err != nil {
		return n, err
	}
	r, err := c.copyHeap(d, from, order, h)
	if err != nil {
		return n, err
	}
	n.removed, n.kept, n.dying = r.Removed, r.Live+r.Dying, r.Dying
	for _, ix := range d.Indexes {
		if _, err := c.newFile(ix.OID); err != nil {
			return n, err
		}
	}
	if d, err = c.reread(old.OID); err != nil {
		return n, err
	}
	for _, ix := range d.Indexes {
		if err := c.indexVersions(d, ix); err != nil {
			return n, err
		}
	}
	c.progress.Set(clusterPhase, clusterCleanup)
	pages, err := c.Opened.Table(d).Blocks()
	if err != nil {
		return n, err
	}
	return n, c.keepRebuilt(d.OID, pages, r.Live)
}

// keepRebuilt keeps the size of a table that was just copied in pg_class.
func (c *Context) keepRebuilt(oid base.OID, pages base.BlockNumber, live int64) error {
	return c.editClass(oid, func(row catalog.Row) {
		row.SetInt(bootstrap.ColClassRelpages, int64(pages))
		row.SetFloat(bootstrap.ColClassReltuples, float64(float32(live)))
		row.SetInt(bootstrap.ColClassRelallvisible, 0)
	})
}

// copyHeap copies what somebody may see at horizon h of a heap to that of d.
func (c *Context) copyHeap(d *relation.Desc, from *heap.Table, order *relation.Index, h base.LSN) (*heap.Rewriter, error) {
	r, err := heap.NewRewriter(c.Opened.Table(d).NewWriter(c.Task, c.Tx, c.Wait), from, h)
	if err != nil {
		return nil, err
	}
	pages, err := from.Blocks()
	if err != nil {
		return nil, err
	}
	r.Progress = func(done base.BlockNumber) {
		c.progress.Set(clusterTuples, r.Removed+r.Live+r.Dying, r.Live+r.Dying)
		c.progress.Set(clusterBlocks, int64(pages), int64(done))
	}
	c.progress.Set(clusterIndexes, 0)
	if order == nil {
		c.progress.Set(clusterPhase, clusterSeqScan)
		err = r.All()
	} else {
		c.progress.Set(clusterPhase, clusterIndexScan)
		err = c.copyInOrder(r, c.Opened.Tree(order, from.Desc.Logged()))
	}
	c.progress.Set(clusterPhase, clusterRebuilding)
	return r, err
}

func (c *Context) copyInOrder(r *heap.Rewriter, tree *btree.Index) error {
	s := tree.NewScan(c.Task)
	s.Reset(btree.Range{}, false, false)
	for {
		tids, err := s.Next()
		if err != nil {
			return err
		}
		if len(tids) == 0 {
			return r.Flush()
		}
		if err := c.Task.Breathe(); err != nil {
			return err
		}
		for _, tid := range tids {
			if err := r.Row(tid); err != nil {
				return err
			}
		}
	}
}

// indexVersions builds the tree of an index over all versions of the rows of a heap that was just copied. That keys are
// unique was seen when they were inserted.
func (c *Context) indexVersions(d *relation.Desc, ix *relation.Index) error {
	n, err := c.indexEntries(d, ix)
	if err != nil {
		return err
	}
	return c.keepIndexSize(d, ix, n)
}

// indexEntries is indexVersions without an entry in pg_class; it gives the number of entries.
func (c *Context) indexEntries(d *relation.Desc, ix *relation.Index) (int, error) {
	s, err := c.scanVersions(d, &mvcc.Snapshot{Any: true})
	if err != nil {
		return 0, err
	}
	set := &entrySet{}
	if err := c.collect(d, ix, s, set); err != nil {
		return 0, err
	}
	if err := c.writeTree(d, ix, set); err != nil {
		return 0, err
	}
	c.progress.Add(clusterIndexes, 1)
	return len(set.list), nil
}

// collect makes the entries of an index for what a scan reads, in order.
func (c *Context) collect(d *relation.Desc, ix *relation.Index, s *tableScan, set *entrySet) error {
	k, err := c.keyMaker(d, ix)
	if err != nil {
		return err
	}
	for {
		more, err := s.next()
		if err != nil {
			return err
		}
		if !more {
			return set.sort(c.Task.Breathe)
		}
		if err := k.batch(s, set); err != nil {
			return err
		}
	}
}

// keepIndexSize keeps the size of an index in pg_class.
func (c *Context) keepIndexSize(d *relation.Desc, ix *relation.Index, entries int) error {
	blocks, err := c.Opened.Tree(ix, d.Logged()).Blocks()
	if err != nil {
		return err
	}
	return c.editClass(ix.OID, func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelpages, int64(blocks))
		r.SetFloat(bootstrap.ColClassReltuples, float64(float32(entries)))
	})
}

// clusterStmt is CLUSTER.
func clusterStmt(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetClusterStmt()
	verbose := false
	for _, n := range s.Params {
		e := n.GetDefElem()
		if e.Defname != "verbose" {
			return "", c.at(pgerror.Newf(pgerror.SyntaxError, "unrecognized CLUSTER option \"%s\"", e.Defname), e.Location)
		}
		v, err := defBool(e)
		if err != nil {
			return "", err
		}
		verbose = v
	}
	if s.Relation != nil {
		if oid, err := c.findRelation(s.Relation); err != nil {
			return "", err
		} else if isCatalog(oid) {
			err := c.mayRewrite(c.View.Catalog(oid))
			if err == nil {
				err = c.lockRewrite(false)
			}
			if err != nil {
				return "", err
			}
		}
		d, err := c.open(s.Relation, lock.AccessExclusive, false)
		if err != nil {
			return "", err
		}
		if err := c.mayRewrite(d); err != nil {
			return "", err
		}
		return "CLUSTER", c.cluster(d, s.Indexname, verbose)
	}
	if err := c.topLevel("CLUSTER"); err != nil {
		return "", err
	}
	return "CLUSTER", c.clusterAll(verbose)
}

// cluster orders a table by an index: the one named, or the one it was ordered by before.
func (c *Context) cluster(d *relation.Desc, index string, verbose bool) error {
	if d.Kind != relation.KindTable {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table or materialized view", d.Name)
	}
	marked, err := c.clusteredIndex(d)
	if err != nil {
		return err
	}
	ix := marked
	if index != "" {
		if ix, err = c.clusterIndex(d, index); err != nil {
			return err
		}
	} else if ix == nil {
		return pgerror.Newf(pgerror.UndefinedObject, "there is no previously clustered index for table \"%s\"", d.Name)
	}
	if d.Shared {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot cluster a shared catalog")
	}
	if verbose {
		c.info("clustering \"%s.%s\" using index scan on \"%s\"", d.Schema, d.Name, ix.Name)
	}
	if err := c.markClustered(d, ix); err != nil {
		return err
	}
	defer c.report("CLUSTER", d.OID, byCluster)()
	c.progress.Set(clusterIndex, int64(ix.OID))
	n, err := c.rebuild(d.OID, ix)
	if err == nil && verbose {
		c.tellRebuilt(d, n)
	}
	return err
}

func (c *Context) tellRebuilt(d *relation.Desc, n rebuilt) {
	e := pgerror.Notice(pgerror.SeverityInfo, pgerror.SuccessfulCompletion,
		"\"%s.%s\": found %d removable, %d nonremovable row versions in %d pages", d.Schema, d.Name, n.removed, n.kept, n.pages)
	c.Session.Notice(e.WithDetail("%d dead row versions cannot be removed yet.", n.dying))
}

// clusterIndex finds an index of a table by name and makes sure that a table can be ordered by it.
func (c *Context) clusterIndex(d *relation.Desc, name string) (*relation.Index, error) {
	oid, err := c.View.RelationByName(d.Namespace, name)
	if err != nil {
		return nil, err
	}
	if oid == 0 {
		return nil, pgerror.Newf(pgerror.UndefinedObject, "index \"%s\" for table \"%s\" does not exist", name, d.Name)
	}
	ix := findIndex(d, oid)
	switch {
	case ix == nil:
		return nil, pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not an index for table \"%s\"", name, d.Name)
	case ix.Predicate != "":
		return nil, pgerror.Newf(pgerror.FeatureNotSupported, "cannot cluster on partial index \"%s\"", name)
	case !ix.Valid:
		return nil, pgerror.Newf(pgerror.FeatureNotSupported, "cannot cluster on invalid index \"%s\"", name)
	}
	return ix, nil
}

// clusteredIndex gives the index that a table was ordered by, nil for none.
func (c *Context) clusteredIndex(d *relation.Desc) (*relation.Index, error) {
	for _, ix := range d.Indexes {
		r, err := c.View.Row(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, oidKey(ix.OID))
		if err != nil {
			return nil, err
		}
		if r != nil && r.Bool(bootstrap.ColIndexIndisclustered) {
			return ix, nil
		}
	}
	return nil, nil
}

// markClustered remembers by which index a table is ordered; nil for none.
func (c *Context) markClustered(d *relation.Desc, ix *relation.Index) error {
	for _, x := range d.Indexes {
		r, tid, err := c.Editor.One(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, oidKey(x.OID))
		if err != nil {
			return err
		}
		if r == nil || r.Bool(bootstrap.ColIndexIndisclustered) == (x == ix) {
			continue
		}
		r.SetBool(bootstrap.ColIndexIndisclustered, x == ix)
		if err := c.Editor.Update(bootstrap.RelIndex, tid, r); err != nil {
			return err
		}
	}
	return nil
}

// clusterAll orders every table of the role that was ordered before, each in a transaction of its own.
func (c *Context) clusterAll(verbose bool) error {
	var tables []base.OID
	err := c.View.Scan(bootstrap.RelIndex, 0, nil, func(_ base.TID, r catalog.Row) error {
		if r.Bool(bootstrap.ColIndexIndisclustered) {
			tables = append(tables, r.OID(bootstrap.ColIndexIndrelid))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, oid := range tables {
		if err := c.Restart(); err != nil {
			return err
		}
		d, err := c.View.Relation(oid)
		if err != nil {
			return err
		}
		if d == nil || c.foreignTemporary(d) {
			continue
		}
		if owns, err := c.View.MemberOf(c.Session.Role, d.Owner); err != nil || !owns {
			continue
		}
		if isCatalog(oid) {
			if err := c.lockRewrite(false); err != nil {
				return err
			}
		}
		if err := c.lockRelation(oid, lock.AccessExclusive, d.Name, false); err != nil {
			return err
		}
		if d, err = c.relation(oid); err != nil {
			return err
		}
		if err := c.cluster(d, "", verbose); err != nil && pgerror.Code(err) != pgerror.UndefinedObject {
			return err
		}
	}
	return nil
}

// foreignTemporary tells whether a relation is another session's temporary one.
func (c *Context) foreignTemporary(d *relation.Desc) bool {
	return d.Persistence == relation.Temporary && d.File.Temp != c.Session.ID
}
