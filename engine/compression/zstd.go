package compression

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdEncoder and zstdDecoder are made on first use and serve everybody from then on; both are safe for concurrent use.
var (
	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(4), zstd.WithWindowSize(zstd.MinWindowSize<<3),
			zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // the options are wrong, always or never
		}
		return e
	})
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdLimit))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// zstdLimit bounds what a frame may unpack to.
const zstdLimit = 1 << 20

// decodeZstd fills dst from src and tells whether src made exactly its length.
func decodeZstd(dst, src []byte) bool {
	if len(dst) > zstdLimit {
		return false
	}
	out, err := zstdDecoder().DecodeAll(src, make([]byte, 0, len(dst)+1))
	return err == nil && copy(dst, out) == len(dst) && len(out) == len(dst)
}
