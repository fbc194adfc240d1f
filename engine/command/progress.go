package command

import "manifold/engine/base"

// The places of what the views pg_stat_progress_... show, as in PostgreSQL's views, counted from zero.
const (
	analyzePhase  = 0
	analyzeBlocks = 1 // and how many are done

	clusterPhase   = 1
	clusterIndex   = 2
	clusterTuples  = 3 // scanned, and written
	clusterBlocks  = 5 // and how many are done
	clusterIndexes = 7

	indexLockers = 3 // how many, how many are done, and who
	indexOID     = 6
	indexMethod  = 8
	indexPhase   = 9
	indexStep    = 10 // of building
	indexTuples  = 11 // and how many are done
	indexBlocks  = 15 // and how many are done
)

// The phases of ANALYZE, of CLUSTER and VACUUM FULL, and of builds of indexes.
const (
	analyzeSampling   = 1
	analyzeComputing  = 3
	analyzeFinalizing = 5

	clusterSeqScan    = 1
	clusterIndexScan  = 2
	clusterRebuilding = 6
	clusterCleanup    = 7

	indexWaitWriters  = 1
	indexBuilding     = 2
	indexWaitAgain    = 3
	indexValidating   = 6 // the table is scanned
	indexWaitOld      = 7
	indexWaitMarking  = 8
	indexWaitDropping = 9

	stepScanning = 2 // of indexBuilding
	stepSorting  = 3
	stepLoading  = 5
)

// What commands are called in the first number.
const (
	byCluster    = 1
	byVacuumFull = 2

	byCreateIndex = 1
	byReindex     = 3
	concurrent    = 1 // added to either
)

// report shows in a view pg_stat_progress_... what the statement does, until the function that it gives is called. A part of a command
// that is shown already is shown as its part.
func (c *Context) report(what string, relation base.OID, which int64) (done func()) {
	p := c.Session.Report(what, relation)
	if p == nil {
		return func() {}
	}
	c.progress = p
	p.Set(0, which)
	return func() {
		c.progress = nil
		c.Session.Reported(p)
	}
}
