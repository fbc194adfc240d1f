package command

import (
	"bytes"
	"encoding/binary"

	"manifold/engine/access/btree"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/quicksort"
	"manifold/engine/relation"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// rowPrograms compiles expressions over a table's row: Vars of range entry 1 become columns of the scanned batch.
func (c *Context) rowPrograms(exprs []query.Expr) ([]eval.Node, error) {
	k := &eval.Compiler{Lookup: c.Builder.Lookup, Name: c.Builder.Name, Fixed: c.Builder.Fixed}
	out := make([]eval.Node, len(exprs))
	for i, e := range exprs {
		over := query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
			if v, ok := x.(*query.Var); ok && v.Attr > 0 {
				return &query.Col{T: v.T, N: v.Attr - 1}, true
			}
			return nil, false
		})
		n, err := k.Compile(over)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// unmarshalAll reads stored expressions.
func unmarshalAll(texts []string) ([]query.Expr, error) {
	var out []query.Expr
	for _, t := range texts {
		if t == "" {
			continue
		}
		e, err := query.Unmarshal(t)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// tableScan reads a table from front to back in batches with all columns.
type tableScan struct {
	x     *exec.Context
	scan  scanner
	frame eval.Frame
	batch vector.Batch
	cols  []int
	n     int
}

// scanner is what tableScan needs of heap.Scan.
type scanner interface {
	Next(want int, b *vector.Batch, cols []int) (int, error)
	TIDs(n int) []base.TID
}

// scanTable starts reading a table under a fresh snapshot; roots asks for the addresses that index entries need.
func (c *Context) scanTable(d *relation.Desc, roots bool) (*tableScan, error) {
	x := c.NewExec()
	s, err := c.Opened.Table(d).NewScan(mvcc.NewView(x.Snapshot, c.Tx.Manager(), c.Task))
	if err != nil {
		return nil, err
	}
	s.GiveWay()
	if roots {
		s.KeepRoots()
	} else {
		s.KeepTIDs()
	}
	return newTableScan(x, d, s), nil
}

// scanVersions starts reading what a snapshot sees of a table.
func (c *Context) scanVersions(d *relation.Desc, snap *mvcc.Snapshot) (*tableScan, error) {
	s, err := c.Opened.Table(d).NewScan(mvcc.NewView(snap, c.Tx.Manager(), c.Task))
	if err != nil {
		return nil, err
	}
	s.KeepTIDs()
	s.GiveWay()
	return newTableScan(c.NewExec(), d, s), nil
}

// scanKept starts reading the versions of a table's rows that somebody may see, with the addresses that index entries need.
func (c *Context) scanKept(d *relation.Desc) (*tableScan, error) {
	s, err := c.Opened.Table(d).NewScan(mvcc.NewView(&mvcc.Snapshot{Any: true}, c.Tx.Manager(), c.Task))
	if err != nil {
		return nil, err
	}
	s.KeepVersions(c.Tx.Manager().RefreshHorizon())
	s.KeepRoots()
	s.GiveWay()
	return newTableScan(c.NewExec(), d, s), nil
}

func newTableScan(x *exec.Context, d *relation.Desc, s scanner) *tableScan {
	ts := &tableScan{x: x, scan: s, batch: vector.Batch{Cols: make([]vector.Vector, len(d.Columns))}, cols: make([]int, len(d.Columns))}
	for i := range ts.cols {
		ts.cols[i] = i
	}
	ts.frame = eval.Frame{Env: x.Eval, Outer: &ts.batch}
	return ts
}

// next reads the next batch; false at the end.
func (s *tableScan) next() (bool, error) {
	s.x.Eval.Ctx.Reset()
	n, err := s.scan.Next(vector.BatchSize, &s.batch, s.cols)
	s.n = n
	s.batch.N, s.batch.Sel = n, nil
	return n > 0, err
}

// indexEntry is one entry to be sorted. Its key lies in the chunk of the same number as the entry's; head holds the key's
// first bytes.
type indexEntry struct {
	head  uint64
	tid   uint64
	chunk uint32
	off   uint32
	klen  uint16
	plen  uint16
	nulls bool
}

const chunkSize = 1 << 20

// entrySet holds the entries of an index while it is built.
type entrySet struct {
	list   []indexEntry
	chunks [][]byte
}

func (s *entrySet) add(key, payload []byte, tid base.TID, nulls bool) {
	need := len(key) + len(payload)
	last := len(s.chunks) - 1
	if last < 0 || len(s.chunks[last])+need > cap(s.chunks[last]) {
		s.chunks = append(s.chunks, make([]byte, 0, max(chunkSize, need)))
		last++
	}
	e := indexEntry{tid: tid.Pack(), chunk: uint32(last), off: uint32(len(s.chunks[last])), klen: uint16(len(key)),
		plen: uint16(len(payload)), nulls: nulls}
	var head [8]byte
	copy(head[:], key)
	e.head = binary.BigEndian.Uint64(head[:])
	s.chunks[last] = append(append(s.chunks[last], key...), payload...)
	s.list = append(s.list, e)
}

func (s *entrySet) key(e *indexEntry) []byte {
	return s.chunks[e.chunk][e.off : e.off+uint32(e.klen)]
}

func (s *entrySet) payload(e *indexEntry) []byte {
	if e.plen == 0 {
		return nil
	}
	at := e.off + uint32(e.klen)
	return s.chunks[e.chunk][at : at+uint32(e.plen)]
}

// sort orders the entries, calling pause now and then.
func (s *entrySet) sort(pause func() error) error {
	return quicksort.Sort(s.list, func(a, b indexEntry) int {
		if a.head != b.head {
			if a.head < b.head {
				return -1
			}
			return 1
		}
		if d := bytes.Compare(s.key(&a), s.key(&b)); d != 0 {
			return d
		}
		switch {
		case a.tid < b.tid:
			return -1
		case a.tid > b.tid:
			return 1
		}
		return 0
	}, pause)
}

// keyMaker makes the keys of an index for scanned batches.
type keyMaker struct {
	ix        *relation.Index
	exprs     []eval.Node
	predicate []eval.Node
	columns   []*vector.Vector
	fields    []types.Field
	key       []byte
	payload   []byte
	sel       []int32
}

func (c *Context) keyMaker(d *relation.Desc, ix *relation.Index) (*keyMaker, error) {
	k := &keyMaker{ix: ix, columns: make([]*vector.Vector, len(ix.Keys)), sel: make([]int32, 0, vector.BatchSize)}
	exprs, err := unmarshalAll(ix.Exprs)
	if err != nil {
		return nil, err
	}
	if k.exprs, err = c.rowPrograms(exprs); err != nil {
		return nil, err
	}
	if exprs, err = unmarshalAll([]string{ix.Predicate}); err != nil {
		return nil, err
	}
	if k.predicate, err = c.rowPrograms(exprs); err != nil {
		return nil, err
	}
	for _, a := range ix.Included {
		k.fields = append(k.fields, types.Field{Type: d.Columns[a-1].Type, Typmod: d.Columns[a-1].Typmod})
	}
	return k, nil
}

// batch adds the entries of a scanned batch.
func (k *keyMaker) batch(s *tableScan, out *entrySet) error {
	var sel []int32
	if len(k.predicate) > 0 {
		var err error
		if sel, err = eval.Filter(&s.frame, k.predicate, nil, s.n, k.sel[:0:cap(k.sel)]); err != nil {
			return err
		}
		if len(sel) == 0 {
			return nil
		}
	}
	next := 0
	for i := range k.ix.Keys {
		if a := k.ix.Keys[i].Attr; a > 0 {
			k.columns[i] = &s.batch.Cols[a-1]
			continue
		}
		v, err := k.exprs[next].Eval(&s.frame, sel, s.n)
		if err != nil {
			return err
		}
		next++
		k.columns[i] = v
	}
	tids := s.scan.TIDs(s.n)
	if sel == nil {
		for i := range s.n {
			if err := k.row(s, i, tids[i], out); err != nil {
				return err
			}
		}
		return nil
	}
	for _, i := range sel {
		if err := k.row(s, int(i), tids[i], out); err != nil {
			return err
		}
	}
	return nil
}

func (k *keyMaker) row(s *tableScan, i int, tid base.TID, out *entrySet) (err error) {
	k.key = k.key[:0]
	nulls := false
	for j := range k.ix.Keys {
		c := &k.ix.Keys[j]
		d := k.columns[j].Get(i)
		nulls = nulls || d.Null
		if k.key, err = types.AppendKey(k.key, c.Type, d, c.Descending, c.NullsFirst); err != nil {
			return err
		}
	}
	k.payload = k.payload[:0]
	if len(k.fields) > 0 {
		for j, a := range k.ix.Included {
			k.fields[j].Value = s.batch.Cols[a-1].Get(i)
		}
		k.payload = types.AppendRecord(k.payload, k.fields)
	}
	if len(k.key)+len(k.payload) > btree.MaxEntry {
		return pgerror.Newf(pgerror.ProgramLimitExceeded, "index row size %d exceeds btree version 4 maximum %d for index \"%s\"",
			len(k.key)+len(k.payload), btree.MaxEntry, k.ix.Name).WithHint("Values larger than 1/3 of a buffer page cannot be indexed.\n" +
			"Consider a function index of an MD5 hash of the value, or use full text indexing.")
	}
	out.add(k.key, k.payload, tid, nulls)
	return nil
}

// fillIndex builds the tree of a new index from its table's rows and keeps the sizes of both in pg_class.
func (c *Context) fillIndex(table, index base.OID) error {
	d, err := c.relation(table)
	if err != nil {
		return err
	}
	ix := findIndex(d, index)
	if ix == nil {
		return pgerror.Newf(pgerror.InternalError, "index %d of table %d is missing", index, table)
	}
	rows, err := c.buildTree(d, ix)
	if err != nil {
		return err
	}
	blocks, err := c.Opened.Tree(ix, d.Logged()).Blocks()
	if err != nil {
		return err
	}
	if err := c.editClass(index, func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelpages, int64(blocks))
		r.SetFloat(bootstrap.ColClassReltuples, float64(float32(rows.entries)))
	}); err != nil {
		return err
	}
	pages, err := c.Opened.Table(d).Blocks()
	if err != nil || rows.rows == 0 && pages == 0 {
		return err
	}
	c.Builder.Stats.Table(d.File.Database, d.OID).Counted()
	return c.editClass(table, func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelpages, int64(pages))
		r.SetFloat(bootstrap.ColClassReltuples, float64(float32(rows.rows)))
	})
}

func findIndex(d *relation.Desc, oid base.OID) *relation.Index {
	for _, ix := range d.Indexes {
		if ix.OID == oid {
			return ix
		}
	}
	return nil
}

// built counts what an index was built from.
type built struct{ rows, entries int64 }

// buildTree sorts the entries of a table and writes them as a tree into a new file.
func (c *Context) buildTree(d *relation.Desc, ix *relation.Index) (built, error) {
	var n built
	k, err := c.keyMaker(d, ix)
	if err != nil {
		return n, err
	}
	s, err := c.scanTable(d, true)
	if err != nil {
		return n, err
	}
	pages, err := c.Opened.Table(d).Blocks()
	if err != nil {
		return n, err
	}
	c.progress.Set(indexOID, int64(ix.OID))
	c.progress.Set(indexMethod, int64(bootstrap.MethodBtree), indexBuilding, stepScanning)
	c.progress.Set(indexBlocks, int64(pages), 0)
	set := &entrySet{}
	for {
		more, err := s.next()
		if err != nil {
			return n, err
		}
		if !more {
			break
		}
		n.rows += int64(s.n)
		c.progress.Set(indexBlocks+1, int64(s.scan.TIDs(s.n)[s.n-1].Block))
		if err := k.batch(s, set); err != nil {
			return n, err
		}
	}
	c.progress.Set(indexBlocks, 0, 0)
	c.progress.Set(indexStep, stepSorting)
	if err := set.sort(c.Task.Breathe); err != nil {
		return n, err
	}
	n.entries = int64(len(set.list))
	c.progress.Set(indexStep, stepLoading, n.entries, 0)
	if ix.Exclusive() {
		if err := c.checkUnique(d, ix, set, s); err != nil {
			return n, err
		}
	}
	return n, c.writeTree(d, ix, set)
}

func (c *Context) writeTree(d *relation.Desc, ix *relation.Index, set *entrySet) error {
	b, err := c.Opened.Tree(ix, d.Logged()).NewBuilder(c.Task, c.Tx, ix.Fillfactor)
	if err != nil {
		return err
	}
	for i := range set.list {
		e := &set.list[i]
		if i%vector.BatchSize == 0 {
			if err := c.Task.Breathe(); err != nil {
				return err
			}
			c.progress.Set(indexTuples+1, int64(i))
		}
		if err := b.Add(set.key(e), base.UnpackTID(e.tid), set.payload(e)); err != nil {
			return err
		}
	}
	_, err = b.Finish()
	return err
}

// checkUnique looks for two live rows of one key.
func (c *Context) checkUnique(d *relation.Desc, ix *relation.Index, set *entrySet, s *tableScan) error {
	for i := 1; i < len(set.list); i++ {
		a, b := &set.list[i-1], &set.list[i]
		if a.head != b.head || b.nulls && !ix.NullsEqual || !bytes.Equal(set.key(a), set.key(b)) {
			continue
		}
		return c.notUnique(d, ix, base.UnpackTID(b.tid), s)
	}
	return nil
}

// notUnique is the error for a key that two rows have; it reads one of them again.
func (c *Context) notUnique(d *relation.Desc, ix *relation.Index, tid base.TID, s *tableScan) error {
	e := pgerror.Newf(pgerror.UniqueViolation, "could not create unique index \"%s\"", ix.Name).WithTable(d.Schema, d.Name).WithConstraint(ix.Name)
	if len(ix.Exclusion) > 0 {
		e = pgerror.Newf(pgerror.ExclusionViolation, "could not create exclusion constraint \"%s\"", ix.Name).WithTable(d.Schema, d.Name).WithConstraint(ix.Name)
	}
	if !exec.MayReadKey(s.x.Printer.MayRead, d.OID, ix.KeyAttrs()) {
		if len(ix.Exclusion) > 0 {
			return e.WithDetail("Key conflicts exist.")
		}
		return e.WithDetail("Duplicate keys exist.")
	}
	var buf []byte
	t := c.Opened.Table(d)
	view := mvcc.NewView(s.x.Snapshot, c.Tx.Manager(), c.Task)
	got, err := t.Fetch(&view, tid, &buf)
	if err != nil || got.Row == nil {
		return e
	}
	values, err := t.Deform(c.Task, make([]types.Datum, 0, len(d.Columns)), got.Row)
	if err != nil {
		return e
	}
	for i := range values {
		s.batch.Cols[i].Reset(!d.Columns[i].Fixed(), 1)
		s.batch.Cols[i].Set(0, values[i])
	}
	s.batch.N, s.n = 1, 1
	var vals []byte
	k, err := c.keyMaker(d, ix)
	if err != nil {
		return e
	}
	next := 0
	for i := range ix.Keys {
		if i > 0 {
			vals = append(vals, ", "...)
		}
		value := types.Null
		if a := ix.Keys[i].Attr; a > 0 {
			value = values[a-1]
		} else if v, err := k.exprs[next].Eval(&s.frame, nil, 1); err == nil {
			next++
			value = v.Get(0)
		}
		if value.Null {
			vals = append(vals, "null"...)
		} else {
			vals = types.AppendText(vals, ix.Keys[i].Type, value, c.Env)
		}
	}
	cols, err := deparse.KeyText(c.names(), d, ix)
	if err != nil {
		return err
	}
	if len(ix.Exclusion) > 0 {
		return e.WithDetail("Key (%s)=(%s) conflicts with key (%s)=(%s).", cols, vals, cols, vals)
	}
	return e.WithDetail("Key (%s)=(%s) is duplicated.", cols, vals)
}
