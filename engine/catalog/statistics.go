package catalog

import (
	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/types"
)

// Statistics is what ANALYZE and VACUUM left about a table: pages and rows of pg_class, and per column pg_statistic.
type Statistics struct {
	Pages      float64
	Rows       float64 // -1 when never analysed
	AllVisible float64
	Columns    map[int]*ColumnStatistics
}

// ColumnStatistics is a row of pg_statistic, slots by kind. Distinct is positive for a count, negative for a fraction of the
// rows.
type ColumnStatistics struct {
	NullFraction float64
	Width        float64
	Distinct     float64
	CommonValues []types.Datum
	CommonFreqs  []float64
	Histogram    []types.Datum
	Correlation  float64
}

// The slot kinds of pg_statistic, as stakindN.
const (
	StatisticMCV         = 1
	StatisticHistogram   = 2
	StatisticCorrelation = 3
)

// StatisticsOf gives the statistics of a table; never nil.
func (v *View) StatisticsOf(table base.OID) (*Statistics, error) {
	v.cache.mu.RLock()
	s, ok := v.cache.stats[table]
	v.cache.mu.RUnlock()
	if ok {
		return s, nil
	}
	before := v.cache.gen[GroupRelations].Load()
	s = &Statistics{Rows: -1, Columns: map[int]*ColumnStatistics{}}
	row, err := v.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidKey(table))
	if err != nil {
		return nil, err
	}
	if row != nil {
		s.Pages, s.AllVisible = float64(row.Int(bootstrap.ColClassRelpages)), float64(row.Int(bootstrap.ColClassRelallvisible))
		s.Rows = row.Float(bootstrap.ColClassReltuples)
	}
	err = v.Scan(bootstrap.RelStatistic, bootstrap.IdxStatisticRelidAttInhIndex, []types.Datum{oidKey(table)},
		func(_ base.TID, r Row) error {
			s.Columns[int(r.Int(bootstrap.ColStatisticStaattnum))] = columnStatistics(r)
			return nil
		})
	if err != nil {
		return nil, err
	}
	v.cache.mu.Lock()
	if v.cache.gen[GroupRelations].Load() == before {
		v.cache.stats[table] = s
	}
	v.cache.mu.Unlock()
	return s, nil
}

func columnStatistics(r Row) *ColumnStatistics {
	c := &ColumnStatistics{
		NullFraction: r.Float(bootstrap.ColStatisticStanullfrac), Width: float64(r.Int(bootstrap.ColStatisticStawidth)),
		Distinct: r.Float(bootstrap.ColStatisticStadistinct),
	}
	for i := range 5 {
		values, numbers := r[bootstrap.ColStatisticStavalues1-1+i], r[bootstrap.ColStatisticStanumbers1-1+i]
		switch r.Int(bootstrap.ColStatisticStakind1 + i) {
		case StatisticMCV:
			c.CommonValues = elems(values)
			for _, f := range elems(numbers) {
				c.CommonFreqs = append(c.CommonFreqs, f.Float())
			}
		case StatisticHistogram:
			c.Histogram = elems(values)
		case StatisticCorrelation:
			if n := elems(numbers); len(n) > 0 {
				c.Correlation = n[0].Float()
			}
		}
	}
	return c
}

func elems(array types.Datum) []types.Datum {
	if array.Null {
		return nil
	}
	a := types.OpenArray(array.Clone())
	return a.Elems(nil)
}
