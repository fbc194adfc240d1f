package engine

// Figure is a number of the engine for whoever watches it.
type Figure struct {
	Name    string
	Help    string
	Counter bool // only grows
	Value   float64
}

// Figures gives the engine's numbers: log, checkpoints, buffers, tables and vacuum.
func (e *Engine) Figures() []Figure {
	log, buffers, bg := e.cluster.Log, e.cluster.Pool, (*activityHost)(e).Background()
	out := []Figure{
		{"log_inserted_bytes_total", "Log written into its buffers since the cluster was made.", true, float64(log.InsertLSN())},
		{"log_flushed_bytes_total", "Log made durable since the cluster was made.", true, float64(log.FlushedLSN())},
		{"log_redo_distance_bytes", "Log that a crash now would have to redo.", false, float64(e.RedoDistance())},
		{"checkpoints_timed_total", "Checkpoints made because the time had come.", true, float64(bg.TimedCheckpoints)},
		{"checkpoints_requested_total", "Checkpoints made for the log's size or on request.", true, float64(bg.RequestedCheckpoints)},
		{"checkpoint_write_seconds_total", "Time spent writing pages in checkpoints.", true, bg.CheckpointWrite.Seconds()},
		{"checkpoint_sync_seconds_total", "Time spent making files durable in checkpoints.", true, bg.CheckpointSync.Seconds()},
		{"buffers_pages", "Pages that the shared buffers have room for.", false, float64(buffers.Frames())},
		{"buffers_checkpoint_pages_total", "Pages written by checkpoints.", true, float64(bg.CheckpointPages)},
		{"buffers_clean_pages_total", "Pages written by the background writer.", true, float64(bg.CleanPages)},
		{"buffers_clean_stops_total", "Rounds that the background writer ended at its limit.", true, float64(bg.CleanStops)},
		{"buffers_backend_pages_total", "Pages written by statements that needed room.", true, float64(bg.BackendPages)},
		{"buffers_allocated_pages_total", "Pages brought into the buffers.", true, float64(bg.Allocated)},
		{"autovacuum_workers", "Autovacuum workers at work.", false, float64(e.vacuuming.Load())},
	}
	return append(out, e.tableFigures()...)
}

// tableFigures sums over the tables of all databases.
func (e *Engine) tableFigures() []Figure {
	var inserted, updated, hot, deleted, dead, vacuums, analyzes, autoVacuums, autoAnalyzes int64
	all := e.stats.All()
	for _, t := range all {
		inserted += t.Inserted.Load()
		updated += t.Updated.Load()
		hot += t.HotUpdated.Load()
		deleted += t.Deleted.Load()
		dead += max(t.Dead.Load(), 0)
		vacuums += t.ByUser.Vacuums.Load()
		analyzes += t.ByUser.Analyzes.Load()
		autoVacuums += t.Auto.Vacuums.Load()
		autoAnalyzes += t.Auto.Analyzes.Load()
	}
	count := func(name, help string, n int64) Figure { return Figure{name, help, true, float64(n)} }
	return []Figure{
		{"tables_counted", "Tables that have been changed since the start.", false, float64(len(all))},
		count("rows_inserted_total", "Rows inserted.", inserted), count("rows_updated_total", "Rows updated.", updated),
		count("rows_hot_updated_total", "Rows updated without new index entries.", hot), count("rows_deleted_total", "Rows deleted.", deleted),
		{"rows_dead", "Row versions that vacuum has not removed yet, estimated.", false, float64(dead)},
		count("vacuums_total", "Tables vacuumed by command.", vacuums), count("analyzes_total", "Tables analyzed by command.", analyzes),
		count("autovacuums_total", "Tables vacuumed by autovacuum.", autoVacuums),
		count("autoanalyzes_total", "Tables analyzed by autovacuum.", autoAnalyzes),
	}
}
