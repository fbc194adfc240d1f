package wal

import "manifold/engine/page"

// maxBatch bounds the records of a batch.
const maxBatch = 2048

// batchSlack is what a batch has room for beyond the bytes that end it, so that its last record seldom needs memory of its own.
const batchSlack = 4 * page.Size

// Batch is a run of records in memory of their own, which is used again by the next ReadBatch.
type Batch struct {
	Records []Record
	raw     []byte
	images  []byte // pages that were compressed
}

// ReadBatch fills b with the records that come next: until they have about size bytes, last tells that a record is to be the
// batch's last, or the log ends. It gives why the log ends, as Next does; b has the records before that also then.
func (r *Reader) ReadBatch(b *Batch, size int, last func(*Record) bool) error {
	if cap(b.raw) < size+batchSlack {
		b.raw = make([]byte, 0, size+batchSlack)
	}
	b.Records, b.raw, b.images = b.Records[:0], b.raw[:0], b.images[:0]
	defer func() { r.raw = nil }()
	for total := 0; total < size && len(b.Records) < maxBatch; {
		rec := b.slot()
		r.raw = b.raw[len(b.raw):len(b.raw):cap(b.raw)]
		if err := r.next(rec); err != nil {
			b.Records = b.Records[:len(b.Records)-1]
			return err
		}
		total += len(r.raw)
		if n := align(len(r.raw)); n <= cap(b.raw)-len(b.raw) { // else it has memory of its own
			b.raw = b.raw[:len(b.raw)+n]
		}
		total += b.unpack(rec, size)
		if last(rec) {
			break
		}
	}
	return nil
}

// slot gives the next record of the batch, with the memory of one that stood there before.
func (b *Batch) slot() *Record {
	n := len(b.Records)
	if n < cap(b.Records) {
		b.Records = b.Records[:n+1]
	} else {
		b.Records = append(b.Records, Record{})
	}
	return &b.Records[n]
}

// unpack decompresses the images of a record so far as there is room, and gives the bytes taken. What is broken stays for
// RestoreImage to tell of.
func (b *Batch) unpack(rec *Record, size int) (taken int) {
	for i := range rec.Blocks {
		k := &rec.Blocks[i]
		if k.packing == unpacked {
			continue
		}
		if b.images == nil {
			b.images = make([]byte, 0, size+batchSlack)
		}
		at, n := len(b.images), page.Size-k.hlen
		if n > cap(b.images)-at {
			return taken
		}
		if out := b.images[at : at+n : at+n]; k.decompress(out) == nil {
			k.image, k.packing = out, unpacked
			b.images, taken = b.images[:at+n], taken+n
		}
	}
	return taken
}
