package command

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/compression"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/tuple"
	"manifold/engine/types"
)

// needsToast tells whether a row of the table may become too wide for a page, so that PostgreSQL gives it a TOAST relation:
// some value can leave the row, and the values together have no bound or a great one.
func (c *Context) needsToast(d *relation.Desc) (bool, error) {
	size, movable := tuple.HeaderSize, false
	for i := range d.Columns {
		col := &d.Columns[i]
		if col.Dropped {
			continue
		}
		if col.Fixed() {
			size += int(col.Len)
			continue
		}
		length, _, _, _, err := c.storageFacts(col.Type)
		if err != nil {
			return false, err
		}
		most := int(length)
		if length < 0 {
			most = maxLength(col)
			movable = movable || col.Storage != 'p'
		}
		if most < 0 {
			size = heap.ToastThreshold + 1
			continue
		}
		size += most
	}
	return movable && size > heap.ToastThreshold, nil
}

// maxLength gives the most bytes of a column of variable length, -1 when there is no bound.
func maxLength(col *relation.Column) int {
	const perChar, head = 4, 4
	mod := int(col.Typmod)
	if mod < 0 {
		return -1
	}
	switch col.Type {
	case types.OIDBPChar, types.OIDVarChar:
		return (mod-head)*perChar + head
	case types.OIDNumeric:
		precision, scale := (mod-head)>>16&0xffff, (mod-head)&0x7ff
		return head + 4 + 2*((precision+7)/4+(scale+7)/4)
	case types.OIDBit, types.OIDVarBit:
		return (mod+7)/8 + 2*head
	}
	return -1
}

// giveToast makes the TOAST relation of a table that needs one and has none.
func (c *Context) giveToast(oid base.OID) error {
	d, err := c.relation(oid)
	if err != nil || d.Toast != 0 || d.Kind != relation.KindTable {
		return err
	}
	if needs, err := c.needsToast(d); err != nil || !needs {
		return err
	}
	schema := bootstrap.NamespaceToast
	if d.Persistence == relation.Temporary {
		if schema, err = c.tempToastSchema(); err != nil {
			return err
		}
	}
	name := "pg_toast_" + itoa(int(oid))
	def := &definition{name: name, schema: schema, kind: relation.KindToast, persistence: d.Persistence, owner: d.Owner,
		method: bootstrap.MethodHeap, space: c.spaceOf(d), attributes: []attribute{
			{name: "chunk_id", typ: types.OIDOID, typmod: -1, storage: 'p'}, {name: "chunk_seq", typ: types.OIDInt4, typmod: -1, storage: 'p'},
			{name: "chunk_data", typ: types.OIDBytea, typmod: -1, storage: 'p'}}}
	toast, err := c.define(def)
	if err != nil {
		return err
	}
	td, err := c.relation(toast)
	if err != nil {
		return err
	}
	spec := &indexSpec{name: name + "_index", space: c.spaceOf(d), unique: true, primary: true, columns: []indexColumn{{name: "chunk_id"}, {name: "chunk_seq"}}}
	if _, err := c.createIndex(td, spec); err != nil {
		return err
	}
	if err := c.depend(relObject(toast), relObject(oid), depInternal); err != nil {
		return err
	}
	if err := c.editClass(oid, func(r catalog.Row) { r.SetOID(bootstrap.ColClassReltoastrelid, toast) }); err != nil {
		return err
	}
	_, err = c.reread(oid)
	return err
}

// spaceOf gives the reltablespace of a relation.
func (c *Context) spaceOf(d *relation.Desc) base.OID {
	if d.File.Space == c.View.Home() {
		return 0
	}
	return d.File.Space
}

// setToastOptions sets storage parameters of a new table's TOAST relation; without one they are of no consequence.
func (c *Context) setToastOptions(oid base.OID, list []*pg_query.Node) error {
	d, err := c.relation(oid)
	if err != nil || d.Toast == 0 || len(list) == 0 {
		return err
	}
	if err := c.editOptions(d.Toast, list, toastOptions(), false); err != nil {
		return err
	}
	_, err = c.reread(oid)
	return err
}

// newToastFile gives the TOAST relation of a table, if any, new and empty files.
func (c *Context) newToastFile(d *relation.Desc) error {
	if d.Toast == 0 {
		return nil
	}
	if err := c.emptyTable(d.Toast); err != nil {
		return err
	}
	_, err := c.reread(d.OID)
	return err
}

// setStorage is ALTER COLUMN SET STORAGE.
func (c *Context) setStorage(d *relation.Desc, attr int, word string) error {
	letters := map[string]byte{"plain": 'p', "external": 'e', "extended": 'x', "main": 'm'}
	letter, ok := letters[strings.ToLower(word)]
	if !ok {
		return pgerror.Newf(pgerror.InvalidParameterValue, "invalid storage type \"%s\"", word)
	}
	col := &d.Columns[attr-1]
	length, _, _, own, err := c.storageFacts(col.Type)
	if err != nil {
		return err
	}
	if letter != 'p' && (length > 0 || own == 'p') {
		return pgerror.Newf(pgerror.FeatureNotSupported, "column data type %s can only have storage PLAIN", c.typeName(col.Type))
	}
	if err := c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetByte(bootstrap.ColAttributeAttstorage, letter) }); err != nil {
		return err
	}
	if _, err := c.reread(d.OID); err != nil {
		return err
	}
	return c.giveToast(d.OID)
}

// setCompression is ALTER COLUMN SET COMPRESSION.
func (c *Context) setCompression(d *relation.Desc, attr int, name string) error {
	letter, err := c.compressionOf(d.Columns[attr-1].Type, name)
	if err != nil {
		return err
	}
	if err := c.editAttribute(d.OID, attr, func(r catalog.Row) { r.SetByte(bootstrap.ColAttributeAttcompression, letter) }); err != nil {
		return err
	}
	_, err = c.reread(d.OID)
	return err
}

// compressionOf gives the letter of a column's compression method by name; zero for the default.
func (c *Context) compressionOf(typ base.OID, name string) (byte, error) {
	if name == "" || name == "default" {
		return 0, nil
	}
	_, _, _, own, err := c.storageFacts(typ)
	if err != nil {
		return 0, err
	}
	if own == 'p' {
		return 0, pgerror.Newf(pgerror.FeatureNotSupported, "column data type %s does not support compression", c.typeName(typ))
	}
	m, ok := compression.Named(name)
	if !ok {
		return 0, pgerror.Newf(pgerror.InvalidParameterValue, "invalid compression method \"%s\"", name)
	}
	return m.Letter(), nil
}

func (c *Context) typeName(typ base.OID) string {
	name, _ := c.names().TypeName(typ)
	return name
}
