package wal

import (
	"encoding/binary"
	"hash/crc32"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/page"
	"manifold/engine/pgerror"
)

// BlockFlags say how a registered block is logged and replayed.
type BlockFlags uint8

// The flags that callers give to Builder.Block.
const (
	// WillInit: redo makes the page anew; no image is ever needed.
	WillInit BlockFlags = 1 << iota
	// ForceImage: log an image whatever the page's LSN.
	ForceImage
	// NoImage: never log an image; redo must not depend on what the page holds (or the page heals itself).
	NoImage
	// KeepData: keep the block's data even when an image is logged (a reader of the log needs it).
	KeepData
)

// The limits of a record.
const (
	MaxBlocks     = 32
	MaxRecordSize = 1 << 23
)

// Builder assembles one record at a time. It belongs to one backend and is reused; after its first records it allocates
// nothing. Bytes given to it are copied, pages are read at Insert: the caller holds them exclusively until then.
type Builder struct {
	rmgr, info uint8
	xid        base.XID
	main       []byte
	blocks     [MaxBlocks]builderBlock
	n          int
	head       []byte // header and block headers, formatted
	parts      [][]byte
	images     int    // in the record assembled last
	flat       []byte // a page without its hole
	seed       [16]byte
	tuning     *activity.LogTuning
}

// Tune says how the records that follow are made; nil is the server's way.
func (b *Builder) Tune(t *activity.LogTuning) { b.tuning = t }

type builderBlock struct {
	id         uint8
	flags      BlockFlags
	tag        base.PageTag
	page       page.Page
	data       []byte
	image      bool // logged for redo to restore
	check      bool // logged for redo to compare with
	hole, hlen uint16
	packed     []byte // the image compressed
}

// Begin starts a record of a resource manager; info is its own. xid may be base.InvalidXID.
func (b *Builder) Begin(rmgr, info uint8, xid base.XID) {
	b.rmgr, b.info, b.xid = rmgr, info, xid
	b.main = b.main[:0]
	b.n = 0
}

// Data appends to the record's main data.
func (b *Builder) Data(p []byte) { b.main = append(b.main, p...) }

// Block registers a page that the record changes under an id of the caller's choice (ids ascend). Register it after
// the change. p may be nil with WillInit or NoImage.
func (b *Builder) Block(id uint8, tag base.PageTag, p page.Page, flags BlockFlags) {
	invariant.Must(b.n < MaxBlocks, "record with more than %d blocks", MaxBlocks)
	invariant.Assert(p != nil || flags&(WillInit|NoImage) != 0, "block %d without a page", id)
	k := &b.blocks[b.n]
	b.n++
	k.id, k.tag, k.page, k.flags, k.data = id, tag, p, flags, k.data[:0]
}

// BlockData appends to the data of a registered block: at most 65535 bytes. It is dropped when an image is logged.
func (b *Builder) BlockData(id uint8, p []byte) {
	for i := b.n - 1; i >= 0; i-- {
		if b.blocks[i].id == id {
			b.blocks[i].data = append(b.blocks[i].data, p...)
			return
		}
	}
	invariant.Must(false, "data for block %d, which is not registered", id)
}

// needsImages tells whether a redo pointer calls for an image that the last assembly left out.
func (b *Builder) needsImages(redo base.LSN) bool {
	for i := range b.blocks[:b.n] {
		if k := &b.blocks[i]; !k.image && k.wantsImage(redo) {
			return true
		}
	}
	return false
}

func (k *builderBlock) wantsImage(redo base.LSN) bool {
	switch {
	case k.flags&ForceImage != 0:
		return true
	case k.flags&(WillInit|NoImage) != 0 || k.tag.File.Temp != 0:
		return false
	}
	return k.page.LSN() <= redo
}

// assemble formats the record for a redo pointer; the header's position-dependent fields and the CRC's end are filled in
// by seal. checks has a bit for each resource manager whose pages get images to compare with; pack is how images are
// compressed. It gives the record's length.
func (b *Builder) assemble(redo base.LSN, checks uint32, pack packing) (int, error) {
	b.head = append(b.head[:0], make([]byte, headerSize)...)
	b.parts = b.parts[:0]
	b.images = 0
	total := len(b.main)
	var last base.RelFile
	for i := range b.blocks[:b.n] {
		k := &b.blocks[i]
		k.image = k.wantsImage(redo)
		k.check = checks>>b.rmgr&1 != 0 && !k.image && k.page != nil && k.tag.File.Temp == 0 && !k.page.IsNew()
		if len(k.data) > 0xffff {
			return 0, pgerror.Newf(pgerror.ProgramLimitExceeded, "too much WAL data for one block: %d bytes", len(k.data))
		}
		total += k.assemble(b, i > 0 && k.tag.File == last, pack)
		last = k.tag.File
	}
	b.parts = append(b.parts, b.main)
	total += len(b.head)
	if total > MaxRecordSize {
		return 0, pgerror.Newf(pgerror.ProgramLimitExceeded, "WAL record of %d bytes exceeds the maximum of %d", total, MaxRecordSize)
	}
	h := b.head
	binary.LittleEndian.PutUint32(h[hLength:], uint32(total))
	binary.LittleEndian.PutUint64(h[hXID:], uint64(b.xid))
	h[hRMgr], h[hInfo], h[hBlocks], h[hPad] = b.rmgr, b.info, uint8(b.n), 0
	binary.LittleEndian.PutUint32(h[hMain:], uint32(len(b.main)))
	return total, nil
}

// assemble appends the block's header and payload and gives the payload's length.
func (k *builderBlock) assemble(b *Builder, sameRel bool, pack packing) int {
	var fl uint8
	data, n := k.data, 0
	k.hole, k.hlen = 0, 0
	if k.flags&WillInit != 0 {
		fl |= blkWillInit
	}
	if k.image && k.flags&KeepData == 0 {
		data = nil
	}
	if k.image || k.check {
		fl |= blkImage
		if k.check {
			fl |= blkCheck
		}
		if lo, up := k.page.Lower(), k.page.Upper(); lo >= page.HeaderSize && lo < up && up <= page.Size {
			k.hole, k.hlen = uint16(lo), uint16(up-lo)
		}
	}
	if sameRel {
		fl |= blkSameRel
	}
	var h [blockHeaderSize + relFileSize]byte
	h[0], h[1], h[2] = k.id, fl, uint8(k.tag.Fork)
	binary.LittleEndian.PutUint16(h[4:], uint16(len(data)))
	binary.LittleEndian.PutUint16(h[6:], k.hole)
	binary.LittleEndian.PutUint16(h[8:], k.hlen)
	binary.LittleEndian.PutUint32(h[12:], uint32(k.tag.Block))
	packed := false
	if k.image || k.check {
		b.images++
		if packed = pack != unpacked && k.pack(b, pack); packed {
			h[3] = byte(pack)
			binary.LittleEndian.PutUint16(h[10:], uint16(len(k.packed)))
		}
	}
	end := blockHeaderSize
	if !sameRel {
		binary.LittleEndian.PutUint32(h[16:], uint32(k.tag.File.Space))
		binary.LittleEndian.PutUint32(h[20:], uint32(k.tag.File.Database))
		binary.LittleEndian.PutUint32(h[24:], uint32(k.tag.File.Number))
		binary.LittleEndian.PutUint32(h[28:], k.tag.File.Temp)
		end += relFileSize
	}
	b.head = append(b.head, h[:end]...)
	switch {
	case packed:
		b.parts = append(b.parts, k.packed)
		n += len(k.packed)
	case k.image || k.check:
		b.parts = append(b.parts, k.page[:k.hole], k.page[int(k.hole)+int(k.hlen):page.Size])
		n += page.Size - int(k.hlen)
	}
	if len(data) > 0 {
		b.parts = append(b.parts, data)
		n += len(data)
	}
	return n
}

// bodyCRC is the part of the CRC that does not depend on the record's position: payload, then block headers.
func (b *Builder) bodyCRC() uint32 {
	crc := crc32.Update(0, castagnoli, b.head[headerSize:])
	for _, p := range b.parts {
		crc = crc32.Update(crc, castagnoli, p)
	}
	return crc
}

// seal fills in what depends on the position and ends the CRC.
func (b *Builder) seal(body uint32, id identity, start, prev base.LSN, lag uint32) {
	h := b.head
	binary.LittleEndian.PutUint64(h[hPrev:], uint64(prev))
	binary.LittleEndian.PutUint32(h[hIncarnation:], id.incarnation)
	binary.LittleEndian.PutUint32(h[hLag:], lag)
	binary.LittleEndian.PutUint32(h[hCRC:], id.crc(&b.seed, body, h[:headerSize], start))
}
