select attname, atttypid::regtype from pg_attribute where attrelid = 'pg_stat_bgwriter'::regclass and attnum > 0 order by attnum;
checkpoint;
select checkpoints_timed >= 0 as timed, checkpoints_req > 0 as requested, checkpoint_write_time >= 0 as write,
  checkpoint_sync_time >= 0 as sync, buffers_checkpoint > 0 as pages, buffers_clean >= 0 as clean, maxwritten_clean >= 0 as stops,
  buffers_backend >= 0 as backend, buffers_backend_fsync = 0 as fsync, buffers_alloc > 0 as alloc, stats_reset <= now() as reset
  from pg_stat_bgwriter;
select attname, atttypid::regtype from pg_attribute where attrelid = 'pg_stat_wal'::regclass and attnum > 0 order by attnum;
select wal_records > 0 as records, wal_fpi >= 0 as images, wal_bytes > 0 as bytes, wal_buffers_full >= 0 as full, wal_write > 0 as writes,
  wal_sync >= 0 as syncs, wal_write_time = 0 as write_time, wal_sync_time = 0 as sync_time, stats_reset <= now() as reset from pg_stat_wal;

-- what the last recovery prefetched: nothing
select prefetch, hit, skip_init, skip_new, skip_fpw, skip_rep, wal_distance, block_distance, io_depth, stats_reset <= now() as reset
  from pg_stat_recovery_prefetch;
select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a
  where a.attrelid = 'pg_stat_recovery_prefetch'::regclass and a.attnum > 0 order by a.attnum;
select name, setting, unit, context from pg_settings
  where name in ('recovery_prefetch', 'wal_decode_buffer_size', 'maintenance_io_concurrency', 'full_page_writes') order by 1;
set recovery_prefetch = off;
set wal_decode_buffer_size = '1MB';
