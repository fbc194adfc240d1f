package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
)

// reindexOptions are those of REINDEX.
type reindexOptions struct {
	concurrently bool
	verbose      bool
}

func reindex(c *Context, node *pg_query.Node) (string, error) {
	const tag = "REINDEX"
	s := node.GetReindexStmt()
	var o reindexOptions
	for _, n := range s.Params {
		e := n.GetDefElem()
		switch e.Defname {
		case "verbose", "concurrently":
			v, err := defBool(e)
			if err != nil {
				return "", err
			}
			o.verbose = o.verbose || e.Defname == "verbose" && v
			o.concurrently = o.concurrently || e.Defname == "concurrently" && v
		case "tablespace":
			return "", pgerror.Unsupported("REINDEX (TABLESPACE)")
		default:
			return "", c.at(pgerror.Newf(pgerror.SyntaxError, "unrecognized REINDEX option \"%s\"", e.Defname), e.Location)
		}
	}
	if o.concurrently {
		if err := c.topLevel("REINDEX CONCURRENTLY"); err != nil {
			return "", err
		}
	}
	switch s.Kind {
	case pg_query.ReindexObjectType_REINDEX_OBJECT_INDEX:
		return tag, c.reindexNamed(s.Relation, o)
	case pg_query.ReindexObjectType_REINDEX_OBJECT_TABLE:
		return tag, c.reindexTableNamed(s.Relation, o)
	}
	return tag, c.reindexMany(s, o)
}

// reindexNamed is REINDEX INDEX.
func (c *Context) reindexNamed(rv *pg_query.RangeVar, o reindexOptions) error {
	d, err := c.existing(rv)
	if err != nil {
		return err
	}
	if d.Kind != relation.KindIndex || d.Index == nil {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not an index", d.Name)
	}
	if err := c.mayRewrite(d); err != nil {
		return err
	}
	t, err := c.lockForReindex(d.Index.Table, o)
	if err != nil || t == nil {
		return err
	}
	for _, ix := range t.Indexes {
		if ix.OID == d.OID {
			return c.reindexOne(t, ix, o)
		}
	}
	return nil
}

// existing finds a relation without a lock.
func (c *Context) existing(rv *pg_query.RangeVar) (*relation.Desc, error) {
	oid, err := c.findRelation(rv)
	if err != nil {
		return nil, err
	}
	d, err := c.View.Relation(oid)
	if err == nil && (oid == 0 || d == nil) {
		err = pgerror.Newf(pgerror.UndefinedTable, "relation \"%s\" does not exist", shown(rv))
	}
	return d, err
}

// lockForReindex locks a table whose indexes are to be built anew; nil when it is gone. Readers lock no indexes of their own
// here, so that the table's lock has to keep them from the old file too (PostgreSQL takes SHARE and the index's own lock).
func (c *Context) lockForReindex(table base.OID, o reindexOptions) (*relation.Desc, error) {
	mode := lock.AccessExclusive
	if o.concurrently {
		mode = lock.ShareUpdateExclusive
	}
	if isCatalog(table) {
		if o.concurrently {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "cannot reindex system catalogs concurrently")
		}
		if err := c.lockRewrite(false); err != nil {
			return nil, err
		}
	}
	if err := c.lockRelation(table, mode, "table", false); err != nil {
		return nil, err
	}
	d, err := c.View.Relation(table)
	if err != nil || d == nil {
		return nil, err
	}
	return d, c.notPending(d, "REINDEX INDEX")
}

// reindexTableNamed is REINDEX TABLE.
func (c *Context) reindexTableNamed(rv *pg_query.RangeVar, o reindexOptions) error {
	d, err := c.existing(rv)
	if err != nil {
		return err
	}
	if d.Kind != relation.KindTable && d.Kind != relation.KindToast {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table or materialized view", d.Name)
	}
	if o.concurrently && d.OID < base.FirstNormalOID {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot reindex system catalogs concurrently")
	}
	if err := c.mayRewrite(d); err != nil {
		return err
	}
	some, err := c.reindexTable(d.OID, o)
	if err != nil || some {
		return err
	}
	if o.concurrently {
		c.notice(pgerror.SuccessfulCompletion, "table \"%s\" has no indexes that can be reindexed concurrently", d.Name)
	} else {
		c.notice(pgerror.SuccessfulCompletion, "table \"%s\" has no indexes to reindex", d.Name)
	}
	return nil
}

// reindexTable builds the indexes of a table and of its TOAST relation anew; some tells whether there are some.
func (c *Context) reindexTable(oid base.OID, o reindexOptions) (some bool, err error) {
	d, err := c.lockForReindex(oid, o)
	if err != nil || d == nil {
		return false, err
	}
	toast := d.Toast
	for _, old := range d.Indexes {
		if d, err = c.lockForReindex(oid, o); err != nil || d == nil {
			return some, err
		}
		ix := findIndex(d, old.OID)
		if ix == nil {
			continue
		}
		if o.concurrently && !ix.Valid {
			c.warning(pgerror.FeatureNotSupported, "cannot reindex invalid index \"%s.%s\" concurrently, skipping", d.Schema, ix.Name)
			continue
		}
		some = true
		if err := c.reindexOne(d, ix, o); err != nil {
			return some, err
		}
	}
	if toast == 0 || o.concurrently {
		return some, nil
	}
	more, err := c.reindexTable(toast, o)
	return some || more, err
}

// reindexOne builds one index anew.
func (c *Context) reindexOne(d *relation.Desc, ix *relation.Index, o reindexOptions) error {
	if o.concurrently && d.Persistence != relation.Temporary {
		defer c.report("CREATE INDEX", d.OID, byReindex+concurrent)()
		if d.Kind == relation.KindToast {
			return pgerror.Unsupported("REINDEX CONCURRENTLY of a TOAST relation")
		}
		if err := c.replaceIndex(d, ix); err != nil {
			return err
		}
	} else {
		if err := c.lockRelation(ix.OID, lock.AccessExclusive, ix.Name, false); err != nil {
			return err
		}
		defer c.report("CREATE INDEX", d.OID, byReindex)()
		if err := c.buildAnew(d, ix); err != nil {
			return err
		}
		if !ix.Valid || !ix.Ready {
			err := c.indexFlags(d.OID, ix.OID, func(r catalog.Row) {
				r.SetBool(bootstrap.ColIndexIndisvalid, true)
				r.SetBool(bootstrap.ColIndexIndisready, true)
			})
			if err != nil {
				return err
			}
		}
	}
	if o.verbose {
		c.Session.Notice(pgerror.Notice(pgerror.SeverityInfo, pgerror.SuccessfulCompletion, "index \"%s\" was reindexed", ix.Name))
	}
	return nil
}

// buildAnew gives an index a new file with a new tree.
func (c *Context) buildAnew(d *relation.Desc, ix *relation.Index) error {
	if isCatalog(d.OID) {
		return c.reindexCatalog(d, ix)
	}
	if _, err := c.newFile(ix.OID); err != nil {
		return err
	}
	if _, err := c.reread(d.OID); err != nil {
		return err
	}
	return c.fillIndex(d.OID, ix.OID)
}

// reindexMany is REINDEX SCHEMA, DATABASE and SYSTEM: each table in a transaction of its own.
func (c *Context) reindexMany(s *pg_query.ReindexStmt, o reindexOptions) error {
	what := map[pg_query.ReindexObjectType]string{pg_query.ReindexObjectType_REINDEX_OBJECT_SCHEMA: "REINDEX SCHEMA",
		pg_query.ReindexObjectType_REINDEX_OBJECT_SYSTEM:   "REINDEX SYSTEM",
		pg_query.ReindexObjectType_REINDEX_OBJECT_DATABASE: "REINDEX DATABASE"}[s.Kind]
	if err := c.topLevel(what); err != nil {
		return err
	}
	var schema base.OID
	if s.Kind == pg_query.ReindexObjectType_REINDEX_OBJECT_SCHEMA {
		ns, err := c.View.NamespaceByName(s.Name)
		if err != nil {
			return err
		}
		if ns == nil {
			return pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", s.Name)
		}
		if err := c.ownsSchema(ns); err != nil {
			return err
		}
		schema = ns.OID
	} else {
		if s.Name != "" && s.Name != c.Session.Database.Name {
			return pgerror.New(pgerror.FeatureNotSupported, "can only reindex the currently open database")
		}
		owns, err := c.View.MemberOf(c.Session.Role, c.Session.Database.Owner)
		if err != nil {
			return err
		}
		if !owns {
			return pgerror.Newf(pgerror.InsufficientPrivilege, "must be owner of database %s", c.Session.Database.Name)
		}
	}
	system := s.Kind == pg_query.ReindexObjectType_REINDEX_OBJECT_SYSTEM
	if system && o.concurrently {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot reindex system catalogs concurrently")
	}
	list, err := c.reindexTargets(schema, system, o)
	if err != nil {
		return err
	}
	for _, oid := range list {
		some, err := c.reindexTable(oid, o)
		if err != nil {
			return err
		}
		if d, err := c.View.Relation(oid); err == nil && d != nil && some && o.verbose {
			c.info("table \"%s.%s\" was reindexed", d.Schema, d.Name)
		}
		if err := c.Restart(); err != nil {
			return err
		}
	}
	return nil
}

// reindexTargets lists the tables of a schema, or of the database, or its catalogs, that the session can reach: pg_class first, then
// nothing that is changed later is an index in the old file.
func (c *Context) reindexTargets(schema base.OID, system bool, o reindexOptions) ([]base.OID, error) {
	var out []base.OID
	warned := false
	err := c.View.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
		oid, ns := r.OID(bootstrap.ColClassOid), r.OID(bootstrap.ColClassRelnamespace)
		temporary := r.Byte(bootstrap.ColClassRelpersistence) == relation.Temporary
		switch {
		case r.Byte(bootstrap.ColClassRelkind) != relation.KindTable, schema != 0 && ns != schema, system && !isCatalog(oid),
			temporary && ns != c.Session.Temp.Namespace:
			return nil
		case r.Bool(bootstrap.ColClassRelisshared):
			if owns, err := c.View.MemberOf(c.Session.Role, r.OID(bootstrap.ColClassRelowner)); err != nil || !owns {
				return err
			}
		}
		switch {
		case o.concurrently && isCatalog(oid):
			if !warned {
				c.warning(pgerror.FeatureNotSupported, "cannot reindex system catalogs concurrently, skipping all")
			}
			warned = true
		case oid == bootstrap.RelClass:
			out = append([]base.OID{oid}, out...)
		default:
			out = append(out, oid)
		}
		return nil
	})
	return out, err
}
