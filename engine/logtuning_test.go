package engine

import (
	"fmt"
	"testing"
)

// logged gives the bytes that statements of a session add to the log.
func logged(t *testing.T, e *Engine, c *client, list ...string) int64 {
	t.Helper()
	before := e.cluster.Log.Counts().Bytes
	steps(t, c, list...)
	return e.cluster.Log.Counts().Bytes - before
}

// TestLogSettingsAreTheSessions pins wal_compression, wal_consistency_checking and commit_delay of one session, which held for all
// sessions until it ended.
func TestLogSettingsAreTheSessions(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table t (k int, v text)", "insert into t select i, repeat('some words ', 20) from generate_series(1, 3000) i",
		"create table w (k int, v text)", "insert into w select * from t")
	images := func(c *client, table string) int64 {
		steps(t, connect(t, e), "checkpoint") // every page needs an image
		return logged(t, e, c, fmt.Sprintf("delete from %s where k %% 30 = 1; insert into %s values (1, '')", table, table))
	}
	plain := images(b, "t")
	steps(t, a, "set wal_compression = lz4")
	if packed := images(a, "w"); packed > plain/2 {
		t.Errorf("%d bytes compressed, %d not", packed, plain)
	}
	if other := images(b, "t"); other < plain*9/10 {
		t.Errorf("compressed for another session too: %d bytes, %d before", other, plain)
	}
	steps(t, a, "begin", "set local wal_compression = off")
	if local := images(a, "w"); local < plain*9/10 {
		t.Errorf("SET LOCAL: compressed, %d bytes", local)
	}
	steps(t, a, "commit")
	if packed := images(a, "w"); packed > plain/2 {
		t.Errorf("after SET LOCAL: %d bytes compressed, %d not", packed, plain)
	}

	steps(t, a, "reset wal_compression")
	const change = "update t set v = 'x' where k = 2"
	steps(t, b, change)
	little := logged(t, e, b, change)
	steps(t, a, "set wal_consistency_checking = heap")
	if other := logged(t, e, b, change); other > little+200 {
		t.Errorf("checked for another session too: %d bytes, %d before", other, little)
	}
	if checked := logged(t, e, a, change); checked < little+1000 {
		t.Errorf("no images to check by: %d bytes", checked)
	}

	steps(t, a, "set commit_delay = 100000", "set commit_siblings = 0")
	if own, other := a.s.Hot().Log.Delay, b.s.Hot().Log.Delay; own == 0 || other != 0 {
		t.Errorf("commit_delay %v, %v for another session", own, other)
	}
	if a.s.Task.LogTuning() != &a.s.Hot().Log || b.s.Task.LogTuning() == a.s.Task.LogTuning() {
		t.Error("the tasks do not have their sessions' tuning")
	}
}

// TestFullPageWrites pins that a checkpoint asks for images of pages, or for none when full_page_writes is off, from the moment on
// that the configuration says so.
func TestFullPageWrites(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create table t (k int)", "insert into t select generate_series(1, 20000)")
	rest := 0
	change := func(full string) int64 {
		if err := e.SetSettings(map[string]string{"full_page_writes": full}); err != nil {
			t.Fatal(err)
		}
		steps(t, c, "checkpoint")
		before := e.cluster.Log.Counts().Images
		rest++
		steps(t, c, fmt.Sprintf("delete from t where k %% 1000 = %d", rest))
		return e.cluster.Log.Counts().Images - before
	}
	if on, off, again := change("on"), change("off"), change("on"); on < 20 || off != 0 || again < 20 {
		t.Errorf("%d images on, %d off, %d on again", on, off, again)
	}
}
