package recovery

import (
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/wal"
)

// aheadBatches is how many batches the reader may be ahead of redo.
const aheadBatches = 8

// batch is a run of records on its way from the reader to redo.
type batch struct {
	wal.Batch
	err   error  // why the log ends after them
	pages uint64 // prefetches asked for until its end
}

// ahead reads the log ahead of redo: records are checked, decoded and decompressed, and the pages they need are on their way,
// when redo gets them. A goroutine does that, or redo itself whenever it has nothing left (inTurn), so that calls of the file
// system come in one order.
//
// A batch is handed over when all pages that were asked for until its end have been read. A record that makes, cuts or removes files
// ends its batch, and until redo has done that nothing more is asked for of these files: they change only while nobody reads ahead
// in them.
type ahead struct {
	log    *wal.Reader
	pages  *prefetcher // nil: pages are not prefetched
	moves  func(*wal.Record) (files []base.RelFile, any bool)
	size   int // bytes of a batch
	inTurn bool

	free, ready chan *batch
	stop, done  chan struct{}
	stopped     atomic.Bool
	redone      atomic.Uint64 // batches that redo has done

	// Of the reader:
	read    uint64                  // batches
	moved   map[base.RelFile]uint64 // the last of them that moves a file, unless redo has done it
	anyFile uint64                  // the last of them that may move any
	held    []*batch                // read, but their pages are still being prefetched
	ended   bool
}

// start begins to read; close must follow.
func (a *ahead) start() {
	a.free, a.ready = make(chan *batch, aheadBatches), make(chan *batch, aheadBatches)
	a.moved = map[base.RelFile]uint64{}
	a.stop, a.done = make(chan struct{}), make(chan struct{})
	for range aheadBatches {
		a.free <- &batch{}
	}
	if a.inTurn {
		close(a.done)
		return
	}
	go a.run()
}

// next gives the next batch to redo. The one whose err is set is the last.
func (a *ahead) next() *batch {
	if a.inTurn {
		for !a.ended && len(a.free) > 0 {
			a.fill(<-a.free)
		}
		if len(a.ready) == 0 {
			a.complete()
		}
	}
	return <-a.ready
}

// release takes a batch back that redo has done.
func (a *ahead) release(b *batch) {
	a.redone.Add(1)
	a.free <- b
}

// close ends the reader, wherever it is.
func (a *ahead) close() {
	a.stopped.Store(true)
	close(a.stop)
	<-a.done
}

// run reads until the log ends or close is called.
func (a *ahead) run() {
	defer close(a.done)
	for !a.ended {
		if len(a.free) == 0 {
			a.complete() // redo may be waiting for what is held
		}
		select {
		case b := <-a.free:
			a.fill(b)
		case <-a.stop:
			return
		}
	}
}

// fill reads the next records into a batch and asks for the pages that they need.
func (a *ahead) fill(b *batch) {
	var files []base.RelFile
	anyFile := false
	b.err = a.log.ReadBatch(&b.Batch, a.size, func(r *wal.Record) bool {
		files, anyFile = a.moves(r)
		return anyFile || len(files) > 0
	})
	a.read++
	a.ended = b.err != nil
	if a.pages != nil {
		a.pages.look(a, b, a.redone.Load())
		b.pages = a.pages.asked
	}
	a.held = append(a.held, b)
	if anyFile || len(files) > 0 {
		a.noteMoves(files, anyFile)
	}
	if a.ended {
		a.complete()
	}
	a.handOver()
}

// manyMoved is how many files are remembered one by one.
const manyMoved = 1000

// noteMoves remembers what the batch read last moves.
func (a *ahead) noteMoves(files []base.RelFile, anyFile bool) {
	redone := a.redone.Load()
	for f, at := range a.moved {
		if at <= redone {
			delete(a.moved, f)
		}
	}
	if anyFile || len(a.moved)+len(files) > manyMoved {
		a.anyFile = a.read
		return
	}
	for _, f := range files {
		a.moved[f] = a.read
	}
}

// moving tells whether a file may be moved by a batch that redo has not done.
func (a *ahead) moving(f base.RelFile, redone uint64) bool {
	return a.anyFile > redone || len(a.moved) > 0 && a.moved[f] > redone
}

// complete ends all prefetching under way and hands over what waits for it.
func (a *ahead) complete() {
	if a.pages != nil {
		for a.pages.brought < a.pages.asked {
			a.pages.bring(a.stopped.Load())
		}
	}
	a.handOver()
}

// handOver gives redo the batches whose pages are there.
func (a *ahead) handOver() {
	for len(a.held) > 0 && (a.pages == nil || a.held[0].pages <= a.pages.brought) {
		a.ready <- a.held[0]
		a.held = append(a.held[:0], a.held[1:]...)
	}
}
