package lock

// Mode is a table-level lock mode; greater is not always stronger, but AccessExclusive conflicts with all.
type Mode uint8

// The modes.
const (
	NoLock Mode = iota
	AccessShare
	RowShare
	RowExclusive
	ShareUpdateExclusive
	Share
	ShareRowExclusive
	Exclusive
	AccessExclusive
	modeCount
)

// String gives the name as pg_locks and messages do.
func (m Mode) String() string {
	names := [modeCount]string{"INVALID", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
		"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
	if m < modeCount {
		return names[m]
	}
	return "INVALID"
}

type modeMask uint16

func (m Mode) mask() modeMask { return 1 << m }

// conflicts gives the modes that a mode conflicts with: the table of the manual, section 13.3.1.
func (m Mode) conflicts() modeMask {
	return [modeCount]modeMask{
		AccessShare:          1 << AccessExclusive,
		RowShare:             1<<Exclusive | 1<<AccessExclusive,
		RowExclusive:         1<<Share | 1<<ShareRowExclusive | 1<<Exclusive | 1<<AccessExclusive,
		ShareUpdateExclusive: 1<<ShareUpdateExclusive | 1<<Share | 1<<ShareRowExclusive | 1<<Exclusive | 1<<AccessExclusive,
		Share:                1<<RowExclusive | 1<<ShareUpdateExclusive | 1<<ShareRowExclusive | 1<<Exclusive | 1<<AccessExclusive,
		ShareRowExclusive:    1<<RowExclusive | 1<<ShareUpdateExclusive | 1<<Share | 1<<ShareRowExclusive | 1<<Exclusive | 1<<AccessExclusive,
		Exclusive:            0xff << RowShare & 0x1fe,
		AccessExclusive:      0x1fe,
	}[m]
}

// Conflicts tells whether two modes exclude each other.
func (m Mode) Conflicts(o Mode) bool { return m.conflicts()&o.mask() != 0 }
