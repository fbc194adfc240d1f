package bootstrap

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"manifold/engine/base"
	"manifold/engine/relation"
	"manifold/engine/storage"
	"manifold/engine/types"
)

// Well-known object identifiers of a fresh cluster.
const (
	NamespacePgCatalog base.OID = 11
	NamespaceToast     base.OID = 99
	NamespacePublic    base.OID = 2200
	RolePostgres       base.OID = 10
	DatabaseTemplate1  base.OID = 1
	DatabaseTemplate0  base.OID = 4
	DatabasePostgres   base.OID = 5
	MethodHeap         base.OID = 2
	MethodBtree        base.OID = 403
	MethodHash         base.OID = 405
	CollationDefault   base.OID = 100
	CollationC         base.OID = 950
	LanguageInternal   base.OID = 12
	LanguageC          base.OID = 13
	LanguageSQL        base.OID = 14
)

// Relations gives the static descriptors of the catalogs, tables before their indexes, in OID order. File.Database is zero:
// of a catalog that is not shared, every database has its own copy (see In).
func Relations() []*relation.Desc { return schema().list }

// Relation gives the static descriptor of a catalog or of an index of one.
func Relation(oid base.OID) (*relation.Desc, bool) {
	d, ok := schema().byOID[oid]
	return d, ok
}

// In gives the descriptor as database db has it: a copy whose files are db's, in the tablespace home, or those of the cluster for
// a shared catalog. files is the relation map of the one or the other.
func In(d *relation.Desc, db, home base.OID, files *storage.RelMap) *relation.Desc {
	if d.Shared {
		if Fits(d, files) {
			return d
		}
		db, home = 0, base.GlobalTablespace
	}
	file := func(oid base.OID) base.RelFile {
		return base.RelFile{Space: home, Database: db, Number: files.Number(oid)}
	}
	c := *d
	c.File = file(d.OID)
	c.Indexes = make([]*relation.Index, len(d.Indexes))
	for i, x := range d.Indexes {
		ic, xd := *x, *x.Desc
		ic.File, xd.File = file(x.OID), file(x.OID)
		xd.Index = &ic
		ic.Desc = &xd
		c.Indexes[i] = &ic
	}
	if d.Index != nil {
		ic := *d.Index
		ic.File, ic.Desc = c.File, &c
		c.Index = &ic
	}
	return &c
}

// Fits tells whether the files of a descriptor are those that a map gives.
func Fits(d *relation.Desc, files *storage.RelMap) bool {
	return d.File.Number == files.Number(d.OID) &&
		!slices.ContainsFunc(d.Indexes, func(x *relation.Index) bool { return x.File.Number != files.Number(x.OID) })
}

type schemaTable struct {
	list  []*relation.Desc
	byOID map[base.OID]*relation.Desc
}

var schema = sync.OnceValue(buildSchema)

func buildSchema() *schemaTable {
	s := &schemaTable{byOID: map[base.OID]*relation.Desc{}}
	classes := table("pg_class")
	var indexes []*relation.Desc
	for classes.next() {
		d := &relation.Desc{
			OID: classes.oid("oid"), Name: classes.text("relname"), Schema: "pg_catalog", Namespace: NamespacePgCatalog,
			Kind: classes.text("relkind")[0], Persistence: relation.Permanent, Owner: RolePostgres,
			Shared: classes.text("relisshared") == "t", System: true,
		}
		d.File = base.RelFile{Space: base.DefaultTablespace, Number: d.OID}
		if d.Shared {
			d.File.Space = base.GlobalTablespace
		}
		s.byOID[d.OID] = d
		if d.Kind == relation.KindIndex {
			indexes = append(indexes, d)
		} else {
			s.list = append(s.list, d)
		}
	}
	s.list = append(s.list, indexes...)
	addColumns(s)
	addIndexes(s)
	rowTypes := table("pg_type")
	for rowTypes.next() {
		if d, ok := s.byOID[rowTypes.oid("typrelid")]; ok {
			d.RowType = rowTypes.oid("oid")
		}
	}
	return s
}

func addColumns(s *schemaTable) {
	attrs := table("pg_attribute")
	for attrs.next() {
		d := s.byOID[attrs.oid("attrelid")]
		typ := attrs.oid("atttypid")
		d.Columns = append(d.Columns, relation.Column{
			Name: attrs.text("attname"), Type: typ, Typmod: int32(attrs.int("atttypmod")), Len: types.Len(typ),
			Collation: attrs.oid("attcollation"), NotNull: attrs.text("attnotnull") == "t",
			Storage: attrs.text("attstorage")[0],
		})
	}
}

func addIndexes(s *schemaTable) {
	rows := table("pg_index")
	for rows.next() {
		d, tbl := s.byOID[rows.oid("indexrelid")], s.byOID[rows.oid("indrelid")]
		x := &relation.Index{
			OID: d.OID, Table: tbl.OID, Name: d.Name, File: d.File, Unique: rows.text("indisunique") == "t",
			Primary: rows.text("indisprimary") == "t", Valid: true, Ready: true, Immediate: true, Method: "btree", Desc: d,
		}
		collations, classes := rows.list("indcollation"), rows.list("indclass")
		for i, n := range rows.list("indkey") {
			x.Keys = append(x.Keys, relation.IndexKey{
				Attr: int16(n), Type: tbl.Columns[n-1].Type, Collation: base.OID(collations[i]), Opclass: base.OID(classes[i]),
			})
		}
		d.Index = x
		tbl.Indexes = append(tbl.Indexes, x)
	}
}

// cursor reads the rows of one catalog's facts by column name.
type cursor struct {
	name  string
	facts Facts
	row   int
}

func table(name string) *cursor { return &cursor{name: name, facts: Load(name), row: -1} }

func (c *cursor) next() bool {
	c.row++
	return c.row < len(c.facts.Rows)
}

func (c *cursor) text(column string) string {
	i := c.facts.Column(column)
	if i < 0 {
		panic(fmt.Sprintf("facts of %s have no column %s", c.name, column))
	}
	return c.facts.Rows[c.row][i]
}

func (c *cursor) int(column string) int64 {
	n, err := strconv.ParseInt(c.text(column), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("facts of %s: column %s: %v", c.name, column, err))
	}
	return n
}

func (c *cursor) oid(column string) base.OID { return base.OID(c.int(column)) }

func (c *cursor) list(column string) []int64 {
	var out []int64
	n, started, neg := int64(0), false, false
	for _, r := range c.text(column) + " " {
		switch {
		case r == '-':
			neg = true
		case r >= '0' && r <= '9':
			n, started = n*10+int64(r-'0'), true
		case started:
			if neg {
				n = -n
			}
			out = append(out, n)
			n, started, neg = 0, false, false
		}
	}
	return out
}
