package wire

// The limits of what a client may send, in bytes.
const (
	MaxStartup         = 10_000    // a startup packet
	MaxUnauthenticated = 16 << 10  // a message before authentication
	MaxSmall           = 10_000    // a message of a kind that carries names only
	MaxMessage         = 1<<30 - 1 // any other message, and one that we send
	readChunk          = 8 << 10   // the read buffer of an idle client
	growStep           = 1 << 20   // the most that the read buffer grows ahead of the bytes that arrive
	keepRead           = 64 << 10  // a larger read buffer is dropped once its message is done
	KeepWrite          = 64 << 10  // a larger output buffer is dropped once it is sent
	FlushAt            = 64 << 10  // unsent output beyond this is written before more is produced
)
