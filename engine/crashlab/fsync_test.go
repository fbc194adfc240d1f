package crashlab

import (
	"syscall"
	"testing"

	"manifold/engine"
	"manifold/engine/vfs"
)

// TestFailedSyncOfDataStopsTheServer pins a checkpoint whose fsync of a data file failed and that was simply made again: the
// second one did not sync what the first had lost, and moved the redo pointer past it.
func TestFailedSyncOfDataStopsTheServer(t *testing.T) {
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	e, c := open(t, fs)
	must(t, c, "insert into parent values (1, 1, 1, 'stamp 1')")
	fs.Inject(vfs.Fault{Op: vfs.OpSync, Match: "base/", Nth: 1, Err: syscall.EIO})
	if err := c.try("checkpoint"); err == nil {
		t.Error("the checkpoint succeeded")
	}
	select {
	case <-e.Failed():
	default:
		t.Error("the server goes on after a failed fsync of data")
	}
	if err := c.try("insert into parent values (2, 2, 2, 'stamp 2')"); err == nil {
		t.Error("a commit was acknowledged after it")
	}
	abandon(e)
	fs = fs.Crash(0)
	_, c = open(t, fs)
	if got := must(t, c, "select count(*) from parent where k = 1"); got[0] != "1" {
		t.Error("the row committed before is lost")
	}
}

func abandon(e *engine.Engine) { _ = e.Abandon() } // what it could not flush is what the test is about
