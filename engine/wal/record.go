package wal

import (
	"encoding/binary"
	"hash/crc32"

	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
)

// castagnoli is hash/crc32's own table (MakeTable returns it); it is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The layout of a record: see README.md.
const (
	hLength         = 0  // uint32: bytes of the record without padding
	hCRC            = 4  // uint32
	hPrev           = 8  // uint64: start of the record before
	hXID            = 16 // uint64
	hIncarnation    = 24 // uint32
	hLag            = 28 // uint32: (start - flushed position at the insertion) / 8, saturating
	hRMgr           = 32
	hInfo           = 33
	hBlocks         = 34
	hPad            = 35
	hMain           = 36 // uint32: bytes of main data
	headerSize      = 40
	blockHeaderSize = 16
	relFileSize     = 16
	recordAlign     = 8
)

const (
	blkWillInit uint8 = 1 << iota
	blkImage
	blkSameRel
	blkCheck // the image is there to compare the replayed page with
)

// identity seeds the CRC of a record beside its position.
type identity struct {
	timeline, incarnation uint32
}

// crc ends the CRC of a record. The seed is the caller's memory, so that nothing is allocated.
func (id identity) crc(seed *[16]byte, body uint32, header []byte, start base.LSN) uint32 {
	binary.LittleEndian.PutUint64(seed[:], uint64(start))
	binary.LittleEndian.PutUint32(seed[8:], id.timeline)
	binary.LittleEndian.PutUint32(seed[12:], id.incarnation)
	crc := crc32.Update(body, castagnoli, seed[:])
	crc = crc32.Update(crc, castagnoli, header[:hCRC])
	return crc32.Update(crc, castagnoli, header[hPrev:headerSize])
}

// Record is a decoded record. Its slices belong to the Reader and live until its next Next.
type Record struct {
	Start, End  base.LSN // End is the record's LSN
	Prev        base.LSN
	XID         base.XID
	Incarnation uint32
	RMgr, Info  uint8
	Length      int
	Data        []byte // main data
	Blocks      []BlockRef
}

// BlockRef is a page that a record refers to.
type BlockRef struct {
	ID       uint8
	Tag      base.PageTag
	WillInit bool
	HasImage bool // redo restores the page from it
	HasCheck bool // the image tells what the page must be after redo
	Data     []byte

	image             []byte
	packing           packing
	hole, hlen        int
	imageLen, dataLen int
}

// Block finds a registered block; nil when the record has none of this id.
func (r *Record) Block(id uint8) *BlockRef {
	for i := range r.Blocks {
		if r.Blocks[i].ID == id {
			return &r.Blocks[i]
		}
	}
	return nil
}

// ImageLen gives the bytes of the image as logged.
func (b *BlockRef) ImageLen() int { return len(b.image) }

// RestoreImage writes the image, of either kind, over a page; the block must have one.
func (b *BlockRef) RestoreImage(p page.Page) error {
	image, err := b.unpack()
	if err != nil {
		return err
	}
	copy(p[:b.hole], image[:b.hole])
	clear(p[b.hole : b.hole+b.hlen])
	copy(p[b.hole+b.hlen:], image[b.hole:])
	return nil
}

// decode fills r from the bytes of one record, trusting none of them. Only the structure is checked, not the CRC.
func (r *Record) decode(raw []byte) error {
	if len(raw) < headerSize {
		return pgerror.Corrupt("WAL record of %d bytes is too short", len(raw))
	}
	r.Length = len(raw)
	r.Prev = base.LSN(binary.LittleEndian.Uint64(raw[hPrev:]))
	r.XID = base.XID(binary.LittleEndian.Uint64(raw[hXID:]))
	r.Incarnation = binary.LittleEndian.Uint32(raw[hIncarnation:])
	r.RMgr, r.Info = raw[hRMgr], raw[hInfo]
	r.Blocks, r.Data = r.Blocks[:0], nil
	n, mainLen := int(raw[hBlocks]), uint64(binary.LittleEndian.Uint32(raw[hMain:]))
	if n > MaxBlocks {
		return pgerror.Corrupt("WAL record refers to %d blocks", n)
	}
	rest := raw[headerSize:]
	var err error
	for i := 0; i < n; i++ {
		if rest, err = r.decodeBlock(rest); err != nil {
			return err
		}
	}
	for i := range r.Blocks {
		b := &r.Blocks[i]
		if len(rest) < b.imageLen+b.dataLen {
			return pgerror.Corrupt("WAL record ends inside the data of block %d", b.ID)
		}
		b.image, rest = rest[:b.imageLen:b.imageLen], rest[b.imageLen:]
		b.Data, rest = rest[:b.dataLen:b.dataLen], rest[b.dataLen:]
	}
	if uint64(len(rest)) != mainLen {
		return pgerror.Corrupt("WAL record has %d bytes of main data instead of %d", len(rest), mainLen)
	}
	r.Data = rest
	return nil
}

func (r *Record) decodeBlock(h []byte) ([]byte, error) {
	if len(h) < blockHeaderSize {
		return nil, pgerror.Corrupt("WAL record ends inside a block header")
	}
	fl := h[1]
	b := BlockRef{ID: h[0], WillInit: fl&blkWillInit != 0, HasImage: fl&(blkImage|blkCheck) == blkImage, HasCheck: fl&blkCheck != 0}
	b.Tag.Fork = base.Fork(h[2])
	b.dataLen = int(binary.LittleEndian.Uint16(h[4:]))
	b.hole, b.hlen = int(binary.LittleEndian.Uint16(h[6:])), int(binary.LittleEndian.Uint16(h[8:]))
	b.Tag.Block = base.BlockNumber(binary.LittleEndian.Uint32(h[12:]))
	if b.Tag.Fork > base.InitFork || b.hole+b.hlen > page.Size || b.HasCheck && fl&blkImage == 0 || !packing(h[3]).known() {
		return nil, pgerror.Corrupt("WAL record has an invalid block header")
	}
	if fl&blkImage != 0 {
		b.imageLen = page.Size - b.hlen
		if b.packing = packing(h[3]); b.packing != unpacked {
			b.imageLen = int(binary.LittleEndian.Uint16(h[10:]))
		}
	}
	h = h[blockHeaderSize:]
	if fl&blkSameRel != 0 {
		if len(r.Blocks) == 0 {
			return nil, pgerror.Corrupt("WAL record has no relation before a block of the same relation")
		}
		b.Tag.File = r.Blocks[len(r.Blocks)-1].Tag.File
	} else {
		if len(h) < relFileSize {
			return nil, pgerror.Corrupt("WAL record ends inside a block header")
		}
		b.Tag.File = base.RelFile{
			Space:    base.OID(binary.LittleEndian.Uint32(h)),
			Database: base.OID(binary.LittleEndian.Uint32(h[4:])),
			Number:   base.OID(binary.LittleEndian.Uint32(h[8:])),
			Temp:     binary.LittleEndian.Uint32(h[12:]),
		}
		h = h[relFileSize:]
	}
	r.Blocks = append(r.Blocks, b)
	return h, nil
}
