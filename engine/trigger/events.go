package trigger

import (
	"encoding/binary"

	"manifold/engine/base"
	"manifold/engine/exec"
	"manifold/engine/pgerror"
)

// event is one row's share in a rule.
type event struct {
	rule uint32
	old  base.TID
	new  base.TID
}

const (
	eventSize   = 20
	chunkEvents = 4096
	// maxChunks is how many chunks of events stay in memory; older ones lie in the file.
	maxChunks = 64
)

// eventLog is a list of events that grows at its end and shrinks there. Chunks between two numbers are in memory: the older
// ones in the file, where place says.
type eventLog struct {
	files  exec.TempFiles
	n      int64
	chunks [][]byte // by number; nil for one in the file
	place  []int64
	first  int // of the chunks in memory
	file   exec.TempFile
	end    int64
	read   []byte // the chunk of the file that was read last
	readAs int
}

func (l *eventLog) add(e event) error {
	c := int(l.n / chunkEvents)
	if c == len(l.chunks) {
		if c-l.first >= maxChunks {
			if err := l.spill(); err != nil {
				return err
			}
		}
		l.chunks = append(l.chunks, make([]byte, 0, 64*eventSize))
		l.place = append(l.place, -1)
	}
	if l.chunks[c] == nil {
		if err := l.load(c); err != nil {
			return err
		}
	}
	b := binary.LittleEndian.AppendUint32(l.chunks[c], e.rule)
	b = binary.LittleEndian.AppendUint64(b, e.old.Pack())
	l.chunks[c] = binary.LittleEndian.AppendUint64(b, e.new.Pack())
	l.n++
	return nil
}

// spill moves the oldest chunk in memory to the file.
func (l *eventLog) spill() error {
	if l.files == nil {
		return pgerror.New(pgerror.OutOfMemory, "out of memory").WithDetail("Too many events wait for the end of the transaction.")
	}
	if l.file == nil {
		f, err := l.files.Create()
		if err != nil {
			return err
		}
		l.file, l.end = f, 0
	}
	c := l.first
	if _, err := l.file.Write(l.chunks[c]); err != nil {
		return err
	}
	l.place[c], l.chunks[c] = l.end, nil
	l.end += chunkEvents * eventSize
	l.first++
	return nil
}

// chunk gives the bytes of a chunk, which live until the next call.
func (l *eventLog) chunk(c int) ([]byte, error) {
	if b := l.chunks[c]; b != nil {
		return b, nil
	}
	if l.read == nil || l.readAs != c {
		if l.read == nil {
			l.read = make([]byte, chunkEvents*eventSize)
		}
		l.readAs = -1
		if _, err := l.file.ReadAt(l.read, l.place[c]); err != nil {
			return nil, err
		}
		l.readAs = c
	}
	return l.read, nil
}

func (l *eventLog) at(i int64) (event, error) {
	b, err := l.chunk(int(i / chunkEvents))
	if err != nil {
		return event{}, err
	}
	b = b[i%chunkEvents*eventSize:]
	return event{binary.LittleEndian.Uint32(b), base.UnpackTID(binary.LittleEndian.Uint64(b[4:])),
		base.UnpackTID(binary.LittleEndian.Uint64(b[12:]))}, nil
}

// truncate cuts the list to its first n events.
func (l *eventLog) truncate(n int64) {
	if n >= l.n {
		return
	}
	if n == 0 {
		l.clear()
		return
	}
	keep := int((n + chunkEvents - 1) / chunkEvents)
	l.chunks, l.place = l.chunks[:keep], l.place[:keep]
	if l.chunks[keep-1] != nil {
		l.chunks[keep-1] = l.chunks[keep-1][:(n-int64(keep-1)*chunkEvents)*eventSize]
	}
	l.first = min(l.first, keep)
	l.n, l.readAs = n, -1
}

// load brings the last chunk back into memory, to grow on there after the list was cut within the file.
func (l *eventLog) load(c int) error {
	b, err := l.chunk(c)
	if err != nil {
		return err
	}
	l.chunks[c], l.first = append([]byte(nil), b[:(l.n-int64(c)*chunkEvents)*eventSize]...), c
	l.readAs = -1 // it will change, and lie elsewhere when it is spilled again
	return nil
}

// clear empties the list and lets its file go.
func (l *eventLog) clear() {
	if l.file != nil {
		_ = l.file.Close() // a temporary file that cannot be closed is of no more use either way
		l.file = nil
	}
	keep := l.chunks
	l.n, l.first, l.end, l.place, l.read, l.readAs = 0, 0, 0, l.place[:0], nil, -1
	l.chunks = l.chunks[:0]
	if len(keep) > 0 && cap(keep[:1][0]) > 0 && cap(keep[0]) <= 256*eventSize { // the commonest statements write a few rows
		l.chunks, l.place = append(l.chunks, keep[0][:0]), append(l.place, -1)
	}
}
