package command

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/quicksort"
	"manifold/engine/relation"
	"manifold/engine/tuple"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// maxSampledWidth is the width beyond which values are counted but not kept.
const maxSampledWidth = 1024

// sample is the rows that ANALYZE looks at, in physical order, and what they stand for.
type sample struct {
	rows  [][]types.Datum
	pages base.BlockNumber
	total float64 // estimated rows of the table
}

// analyzeTable samples a table and keeps the statistics of its columns.
func (c *Context) analyzeTable(d *relation.Desc, only []string, verbose bool) error {
	if verbose {
		c.Session.Notice(pgerror.Notice(pgerror.SeverityInfo, pgerror.SuccessfulCompletion, "analyzing \"%s.%s\"", d.Schema, d.Name))
	}
	wanted := map[int]bool{}
	for _, name := range only {
		attr, err := column(d, name)
		if err != nil {
			return err
		}
		wanted[attr] = true
	}
	target := int(c.Session.Settings.Get("default_statistics_target").Int)
	if target <= 0 {
		target = 100
	}
	defer c.report("ANALYZE", d.OID, 0)()
	s, err := c.sampleTable(d, 300*target)
	if err != nil {
		return err
	}
	c.progress.Set(analyzePhase, analyzeComputing)
	for i := range d.Columns {
		if d.Columns[i].Dropped || len(only) > 0 && !wanted[i+1] {
			continue
		}
		facts, err := columnStats(d, i, s, target, c.Task.Breathe)
		if err != nil {
			return err
		}
		if err := c.keepStatistics(d, i+1, facts); err != nil {
			return err
		}
	}
	c.progress.Set(analyzePhase, analyzeFinalizing)
	c.Builder.Stats.Table(d.File.Database, d.OID).Analyzed(time.Now().UnixNano(), c.Session.Worker != nil)
	visible, err := c.allVisible(c.Opened.Table(d), s.pages)
	if err != nil {
		return err
	}
	if err := c.editClass(d.OID, func(r catalog.Row) {
		r.SetInt(bootstrap.ColClassRelpages, int64(s.pages))
		r.SetFloat(bootstrap.ColClassReltuples, float64(float32(s.total)))
		r.SetInt(bootstrap.ColClassRelallvisible, visible)
	}); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		blocks, err := c.Opened.Tree(ix, d.Logged()).Blocks()
		if err != nil {
			return err
		}
		if err := c.editClass(ix.OID, func(r catalog.Row) {
			r.SetInt(bootstrap.ColClassRelpages, int64(blocks))
			r.SetFloat(bootstrap.ColClassReltuples, float64(float32(s.total)))
		}); err != nil {
			return err
		}
	}
	return nil
}

// pagesPerSnapshot is how many pages ANALYZE reads under one snapshot: the statistics need not be of one moment, and a snapshot
// that stays keeps what everybody else leaves behind.
const pagesPerSnapshot = 64

// sampleTable reads randomly chosen pages and keeps a random choice of their rows.
func (c *Context) sampleTable(d *relation.Desc, want int) (*sample, error) {
	t := c.Opened.Table(d)
	pages, err := t.Blocks()
	if err != nil {
		return nil, err
	}
	delay := c.costDelay(d.Options)
	blocks := chooseBlocks(int(pages), want)
	c.progress.Set(analyzePhase, analyzeSampling)
	c.progress.Set(analyzeBlocks, int64(len(blocks)), 0)
	r := newReservoir(d, want)
	for rest := blocks; len(rest) > 0; {
		n := min(pagesPerSnapshot, len(rest))
		if err := c.readSample(t, rest[:n], r); err != nil {
			return nil, err
		}
		rest = rest[n:]
		c.progress.Add(analyzeBlocks+1, int64(n))
		if delay != nil {
			if err := delay(); err != nil {
				return nil, err
			}
		}
	}
	s := &sample{rows: r.inOrder(), pages: pages}
	if len(blocks) > 0 {
		s.total = math.Floor(float64(r.seen)/float64(len(blocks))*float64(pages) + 0.5)
	}
	return s, nil
}

// readSample hands the rows of some pages, as they are now, to a reservoir.
func (c *Context) readSample(t *heap.Table, blocks []int, r *reservoir) error {
	var snap mvcc.Snapshot
	c.Snapshot(&snap)
	defer c.Tx.Release(&snap)
	v := mvcc.NewView(&snap, c.Tx.Manager(), c.Task)
	if r.scan == nil {
		var err error
		if r.scan, err = t.NewScan(v); err != nil {
			return err
		}
		r.scan.LeaveWide(maxSampledWidth)
	} else {
		r.scan.Look(v)
	}
	for _, blk := range blocks {
		if err := c.Task.Breathe(); err != nil {
			return err
		}
		r.scan.SetRange(base.BlockNumber(blk), base.BlockNumber(blk+1))
		for {
			n, err := r.scan.Next(vector.BatchSize, &r.batch, r.cols)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			r.add(n)
		}
	}
	return nil
}

// reservoir keeps a random choice of the rows that come through its batch (Vitter's algorithm R).
type reservoir struct {
	d     *relation.Desc
	scan  *heap.Scan
	cols  []int
	batch vector.Batch
	want  int
	seen  int
	kept  []placedRow
}

// placedRow is a row and its place among all that were read.
type placedRow struct {
	at  int
	row []types.Datum
}

func newReservoir(d *relation.Desc, want int) *reservoir {
	r := &reservoir{d: d, want: want, cols: make([]int, len(d.Columns))}
	for i := range r.cols {
		r.cols[i] = i
	}
	r.batch.Cols = make([]vector.Vector, len(r.cols))
	return r
}

// add takes the first n rows of the batch in turn.
func (r *reservoir) add(n int) {
	for i := range n {
		r.seen++
		at := len(r.kept)
		if at < r.want {
			r.kept = append(r.kept, placedRow{})
		} else if at = rand.IntN(r.seen); at >= r.want {
			continue
		}
		r.kept[at] = placedRow{r.seen, sampledRow(r.d, &r.batch, i)}
	}
}

// inOrder gives the rows that were kept, in the order in which they were read.
func (r *reservoir) inOrder() [][]types.Datum {
	slices.SortFunc(r.kept, func(a, b placedRow) int { return cmp.Compare(a.at, b.at) })
	rows := make([][]types.Datum, len(r.kept))
	for i, k := range r.kept {
		rows[i] = k.row
	}
	return rows
}

// chooseBlocks picks want of n page numbers at random, ascending.
func chooseBlocks(n, want int) []int {
	out := make([]int, 0, min(n, want))
	left := want
	for i := 0; i < n && left > 0; i++ {
		if n-i <= left || rand.IntN(n-i) < left {
			out = append(out, i)
			left--
		}
	}
	return out
}

func sampledRow(d *relation.Desc, b *vector.Batch, i int) []types.Datum {
	row := make([]types.Datum, len(d.Columns))
	for k := range row {
		row[k] = types.Null
		if !d.Columns[k].Dropped {
			row[k] = b.Cols[k].Get(i).Clone()
		}
		for _, s := range b.Cols[k].Stored {
			if int(s.Lane) == i && tuple.Form(s.Form) != tuple.Plain {
				row[k] = tuple.MarkStored(row[k].B, tuple.Form(s.Form))
			}
		}
	}
	return row
}

// columnFacts is what ANALYZE finds of a column.
type columnFacts struct {
	catalog.ColumnStatistics
	ordered bool // the type has an order
}

// run is a value of the sorted sample and how often it occurs.
type run struct {
	value types.Datum
	count int
}

// columnStats computes the statistics of a column (attribute i from zero) from a sample, calling pause now and then.
func columnStats(d *relation.Desc, i int, s *sample, target int, pause func() error) (*columnFacts, error) {
	col := &d.Columns[i]
	st := &columnFacts{ordered: types.Comparable(col.Type)}
	type item struct {
		v  types.Datum
		at int
	}
	var values []item
	nulls, wide, width := 0, 0, 0.0
	for k, row := range s.rows {
		v := row[i]
		if v.Null {
			nulls++
			continue
		}
		if tuple.FormOf(v) != tuple.Plain { // left where it is: wider than anything that is looked at
			wide++
			width += float64(len(v.B))
			continue
		}
		if col.Fixed() {
			width += float64(col.Len)
		} else {
			width += float64(len(v.B))
			if len(v.B) > maxSampledWidth {
				wide++
				continue
			}
		}
		values = append(values, item{v, k})
	}
	n := len(s.rows)
	if n == 0 {
		return nil, nil
	}
	st.NullFraction = float64(nulls) / float64(n)
	if n > nulls {
		st.Width = math.Floor(width/float64(n-nulls) + 0.5)
	}
	if len(values) == 0 {
		if wide > 0 {
			st.Distinct = -1 + st.NullFraction
		}
		return st, nil
	}
	compare := types.CompareFunc(col.Type)
	err := quicksort.Sort(values, func(a, b item) int {
		if c := compare(&a.v, &b.v); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	}, pause)
	if err != nil {
		return nil, err
	}
	var runs []run
	for k := range values {
		if k == 0 || compare(&values[k-1].v, &values[k].v) != 0 {
			runs = append(runs, run{values[k].v, 0})
		}
		runs[len(runs)-1].count++
	}
	st.Distinct = distinct(runs, len(values), wide, n, s.total, st.NullFraction)
	st.common(runs, n, target)
	if st.ordered && len(values) > 1 {
		at := make([]int, len(values))
		for k := range values {
			at[k] = values[k].at
		}
		st.Correlation = correlation(at)
	}
	return st, nil
}

// correlation is that of the order of values with the physical order, by the ranks of the sample's rows.
func correlation(at []int) float64 {
	n := float64(len(at))
	rank := make([]int, len(at))
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return at[order[a]] < at[order[b]] })
	for r, i := range order {
		rank[i] = r
	}
	sumXY := 0.0
	for i, r := range rank {
		sumXY += float64(i) * float64(r)
	}
	sumX := (n - 1) * n / 2
	sumX2 := (n - 1) * n * (2*n - 1) / 6
	return (n*sumXY - sumX*sumX) / (n*sumX2 - sumX*sumX)
}

// distinct estimates the number of distinct values (negative: as a fraction of the rows) by the estimator of Haas and
// Stokes that PostgreSQL's documentation of ANALYZE cites: n*d / (n - f1 + f1*n/N).
func distinct(runs []run, values, wide, n int, total, nullFraction float64) float64 {
	once := 0
	for _, r := range runs {
		if r.count == 1 {
			once++
		}
	}
	switch {
	case once == len(runs) && len(runs) > 0:
		return -1 * (1 - nullFraction)
	case wide == 0 && once == 0:
		return settle(float64(len(runs)), total)
	}
	f1 := float64(once + wide)
	d := float64(len(runs) + wide)
	nn := float64(values + wide)
	live := total * (1 - nullFraction)
	est := d
	if live > 0 {
		est = nn * d / (nn - f1 + f1*nn/live)
	}
	est = min(max(est, d), max(live, d))
	return settle(math.Floor(est+0.5), total)
}

// settle turns a count into a fraction when it seems to grow with the table.
func settle(d, total float64) float64 {
	if total > 0 && d > 0.1*total {
		return -d / total
	}
	return d
}

// common picks the most common values and the bounds of a histogram over the rest.
func (st *columnFacts) common(runs []run, n, target int) {
	byCount := make([]int, 0, len(runs))
	for i, r := range runs {
		if r.count > 1 {
			byCount = append(byCount, i)
		}
	}
	sort.SliceStable(byCount, func(a, b int) bool { return runs[byCount[a]].count > runs[byCount[b]].count })
	keep := min(target, len(byCount))
	all := len(byCount) == len(runs) && len(runs) <= target && st.Distinct > 0
	if !all {
		keep = significant(runs, byCount[:keep], st, n)
	}
	inMCV := map[int]bool{}
	for _, i := range byCount[:keep] {
		inMCV[i] = true
		st.CommonValues = append(st.CommonValues, runs[i].value)
		st.CommonFreqs = append(st.CommonFreqs, float64(float32(float64(runs[i].count)/float64(n))))
	}
	if !st.ordered {
		return
	}
	var rest []types.Datum
	groups := 0
	for i, r := range runs {
		if inMCV[i] {
			continue
		}
		groups++
		for range r.count {
			rest = append(rest, r.value)
		}
	}
	if groups < 2 {
		return
	}
	bounds := min(target+1, groups)
	for k := range bounds {
		st.Histogram = append(st.Histogram, rest[k*(len(rest)-1)/(bounds-1)])
	}
}

// significant gives how many of the candidates are clearly more common than the average of what is not among them.
func significant(runs []run, candidates []int, st *columnFacts, n int) int {
	d := st.Distinct
	if d < 0 {
		d = max(float64(len(runs)), 1)
	}
	keep := len(candidates)
	sum := 0.0
	for _, i := range candidates {
		sum += float64(runs[i].count)
	}
	for keep > 0 {
		last := float64(runs[candidates[keep-1]].count)
		others := sum - last
		selectivity := 1 - others/float64(n) - st.NullFraction
		selectivity = min(max(selectivity, 0), 1)
		if rest := d - float64(keep-1); rest > 1 {
			selectivity /= rest
		}
		// two standard deviations above the expected count of a value outside the list
		expect := selectivity * float64(n)
		if last > expect+2*math.Sqrt(max(expect*(1-selectivity), 0))+0.5 {
			break
		}
		sum = others
		keep--
	}
	return keep
}

// keepStatistics replaces the pg_statistic row of a column.
func (c *Context) keepStatistics(d *relation.Desc, attr int, st *columnFacts) error {
	keys := []types.Datum{oidKey(d.OID), types.Int(int64(attr)), types.Bool(false)}
	if err := c.Editor.DeleteAll(bootstrap.RelStatistic, bootstrap.IdxStatisticRelidAttInhIndex, keys, nil); err != nil || st == nil {
		return err
	}
	col := &d.Columns[attr-1]
	r := c.Editor.NewRow(bootstrap.RelStatistic)
	r.SetOID(bootstrap.ColStatisticStarelid, d.OID)
	r.SetInt(bootstrap.ColStatisticStaattnum, int64(attr))
	r.SetBool(bootstrap.ColStatisticStainherit, false)
	r.SetFloat(bootstrap.ColStatisticStanullfrac, float64(float32(st.NullFraction)))
	r.SetInt(bootstrap.ColStatisticStawidth, int64(st.Width))
	r.SetFloat(bootstrap.ColStatisticStadistinct, float64(float32(st.Distinct)))
	for i := range 5 {
		r.SetInt(bootstrap.ColStatisticStakind1+i, 0)
		r.SetOID(bootstrap.ColStatisticStaop1+i, 0)
		r.SetOID(bootstrap.ColStatisticStacoll1+i, 0)
	}
	equal, less, err := c.orderOperators(col.Type)
	if err != nil {
		return err
	}
	slot := 0
	put := func(kind int64, op base.OID, values []types.Datum, numbers []float64) {
		r.SetInt(bootstrap.ColStatisticStakind1+slot, kind)
		r.SetOID(bootstrap.ColStatisticStaop1+slot, op)
		r.SetOID(bootstrap.ColStatisticStacoll1+slot, col.Collation)
		if values != nil {
			r.Set(bootstrap.ColStatisticStavalues1+slot, types.MakeArray(col.Type, values))
		}
		if numbers != nil {
			elems := make([]types.Datum, len(numbers))
			for i, f := range numbers {
				elems[i] = types.Float(float64(float32(f)))
			}
			r.Set(bootstrap.ColStatisticStanumbers1+slot, types.MakeArray(types.OIDFloat4, elems))
		}
		slot++
	}
	st.fit()
	if len(st.CommonValues) > 0 {
		put(catalog.StatisticMCV, equal, st.CommonValues, st.CommonFreqs)
	}
	if len(st.Histogram) > 0 {
		put(catalog.StatisticHistogram, less, st.Histogram, nil)
	}
	if st.ordered && st.Correlation != 0 {
		put(catalog.StatisticCorrelation, less, nil, []float64{st.Correlation})
	}
	_, err = c.Editor.Insert(bootstrap.RelStatistic, r)
	return err
}

// orderOperators gives the equality and less-than operators of a type; zeros when it has no order.
func (c *Context) orderOperators(typ base.OID) (equal, less base.OID, err error) {
	class, err := c.opclass(typ, nil)
	if pgerror.Code(err) == pgerror.UndefinedObject {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	o, err := c.View.OpclassByOID(class)
	if err != nil || o == nil {
		return 0, 0, err
	}
	if equal, err = c.View.FamilyOperator(o.Family, o.Input, o.Input, catalog.StrategyEqual); err != nil {
		return 0, 0, err
	}
	less, err = c.View.FamilyOperator(o.Family, o.Input, o.Input, catalog.StrategyLess)
	return equal, less, err
}

// slotBytes bounds the values of one list, so that the row of pg_statistic fits a page.
const slotBytes = 3000

// fit shortens the lists to what a row can hold: the least common values go, and bounds of the histogram between others.
func (st *columnFacts) fit() {
	for size(st.CommonValues) > slotBytes {
		n := len(st.CommonValues) - 1
		st.CommonValues, st.CommonFreqs = st.CommonValues[:n], st.CommonFreqs[:n]
	}
	for size(st.Histogram) > slotBytes {
		thin := st.Histogram[:0]
		last := len(st.Histogram) - 1
		for i, v := range st.Histogram {
			if i%2 == 0 || i == last {
				thin = append(thin, v)
			}
		}
		if len(thin) > last || len(thin) < 3 {
			st.Histogram = nil
			return
		}
		st.Histogram = thin
	}
}

func size(values []types.Datum) int {
	n := 0
	for _, v := range values {
		n += 8 + len(v.B)
	}
	return n
}
