package control

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
	"time"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// State is the state of the cluster as the last writer left it.
type State uint32

// The states, in the order a start goes through them.
const (
	StateNew State = iota
	StateShutdown
	StateShuttingDown
	StateCrashRecovery
	StateArchiveRecovery
	StateProduction
	stateCount
)

// String names the state as pg_controldata does.
func (s State) String() string {
	names := [stateCount]string{"starting up", "shut down", "shutting down", "in crash recovery", "in archive recovery",
		"in production"}
	if s < stateCount {
		return names[s]
	}
	return "unrecognized status code"
}

// FormatVersion is the version of everything on disk; Name is the file; SectorSize is the size of a copy, CopyOffset
// the distance of the two.
const (
	FormatVersion = 2
	Name          = "global/pg_control"
	SectorSize    = 512
	CopyOffset    = 4096
)

// Checkpoint is what a checkpoint record and the control file both hold.
type Checkpoint struct {
	Redo      base.LSN
	Timeline  uint32
	NextXID   base.XID
	NextOID   base.OID
	OldestXID base.XID // clog below it is gone
	Time      int64    // microseconds since 1970
}

// File is the content of the control file.
type File struct {
	SystemID      uint64
	Format        uint32
	State         State
	Incarnation   uint32   // durable before the first log record of a start
	CheckpointLSN base.LSN // start of the checkpoint record
	Checkpoint    Checkpoint
	MinRecovery   base.LSN // a restored backup is consistent only from here
	SegmentSize   int64    // of the log
	Time          int64    // of this write, microseconds since 1970
}

// The layout of a copy, all little-endian: see README.md.
const (
	magic   = 0x4c52544346494e4d // "MNIFCTRL"
	length  = 8 + 8 + 8 + 4 + 4 + 4 + 4 + 8 + 8 + 8 + 8 + 4 + 4 + 8 + 8 + 8 + 8
	offCRC  = SectorSize - 4
	maxSize = CopyOffset + SectorSize
)

// Encode writes a copy with its number.
func (f *File) Encode(seq uint64) [SectorSize]byte {
	var b [SectorSize]byte
	w := b[:0]
	le := binary.LittleEndian
	w = le.AppendUint64(w, magic)
	w = le.AppendUint64(w, seq)
	w = le.AppendUint64(w, f.SystemID)
	w = le.AppendUint32(w, f.Format)
	w = le.AppendUint32(w, uint32(f.State))
	w = le.AppendUint32(w, f.Incarnation)
	w = le.AppendUint32(w, f.Checkpoint.Timeline)
	w = le.AppendUint64(w, uint64(f.CheckpointLSN))
	w = le.AppendUint64(w, uint64(f.Checkpoint.Redo))
	w = le.AppendUint64(w, uint64(f.Checkpoint.NextXID))
	w = le.AppendUint64(w, uint64(f.Checkpoint.OldestXID))
	w = le.AppendUint32(w, uint32(f.Checkpoint.NextOID))
	w = le.AppendUint32(w, 0)
	w = le.AppendUint64(w, uint64(f.Checkpoint.Time))
	w = le.AppendUint64(w, uint64(f.MinRecovery))
	w = le.AppendUint64(w, uint64(f.SegmentSize))
	le.AppendUint64(w, uint64(f.Time))
	le.PutUint32(b[offCRC:], crc32.Checksum(b[:offCRC], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// Decode reads a copy and its number, trusting nothing.
func Decode(b []byte) (f File, seq uint64, err error) {
	le := binary.LittleEndian
	if len(b) != SectorSize || le.Uint64(b) != magic {
		return f, 0, pgerror.Corrupt("file \"%s\" is not a control file", Name)
	}
	if le.Uint32(b[offCRC:]) != crc32.Checksum(b[:offCRC], crc32.MakeTable(crc32.Castagnoli)) {
		return f, 0, pgerror.Corrupt("incorrect checksum in control file \"%s\"", Name)
	}
	r := b[8:length]
	u64 := func() (v uint64) { v, r = le.Uint64(r), r[8:]; return }
	u32 := func() (v uint32) { v, r = le.Uint32(r), r[4:]; return }
	seq = u64()
	f.SystemID = u64()
	f.Format = u32()
	f.State = State(u32())
	f.Incarnation = u32()
	f.Checkpoint.Timeline = u32()
	f.CheckpointLSN = base.LSN(u64())
	f.Checkpoint.Redo = base.LSN(u64())
	f.Checkpoint.NextXID = base.XID(u64())
	f.Checkpoint.OldestXID = base.XID(u64())
	f.Checkpoint.NextOID = base.OID(u32())
	u32()
	f.Checkpoint.Time = int64(u64())
	f.MinRecovery = base.LSN(u64())
	f.SegmentSize = int64(u64())
	f.Time = int64(u64())
	if f.Format != FormatVersion {
		return f, seq, pgerror.Newf(pgerror.ObjectNotInPrerequisiteState,
			"database files are incompatible with server").WithDetail(
			"The data directory was initialized with format %d, but the server was built for format %d.", f.Format, FormatVersion)
	}
	if f.State >= stateCount {
		return f, seq, pgerror.Corrupt("control file \"%s\" has invalid state %d", Name, f.State)
	}
	return f, seq, nil
}

// Store reads and writes the control file. Its methods may be called concurrently.
type Store struct {
	mu   sync.Mutex // guards the rest; held over I/O, since nothing hot waits for it
	file vfs.File
	cur  File
	seq  uint64
}

// Open opens the control file of a cluster and gives its content.
func Open(fsys vfs.FS) (*Store, File, error) {
	f, err := fsys.Open(Name, 0)
	if err != nil {
		return nil, File{}, pgerror.IO(err, "could not open file \"%s\"", Name)
	}
	s := &Store{file: f}
	var first error
	for i := int64(0); i < 2; i++ {
		var b [SectorSize]byte
		n, err := f.ReadAt(b[:], i*CopyOffset)
		if err == nil || n == SectorSize {
			var c File
			var seq uint64
			if c, seq, err = Decode(b[:]); err == nil && seq > s.seq {
				s.cur, s.seq = c, seq
			}
		}
		if err != nil && first == nil {
			first = err
		}
	}
	if s.seq == 0 {
		f.Close()
		return nil, File{}, pgerror.Corrupt("no sound copy in control file \"%s\": %v", Name, first)
	}
	return s, s.cur, nil
}

// OpenNew makes the control file of a new cluster, durable when it returns. The directory global must exist.
func OpenNew(fsys vfs.FS, c File) (*Store, error) {
	if err := fsys.MkdirAll("global"); err != nil {
		return nil, pgerror.IO(err, "could not create directory \"global\"")
	}
	f, err := fsys.Open(Name, vfs.Create|vfs.Exclusive)
	if err != nil {
		return nil, pgerror.IO(err, "could not create file \"%s\"", Name)
	}
	c.Format = FormatVersion
	s := &Store{file: f, cur: c}
	if err = f.Truncate(maxSize); err != nil {
		return nil, pgerror.IO(err, "could not extend file \"%s\"", Name)
	}
	for range 2 {
		if err := s.Update(func(*File) {}); err != nil {
			return nil, err
		}
	}
	if err := fsys.SyncDir("global"); err != nil {
		return nil, pgerror.IO(err, "could not fsync directory \"global\"")
	}
	return s, nil
}

// Get gives the content last written.
func (s *Store) Get() File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur
}

// Update changes the content and makes it durable before it returns: always with a sync, whatever fsync says. After an
// error the older copy is still sound.
func (s *Store) Update(change func(*File)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cur
	change(&c)
	c.Time = time.Now().UnixMicro()
	b := c.Encode(s.seq + 1)
	if _, err := s.file.WriteAt(b[:], int64((s.seq+1)%2)*CopyOffset); err != nil {
		return pgerror.IO(err, "could not write file \"%s\"", Name)
	}
	if err := s.file.Sync(); err != nil {
		return pgerror.IO(err, "could not fsync file \"%s\"", Name)
	}
	s.cur, s.seq = c, s.seq+1
	return nil
}

// Close closes the file.
func (s *Store) Close() error { return s.file.Close() }
