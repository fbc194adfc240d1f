package activity

// Event names what a task waits for. The zero Event is none.
type Event uint8

// The wait events, in the order of the table below.
const (
	EventNone Event = iota
	EventSlot
	EventClientRead
	EventClientWrite
	EventLockRelation
	EventLockExtend
	EventLockTransactionID
	EventLockTuple
	EventLockObject
	EventLockAdvisory
	EventLockVirtualXID
	EventLockSpecToken
	EventWALSync
	EventSyncRep
	EventPgSleep
	EventSafeSnapshot
	EventBufferIO
	EventBufferPin
	EventParallelFinish
	EventCheckpointDone
	EventCheckpointerMain
	EventBgWriterMain
	EventWALWriterMain
	EventAutovacuumMain
	EventSysLoggerMain
	EventVacuumDelay
	EventVacuumTruncate
	EventPoolRest    // for a pool that is paused, or whose backends are replaced
	EventParseMemory // for other large texts to leave the parser
	eventCount
)

// events gives each event its class and name as pg_stat_activity shows them.
var events = [eventCount][2]string{
	EventNone:              {"", ""},
	EventSlot:              {"Client", "Slot"},
	EventClientRead:        {"Client", "ClientRead"},
	EventClientWrite:       {"Client", "ClientWrite"},
	EventLockRelation:      {"Lock", "relation"},
	EventLockExtend:        {"Lock", "extend"},
	EventLockTransactionID: {"Lock", "transactionid"},
	EventLockTuple:         {"Lock", "tuple"},
	EventLockObject:        {"Lock", "object"},
	EventLockAdvisory:      {"Lock", "advisory"},
	EventLockVirtualXID:    {"Lock", "virtualxid"},
	EventLockSpecToken:     {"Lock", "spectoken"},
	EventWALSync:           {"IO", "WALSync"},
	EventSyncRep:           {"IPC", "SyncRep"},
	EventPgSleep:           {"Timeout", "PgSleep"},
	EventSafeSnapshot:      {"IPC", "SafeSnapshot"},
	EventBufferIO:          {"IO", "DataFileRead"},
	EventBufferPin:         {"BufferPin", "BufferPin"},
	EventParallelFinish:    {"IPC", "ParallelFinish"},
	EventCheckpointDone:    {"IPC", "CheckpointDone"},
	EventCheckpointerMain:  {"Activity", "CheckpointerMain"},
	EventBgWriterMain:      {"Activity", "BgWriterMain"},
	EventWALWriterMain:     {"Activity", "WalWriterMain"},
	EventAutovacuumMain:    {"Activity", "AutoVacuumMain"},
	EventSysLoggerMain:     {"Activity", "SysLoggerMain"},
	EventVacuumDelay:       {"Timeout", "VacuumDelay"},
	EventVacuumTruncate:    {"Timeout", "VacuumTruncate"},
	EventPoolRest:          {"IPC", "PoolRest"},
	EventParseMemory:       {"IPC", "ParseMemory"},
}

// Class gives the wait_event_type of pg_stat_activity.
func (e Event) Class() string { return events[e][0] }

// Name gives the wait_event of pg_stat_activity.
func (e Event) Name() string { return events[e][1] }
