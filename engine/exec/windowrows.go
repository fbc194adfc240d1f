package exec

import (
	"encoding/binary"
	"math/bits"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// windowRows keeps the input of a WindowAgg as columns, in blocks of rows numbered from the first row of the input on,
// across partitions. A block has BatchSize rows, or fewer where rows are wide. Blocks that nothing needs any more are dropped from
// the front; what exceeds work_mem is on a temporary file and read back when it is asked for.
type windowRows struct {
	variable []bool
	blocks   []*windowBlock // from block number first on
	first    int
	count    int // rows so far
	shift    int // a block has 1 << shift rows
	spare    *windowBlock

	budget   int64
	resident int64
	clock    uint64
	temp     TempFiles
	file     TempFile
	written  int64
	buf      []byte
}

// windowBlock is some rows in a row. The bits tell which rows begin a partition, or a group of peers.
type windowBlock struct {
	cols  []vector.Vector // nil: on file
	n     int
	parts [vector.BatchSize / 64]uint64
	peers [vector.BatchSize / 64]uint64
	args  []windowValues
	used  uint64 // by the clock
	bytes int64
	off   int64
	size  int64 // on file, zero for not there
}

// A block takes about a blockShare-th of work_mem at most, but smallBlock bytes are always fine; its values never take more than
// largestBlock bytes a column, which spans can address.
const (
	blockShare   = 8
	smallBlock   = 64 << 10
	wideRow      = 256 << 10
	largestBlock = 1 << 31
)

// residentBlocks is how many blocks stay in memory whatever work_mem says: one that is filled, one that is read, and two
// for what functions look at.
const residentBlocks = 4

// at gives the number of a row's block, and its lane there.
func (r *windowRows) at(row int) (block, lane int) { return row >> r.shift, row & (r.size() - 1) }

// size gives the rows of a full block.
func (r *windowRows) size() int { return 1 << r.shift }

func (r *windowRows) init(cols []bool, x *Context) {
	var spare *windowBlock
	if n := len(r.blocks); n > 0 && r.blocks[n-1].cols != nil {
		spare = r.blocks[n-1].blank()
	}
	r.clear()
	r.spare = spare
	r.variable, r.budget, r.temp = cols, x.WorkMem, x.TempDir
}

func (r *windowRows) clear() {
	r.blocks, r.first, r.count, r.resident, r.written, r.spare = nil, 0, 0, 0, 0, nil
	if r.file != nil {
		_ = r.file.Close() // a temporary file
		r.file = nil
	}
}

// append adds the live rows of a batch; parts and peers tell of each whether it begins a partition and a group.
func (r *windowRows) append(b *vector.Batch, parts, peers []bool) error {
	live := b.Live()
	if r.count == 0 {
		r.shift = r.shiftFor(b)
	}
	for k := 0; k < live; {
		number, lane := r.at(r.count)
		if number-r.first == len(r.blocks) {
			if err := r.begin(); err != nil {
				return err
			}
		}
		blk := r.blocks[number-r.first]
		n := min(live-k, r.size()-lane)
		for c := range blk.cols {
			appendLanes(&blk.cols[c], &b.Cols[c], b.Sel, k, n, lane)
			if len(blk.cols[c].Data) > largestBlock {
				return pgerror.New(pgerror.ProgramLimitExceeded, "rows of a window are too wide")
			}
		}
		for i := range n {
			if parts[k+i] {
				blk.parts[(lane+i)/64] |= 1 << ((lane + i) % 64)
			}
			if peers[k+i] {
				blk.peers[(lane+i)/64] |= 1 << ((lane + i) % 64)
			}
		}
		blk.n += n
		r.count += n
		k += n
	}
	return nil
}

// shiftFor chooses the size of blocks by the width of the first rows.
func (r *windowRows) shiftFor(b *vector.Batch) int {
	width := 0
	for c := range b.Cols {
		width += 8
		if v := &b.Cols[c]; v.Var {
			for k := range b.Live() {
				if i := b.Lane(k); !v.IsNull(i) {
					width += int(v.Spans[i].Len) / b.Live()
				}
			}
		}
	}
	least := 4 // a block costs something by itself
	if width > wideRow {
		least = 0
	}
	shift := bits.Len(vector.BatchSize) - 1
	for shift > least && int64(width)<<shift > max(r.budget/blockShare, smallBlock) {
		shift--
	}
	return shift
}

// appendLanes appends n live lanes of a column from the k-th on; to is the length of dst.
func appendLanes(dst, src *vector.Vector, sel []int32, k, n, to int) {
	switch {
	case dst.Var:
		for i := range n {
			s := src.Spans[lane(sel, k+i)]
			if src.IsNull(lane(sel, k+i)) {
				s = vector.Span{}
			}
			dst.Spans = append(dst.Spans, vector.Span{Off: uint32(len(dst.Data)), Len: s.Len})
			dst.Data = append(dst.Data, src.Data[s.Off:s.Off+s.Len]...)
		}
	case sel == nil:
		dst.Fixed = append(dst.Fixed, src.Fixed[k:k+n]...)
	default:
		for _, l := range sel[k : k+n] {
			dst.Fixed = append(dst.Fixed, src.Fixed[l])
		}
	}
	if !src.HasNulls {
		return
	}
	for i := range n {
		if src.IsNull(lane(sel, k+i)) {
			dst.SetNull(to + i)
		}
	}
}

// begin starts a block behind the others, once the one before it is full.
func (r *windowRows) begin() error {
	if n := len(r.blocks); n > 0 {
		full := r.blocks[n-1]
		full.bytes = full.memory()
		r.resident += full.bytes
		r.touch(full)
		if err := r.fit(); err != nil {
			return err
		}
	}
	blk := r.spare
	r.spare = nil
	if blk == nil {
		blk = &windowBlock{cols: make([]vector.Vector, len(r.variable))}
	}
	for c, v := range r.variable {
		blk.cols[c].Reset(v, 0)
	}
	r.touch(blk)
	r.blocks = append(r.blocks, blk)
	return nil
}

func (b *windowBlock) memory() int64 {
	n := int64(len(b.cols)) * 256
	for c := range b.cols {
		n += int64(8*cap(b.cols[c].Fixed) + 8*cap(b.cols[c].Spans) + cap(b.cols[c].Data))
	}
	return n
}

func (r *windowRows) touch(b *windowBlock) {
	r.clock++
	b.used = r.clock
}

// fit moves the blocks used longest ago to the file until the others are within budget.
func (r *windowRows) fit() error {
	for r.resident > r.budget && r.temp != nil {
		var oldest *windowBlock
		n := 0
		for _, b := range r.blocks {
			if b.cols == nil || b.bytes == 0 {
				continue
			}
			if n++; oldest == nil || b.used < oldest.used {
				oldest = b
			}
		}
		if n <= residentBlocks {
			return nil
		}
		if err := r.evict(oldest); err != nil {
			return err
		}
	}
	return nil
}

func (r *windowRows) evict(b *windowBlock) error {
	if b.size == 0 {
		if r.file == nil {
			f, err := r.temp.Create()
			if err != nil {
				return err
			}
			r.file = f
		}
		r.buf = r.buf[:0]
		for i := range b.n {
			at := len(r.buf)
			r.buf = appendRow(append(r.buf, 0, 0, 0, 0), b.cols, i)
			binary.LittleEndian.PutUint32(r.buf[at:], uint32(len(r.buf)-at-4))
		}
		if _, err := r.file.Write(r.buf); err != nil {
			return err
		}
		b.off, b.size = r.written, int64(len(r.buf))
		r.written += b.size
	}
	r.resident -= b.bytes
	b.cols, b.args, b.bytes = nil, nil, 0
	return nil
}

// block gives the block of a row that is there, from the file when it must.
func (r *windowRows) block(number int) (*windowBlock, error) {
	b := r.blocks[number-r.first]
	if b.cols != nil {
		r.touch(b)
		return b, nil
	}
	if int64(cap(r.buf)) < b.size {
		r.buf = make([]byte, b.size)
	}
	buf := r.buf[:b.size]
	if _, err := r.file.ReadAt(buf, b.off); err != nil {
		return nil, err
	}
	b.cols = make([]vector.Vector, len(r.variable))
	for c, v := range r.variable {
		b.cols[c].Reset(v, b.n)
	}
	for i := range b.n {
		n := binary.LittleEndian.Uint32(buf)
		loadRow(buf[4:4+n], r.variable, b.cols, i)
		buf = buf[4+n:]
	}
	b.bytes = b.memory()
	r.resident += b.bytes
	r.touch(b)
	return b, r.fit()
}

// value gives a column of a row.
func (r *windowRows) value(row, column int) (types.Datum, error) {
	number, lane := r.at(row)
	b, err := r.block(number)
	if err != nil {
		return types.Null, err
	}
	return b.cols[column].Get(lane), nil
}

// drop lets go of the blocks that lie before a row. The last batch made of them is no longer in use.
func (r *windowRows) drop(row int) {
	number, _ := r.at(row)
	for r.first < number && len(r.blocks) > 1 {
		b := r.blocks[0]
		r.blocks = r.blocks[1:]
		r.first++
		r.resident -= b.bytes
		if b.cols != nil {
			r.spare = b.blank()
		}
	}
}

// blank empties a block, which keeps its memory.
func (b *windowBlock) blank() *windowBlock {
	for i := range b.args {
		b.args[i].done, b.args[i].singly = 0, false
	}
	*b = windowBlock{cols: b.cols, args: b.args}
	return b
}

// nextPart and nextPeer give the first row of a range that begins a partition, or a group; to when none does.
func (r *windowRows) nextPart(from, to int) int {
	return r.nextBit(from, to, func(b *windowBlock) *[vector.BatchSize / 64]uint64 { return &b.parts })
}

func (r *windowRows) nextPeer(from, to int) int {
	return r.nextBit(from, to, func(b *windowBlock) *[vector.BatchSize / 64]uint64 { return &b.peers })
}

func (r *windowRows) nextBit(from, to int, of func(*windowBlock) *[vector.BatchSize / 64]uint64) int {
	for from < to {
		number, lane := r.at(from)
		word := of(r.blocks[number-r.first])[lane/64] >> (lane % 64)
		if word != 0 {
			return min(from+bits.TrailingZeros64(word), to)
		}
		from += min(64-lane%64, r.size()-lane)
	}
	return to
}

// isPart tells whether a row begins a partition.
func (r *windowRows) isPart(row int) bool {
	number, lane := r.at(row)
	return r.blocks[number-r.first].parts[lane/64]&(1<<(lane%64)) != 0
}

// isPeer tells whether a row begins a group of peers.
func (r *windowRows) isPeer(row int) bool {
	number, lane := r.at(row)
	return r.blocks[number-r.first].peers[lane/64]&(1<<(lane%64)) != 0
}

// windowKey finds where a column of the input changes its value.
type windowKey struct {
	column int
	typ    base.OID
	bits   bool // equal values have equal bits
	some   bool
	null   bool
	last   int64
	key    []byte
	before []byte
}

func newWindowKeys(keys []plan.SortKey, child plan.Node) []windowKey {
	out := make([]windowKey, len(keys))
	for i, k := range keys {
		typ := child.Common().Out[k.Column].Type
		out[i] = windowKey{column: k.Column, typ: typ}
		switch typ {
		case types.OIDBool, types.OIDInt2, types.OIDInt4, types.OIDInt8, types.OIDOID, types.OIDDate, types.OIDTime, types.OIDTimestamp, types.OIDTimestampTZ:
			out[i].bits = true
		}
	}
	return out
}

// mark sets changed for every live row that differs from the one before it.
func (k *windowKey) mark(b *vector.Batch, changed []bool) error {
	v := &b.Cols[k.column]
	for i := range changed {
		l := b.Lane(i)
		if k.bits {
			null := v.IsNull(l)
			if !k.some || null != k.null || !null && v.Fixed[l] != k.last {
				changed[i] = true
			}
			if k.null = null; !null {
				k.last = v.Fixed[l]
			}
			k.some = true
			continue
		}
		var err error
		if k.key, err = types.AppendKey(k.key[:0], k.typ, v.Get(l), false, false); err != nil {
			return err
		}
		if !k.some || string(k.key) != string(k.before) {
			changed[i] = true
		}
		k.some, k.key, k.before = true, k.before, k.key
	}
	return nil
}
