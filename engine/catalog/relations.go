package catalog

import (
	"sort"
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/setting"
	"manifold/engine/types"
)

// RelationByName gives the OID of the relation of a name in a schema; zero when there is none.
func (v *View) RelationByName(namespace base.OID, name string) (base.OID, error) {
	key := relName{namespace, name}
	v.cache.mu.RLock()
	oid, ok := v.cache.relNames[key]
	v.cache.mu.RUnlock()
	if ok {
		return oid, nil
	}
	before := v.cache.gen[GroupRelations].Load()
	row, _, err := v.One(bootstrap.RelClass, bootstrap.IdxClassRelnameNspIndex, types.Text(name), types.Int(int64(namespace)))
	if err != nil {
		return 0, err
	}
	if row != nil {
		oid = row.OID(bootstrap.ColClassOid)
	}
	v.cache.mu.Lock()
	if v.cache.gen[GroupRelations].Load() == before && oid != 0 {
		v.cache.relNames[key] = oid
	}
	v.cache.mu.Unlock()
	return oid, nil
}

// Relation gives the descriptor of a relation with its indexes and checks; nil when there is none.
func (v *View) Relation(oid base.OID) (*relation.Desc, error) {
	if oid < base.FirstNormalOID {
		if d := v.Catalog(oid); d != nil {
			return d, nil
		}
	}
	v.cache.mu.RLock()
	d, ok := v.cache.rels[oid]
	v.cache.mu.RUnlock()
	if ok {
		return d, nil
	}
	before := v.cache.gen[GroupRelations].Load()
	d, err := v.buildRelation(oid)
	if err != nil || d == nil {
		return nil, err
	}
	v.cache.mu.Lock()
	if v.cache.gen[GroupRelations].Load() == before {
		v.cache.keepLocked(d)
	}
	v.cache.mu.Unlock()
	return d, nil
}

func oidKey(oid base.OID) types.Datum { return types.Int(int64(oid)) }

func (v *View) buildRelation(oid base.OID) (*relation.Desc, error) {
	row, _, err := v.One(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(oid))
	if err != nil || row == nil {
		return nil, err
	}
	d := v.descFromClass(row)
	if ns, err := v.NamespaceByOID(d.Namespace); err != nil {
		return nil, err
	} else if ns != nil {
		d.Schema = ns.Name
	}
	if d.Persistence == relation.Temporary {
		d.File.Temp = sessionOf(d.Schema)
	}
	if err := v.addColumns(d); err != nil {
		return nil, err
	}
	if d.Kind == relation.KindIndex {
		return d, v.addOwnIndex(d)
	}
	if d.Toast != 0 && d.Kind == relation.KindTable {
		if err := v.addToast(d); err != nil {
			return nil, err
		}
	}
	if row.Bool(bootstrap.ColClassRelhasindex) {
		if err := v.addIndexes(d); err != nil {
			return nil, err
		}
	}
	if row.Int(bootstrap.ColClassRelchecks) > 0 {
		if err := v.addChecks(d); err != nil {
			return nil, err
		}
	}
	if d.HasTriggers {
		return d, v.addForeignKeys(d)
	}
	return d, nil
}

// addToast builds the descriptor of the TOAST relation of a table.
func (v *View) addToast(d *relation.Desc) error {
	x, err := v.buildRelation(d.Toast)
	if err != nil || x == nil {
		return err
	}
	d.ToastRel = x
	return nil
}

// sessionOf gives the number of the session whose temporary schema has a name.
func sessionOf(schema string) uint32 {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(schema, "pg_toast_temp_"), "pg_temp_"), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

func (v *View) descFromClass(r Row) *relation.Desc {
	d := &relation.Desc{
		OID: r.OID(bootstrap.ColClassOid), Name: r.Text(bootstrap.ColClassRelname), Namespace: r.OID(bootstrap.ColClassRelnamespace),
		Kind: r.Byte(bootstrap.ColClassRelkind), Persistence: r.Byte(bootstrap.ColClassRelpersistence),
		Owner: r.OID(bootstrap.ColClassRelowner), RowType: r.OID(bootstrap.ColClassReltype),
		Toast: r.OID(bootstrap.ColClassReltoastrelid), Shared: r.Bool(bootstrap.ColClassRelisshared),
		HasRules: r.Bool(bootstrap.ColClassRelhasrules), HasTriggers: r.Bool(bootstrap.ColClassRelhastriggers),
	}
	d.File = base.RelFile{Space: r.OID(bootstrap.ColClassReltablespace), Database: v.cache.Database,
		Number: r.OID(bootstrap.ColClassRelfilenode)}
	if d.File.Space == 0 {
		d.File.Space = v.cache.Home
	}
	if d.Shared {
		d.File.Database = 0
	}
	for _, o := range r.Texts(bootstrap.ColClassReloptions) {
		if name, value, ok := strings.Cut(o, "="); ok {
			if d.Options == nil {
				d.Options = map[string]string{}
			}
			d.Options[name] = value
		}
		if s, ok := strings.CutPrefix(o, "fillfactor="); ok {
			d.Fillfactor, _ = strconv.Atoi(s) // ALTER TABLE checked it
		} else if s, ok := strings.CutPrefix(o, "toast_tuple_target="); ok {
			d.ToastTarget, _ = strconv.Atoi(s)
		}
	}
	return d
}

func (v *View) addColumns(d *relation.Desc) error {
	var numbers []int
	err := v.Scan(bootstrap.RelAttribute, bootstrap.IdxAttributeRelidAttnumIndex, []types.Datum{oidKey(d.OID)},
		func(_ base.TID, r Row) error {
			n := int(r.Int(bootstrap.ColAttributeAttnum))
			if n <= 0 {
				return nil
			}
			numbers = append(numbers, n)
			d.Columns = append(d.Columns, columnFromRow(r))
			return nil
		})
	if err != nil {
		return err
	}
	for i, n := range numbers {
		if n != i+1 {
			return pgerror.Newf(pgerror.DataCorrupted, "pg_attribute has %d columns of relation %d, expected number %d, found %d",
				len(numbers), d.OID, i+1, n)
		}
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		if c.Dropped {
			continue // the row keeps the width of the type it had
		}
		t, err := v.MustType(c.Type)
		if err != nil {
			return err
		}
		c.Len = t.Len
	}
	return nil
}

func columnFromRow(r Row) relation.Column {
	c := relation.Column{
		Name: r.Text(bootstrap.ColAttributeAttname), Type: r.OID(bootstrap.ColAttributeAtttypid),
		Typmod: int32(r.Int(bootstrap.ColAttributeAtttypmod)), Collation: r.OID(bootstrap.ColAttributeAttcollation),
		NotNull: r.Bool(bootstrap.ColAttributeAttnotnull), Dropped: r.Bool(bootstrap.ColAttributeAttisdropped),
		HasDefault: r.Bool(bootstrap.ColAttributeAtthasdef), Identity: r.Byte(bootstrap.ColAttributeAttidentity),
		Generated: r.Byte(bootstrap.ColAttributeAttgenerated), Storage: r.Byte(bootstrap.ColAttributeAttstorage),
		Compression: r.Byte(bootstrap.ColAttributeAttcompression),
		Len:         -1,
	}
	if n := int16(r.Int(bootstrap.ColAttributeAttlen)); r.Bool(bootstrap.ColAttributeAttbyval) && n > 0 {
		c.Len = n
	}
	if r.Bool(bootstrap.ColAttributeAtthasmissing) && !r.Null(bootstrap.ColAttributeAttmissingval) {
		a := types.OpenArray(r[bootstrap.ColAttributeAttmissingval-1])
		c.HasMissing, c.Missing = true, a.At(0).Clone()
	}
	return c
}

func (v *View) addOwnIndex(d *relation.Desc) error {
	row, _, err := v.One(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, oidKey(d.OID))
	if err != nil || row == nil {
		return err
	}
	table, err := v.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(row.OID(bootstrap.ColIndexIndrelid)))
	if err != nil || table == nil {
		return err
	}
	d.Index = indexFromRow(row, d)
	d.Shared = table.Bool(bootstrap.ColClassRelisshared)
	return nil
}

// Row is One without the row's address.
func (v *View) Row(table, index base.OID, keys ...types.Datum) (Row, error) {
	r, _, err := v.One(table, index, keys...)
	return r, err
}

func (v *View) addIndexes(d *relation.Desc) error {
	var rows []Row
	err := v.Scan(bootstrap.RelIndex, bootstrap.IdxIndexIndrelidIndex, []types.Datum{oidKey(d.OID)},
		func(_ base.TID, r Row) error {
			rows = append(rows, r.Clone())
			return nil
		})
	if err != nil {
		return err
	}
	for _, r := range rows {
		class, err := v.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(r.OID(bootstrap.ColIndexIndexrelid)))
		if err != nil {
			return err
		}
		if class == nil {
			continue // dropped between the two reads
		}
		x := v.descFromClass(class)
		x.Schema, x.File.Temp = d.Schema, d.File.Temp
		if err := v.addColumns(x); err != nil {
			return err
		}
		if len(x.Columns) < len(r.Ints(bootstrap.ColIndexIndkey)) {
			continue // dropped just now: whoever goes on locks the table and looks again
		}
		x.Index = indexFromRow(r, x)
		x.Index.Options = class.Texts(bootstrap.ColClassReloptions)
		d.Indexes = append(d.Indexes, x.Index)
	}
	sort.Slice(d.Indexes, func(i, j int) bool { return d.Indexes[i].OID < d.Indexes[j].OID })
	return v.nameConstraints(d)
}

func indexFromRow(r Row, desc *relation.Desc) *relation.Index {
	x := &relation.Index{
		OID: desc.OID, Table: r.OID(bootstrap.ColIndexIndrelid), Name: desc.Name, File: desc.File,
		Unique: r.Bool(bootstrap.ColIndexIndisunique), NullsEqual: r.Bool(bootstrap.ColIndexIndnullsnotdistinct),
		Primary: r.Bool(bootstrap.ColIndexIndisprimary), Valid: r.Bool(bootstrap.ColIndexIndisvalid),
		Ready: r.Bool(bootstrap.ColIndexIndisready), Immediate: r.Bool(bootstrap.ColIndexIndimmediate),
		Predicate: r.Text(bootstrap.ColIndexIndpred), Method: "btree", Fillfactor: desc.Fillfactor, Desc: desc,
	}
	if s, ok := desc.Options["deduplicate_items"]; ok {
		on, ok := setting.ParseBool(s)
		x.KeepDuplicates = ok && !on
	}
	if !r.Null(bootstrap.ColIndexIndexprs) {
		x.Exprs = SplitExprs(r.Text(bootstrap.ColIndexIndexprs))
	}
	keys := int(r.Int(bootstrap.ColIndexIndnkeyatts))
	collations, classes := r.OIDs(bootstrap.ColIndexIndcollation), r.OIDs(bootstrap.ColIndexIndclass)
	options := r.Ints(bootstrap.ColIndexIndoption)
	for i, attr := range r.Ints(bootstrap.ColIndexIndkey) {
		if i >= keys {
			x.Included = append(x.Included, attr)
			continue
		}
		x.Keys = append(x.Keys, relation.IndexKey{
			Attr: attr, Type: desc.Columns[i].Type, Collation: collations[i], Opclass: classes[i],
			Descending: options[i]&1 != 0, NullsFirst: options[i]&2 != 0,
		})
	}
	return x
}

// nameConstraints tells unique and primary-key indexes the constraint they stand for.
func (v *View) nameConstraints(d *relation.Desc) error {
	return v.Scan(bootstrap.RelConstraint, bootstrap.IdxConstraintConrelidContypidConnameIndex, []types.Datum{oidKey(d.OID)},
		func(_ base.TID, r Row) error {
			kind := r.Byte(bootstrap.ColConstraintContype)
			if kind != 'p' && kind != 'u' && kind != 'x' {
				return nil
			}
			for _, x := range d.Indexes {
				if x.OID != r.OID(bootstrap.ColConstraintConindid) {
					continue
				}
				x.Constraint, x.ConOID = r.Text(bootstrap.ColConstraintConname), r.OID(bootstrap.ColConstraintOid)
				x.Deferred = r.Bool(bootstrap.ColConstraintCondeferred)
				if kind == 'x' {
					x.Exclusion = r.OIDs(bootstrap.ColConstraintConexclop)
				}
			}
			return nil
		})
}

func (v *View) addChecks(d *relation.Desc) error {
	err := v.Scan(bootstrap.RelConstraint, bootstrap.IdxConstraintConrelidContypidConnameIndex, []types.Datum{oidKey(d.OID)},
		func(_ base.TID, r Row) error {
			if r.Byte(bootstrap.ColConstraintContype) == 'c' {
				d.Checks = append(d.Checks, relation.Check{
					OID: r.OID(bootstrap.ColConstraintOid), Name: r.Text(bootstrap.ColConstraintConname),
					Expr: r.Text(bootstrap.ColConstraintConbin), Validated: r.Bool(bootstrap.ColConstraintConvalidated),
					NoInherit: r.Bool(bootstrap.ColConstraintConnoinherit),
				})
			}
			return nil
		})
	sort.Slice(d.Checks, func(i, j int) bool { return d.Checks[i].Name < d.Checks[j].Name })
	return err
}

// JoinExprs folds the stored forms of several expressions into one text for pg_index.indexprs; SplitExprs takes it apart.
func JoinExprs(exprs []string) string { return strings.Join(exprs, "\n") }

// SplitExprs is the inverse of JoinExprs.
func SplitExprs(s string) []string { return strings.Split(s, "\n") }

// DefaultExpr gives the stored form of a column's default (or generation) expression; empty when it has none.
func (v *View) DefaultExpr(table base.OID, attr int) (string, error) {
	r, err := v.Row(bootstrap.RelAttrdef, bootstrap.IdxAttrdefAdrelidAdnumIndex, oidKey(table), types.Int(int64(attr)))
	if err != nil || r == nil {
		return "", err
	}
	return r.Text(bootstrap.ColAttrdefAdbin), nil
}
