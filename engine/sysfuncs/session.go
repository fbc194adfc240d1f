package sysfuncs

import (
	"time"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/types"
)

// Version is what version() gives.
const Version = "PostgreSQL 15.18 (Manifold 0.1.0) on x86_64-pc-linux-gnu, compiled by Go, 64-bit"

const microsToEpoch = 946684800 * 1000000 // from 1970 to 2000

// timestamp makes a timestamptz; null for the zero time.
func timestamp(t time.Time) types.Datum {
	if t.IsZero() {
		return types.Null
	}
	return types.Int(t.UnixMicro() - microsToEpoch)
}

func registerSession(r registry) {
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return types.Text(s.Session.Database.Name), nil
	}, "current_database")
	for _, name := range []string{"current_user", "session_user", "current_schema"} {
		r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
			return SQLValue(s, name, -1)
		}, name)
	}
	r.add(currentSchemas, "current_schemas")
	r.add(func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Text(Version), nil }, "pgsql_version")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return types.Int(int64(s.Session.ID)), nil
	}, "pg_backend_pid")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		in := s.Session.Info()
		if in.ClientAddr == "" {
			return types.Null, nil
		}
		return types.Int(int64(in.ClientPort)), nil
	}, "inet_client_port")
	for name, of := range map[string]func(session.Info) string{
		"inet_client_addr": func(i session.Info) string { return i.ClientAddr }, "inet_server_addr": func(i session.Info) string { return i.ServerAddr },
	} {
		r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
			d, _ := types.InetOf(of(s.Session.Info()))
			return d, nil
		}, name)
	}
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		if in := s.Session.Info(); in.ServerAddr != "" {
			return types.Int(int64(in.ServerPort)), nil
		}
		return types.Null, nil
	}, "inet_server_port")
	r.add(func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Text("UTF8"), nil },
		"pg_client_encoding", "getdatabaseencoding")
	r.add(func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Bool(false), nil },
		"pg_is_in_recovery", "pg_is_other_temp_schema", "row_security_active", "row_security_active_name",
		"pg_isolation_test_session_is_blocked")
	r.add(func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Null, nil },
		"pg_last_wal_receive_lsn",
		"pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp", "pg_collation_actual_version", "pg_current_logfile")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		if s.Host == nil {
			return types.Null, nil
		}
		return timestamp(s.Host.Started()), nil
	}, "pg_postmaster_start_time")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		if s.Host == nil {
			return types.Null, nil
		}
		return timestamp(s.Host.ConfigLoaded()), nil
	}, "pg_conf_load_time")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return oidOf(s.Session.Temp.Namespace), nil
	}, "pg_my_temp_schema")
	r.add(sleep, "pg_sleep")
	r.add(signal(func(h Host, pid uint32) bool { return h.Cancel(pid) }), "pg_cancel_backend")
	r.add(signal(func(h Host, pid uint32) bool { return h.Terminate(pid) }), "pg_terminate_backend")
	r.add(reload, "pg_reload_conf")
	registerTransactions(r)
}

// SQLValue gives the value of CURRENT_USER and its like, by the name in lower case.
func SQLValue(s *Scope, name string, typmod int32) (types.Datum, error) {
	switch name {
	case "current_user", "user", "current_role":
		return roleName(s, s.Session.Role)
	case "session_user":
		return types.Text(s.Session.User.Name), nil
	case "current_catalog":
		return types.Text(s.Session.Database.Name), nil
	case "current_schema":
		explicit, _, err := Path(s.View, s.Session)
		if err != nil || len(explicit) == 0 {
			return types.Null, err
		}
		ns, err := s.View.NamespaceByOID(explicit[0])
		if err != nil || ns == nil {
			return types.Null, err
		}
		return types.Text(ns.Name), nil
	}
	return timeValue(s, name, typmod)
}

// timeValue gives the transaction's time in one of its forms.
func timeValue(s *Scope, name string, typmod int32) (types.Datum, error) {
	zone := s.Session.Env().TimeZone
	if zone == nil {
		zone = time.UTC
	}
	now := s.TransactionTime
	_, offset := now.In(zone).Zone()
	utc := now.UnixMicro() - microsToEpoch
	local := utc + int64(offset)*1000000
	day := local / types.MicrosPerDay
	if local%types.MicrosPerDay < 0 {
		day--
	}
	clock := local - day*types.MicrosPerDay
	switch name {
	case "current_date":
		return types.Int(day), nil
	case "current_timestamp":
		return types.Coerce(types.OIDTimestampTZ, typmod, types.Int(utc), false)
	case "localtimestamp":
		return types.Coerce(types.OIDTimestamp, typmod, types.Int(local), false)
	case "localtime":
		return types.Coerce(types.OIDTime, typmod, types.Int(clock), false)
	case "current_time":
		return types.Coerce(types.OIDTimeTZ, typmod, types.TimeTZ{Micros: clock, West: int32(-offset)}.Datum(), false)
	}
	return types.Null, pgerror.Unsupported("%s", name)
}

func roleName(s *Scope, oid base.OID) (types.Datum, error) {
	r, err := s.View.RoleByOID(oid)
	if err != nil || r == nil {
		return types.Null, err
	}
	return types.Text(r.Name), nil
}

func currentSchemas(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	explicit, full, err := Path(s.View, s.Session)
	if err != nil {
		return types.Null, err
	}
	list := explicit
	if a[0].True() {
		list = full
	}
	var elems []types.Datum
	for _, oid := range list {
		ns, err := s.View.NamespaceByOID(oid)
		if err != nil {
			return types.Null, err
		}
		if ns != nil {
			elems = append(elems, types.Text(ns.Name))
		}
	}
	return types.MakeArray(types.OIDName, elems), nil
}

func sleep(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	return types.Datum{}, sleepFor(s, time.Duration(a[0].Float()*float64(time.Second)))
}

// signal cancels or ends another session, which has to be of the same role, of one the caller is a member of, or the
// caller a superuser.
func signal(f func(h Host, pid uint32) bool) scalar {
	return func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		pid := uint32(a[0].I)
		if s.Host == nil {
			return types.Bool(false), nil
		}
		for _, other := range s.Host.Sessions() {
			if other.ID != pid || other.User == nil {
				continue
			}
			me, err := s.View.RoleByOID(s.Session.Role)
			if err != nil {
				return types.Null, err
			}
			if other.User.Super && (me == nil || !me.Super) {
				return types.Null, pgerror.New(pgerror.InsufficientPrivilege, "must be a superuser to cancel superuser query")
			}
			ok, err := s.View.MemberOf(s.Session.Role, other.User.OID)
			if err != nil {
				return types.Null, err
			}
			if !ok {
				return types.Null, pgerror.New(pgerror.InsufficientPrivilege,
					"must be a member of the role whose query is being canceled or member of pg_signal_backend")
			}
			return types.Bool(f(s.Host, pid)), nil
		}
		s.Session.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.Warning, "PID %d is not a PostgreSQL backend process", pid))
		return types.Bool(false), nil
	}
}

func reload(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
	if err := mustSuper(s, "pg_reload_conf"); err != nil || s.Host == nil {
		return types.Bool(false), err
	}
	return types.Bool(s.Host.Reload()), nil
}

func mustSuper(s *Scope, function string) error {
	r, err := s.View.RoleByOID(s.Session.Role)
	if err == nil && (r == nil || !r.Super) {
		err = pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for function %s", function)
	}
	return err
}

func registerAdvisory(r registry) {
	key := func(s *Scope, a []types.Datum) lock.Tag {
		if len(a) == 1 {
			return lock.Advisory(s.Session.Database.OID, a[0].I)
		}
		return lock.Advisory2(s.Session.Database.OID, int32(a[0].I), int32(a[1].I))
	}
	take := func(mode lock.Mode, session, try bool) scalar {
		return func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			_, err := s.Locks.Acquire(s.Task, s.Session.Proc.Owner(), lock.Request{Tag: key(s, a), Mode: mode, Session: session,
				NoWait: try, Timeout: s.Wait.Timeout, DeadlockTimeout: s.Wait.DeadlockTimeout})
			if try {
				if err == lock.ErrNotAvailable {
					return types.Bool(false), nil
				}
				return types.Bool(true), err
			}
			return types.Datum{}, err
		}
	}
	give := func(mode lock.Mode) scalar {
		return func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			ok := s.Locks.Release(s.Session.Proc.Owner(), key(s, a), mode, true)
			if !ok {
				name := "ExclusiveLock"
				if mode == lock.Share {
					name = "ShareLock"
				}
				s.Session.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.Warning,
					"you don't own a lock of type %s", name))
			}
			return types.Bool(ok), nil
		}
	}
	for _, kind := range []string{"int8", "int4"} {
		r.add(take(lock.Exclusive, true, false), "pg_advisory_lock_"+kind)
		r.add(take(lock.Share, true, false), "pg_advisory_lock_shared_"+kind)
		r.add(take(lock.Exclusive, false, false), "pg_advisory_xact_lock_"+kind)
		r.add(take(lock.Share, false, false), "pg_advisory_xact_lock_shared_"+kind)
		r.add(take(lock.Exclusive, true, true), "pg_try_advisory_lock_"+kind)
		r.add(take(lock.Share, true, true), "pg_try_advisory_lock_shared_"+kind)
		r.add(take(lock.Exclusive, false, true), "pg_try_advisory_xact_lock_"+kind)
		r.add(take(lock.Share, false, true), "pg_try_advisory_xact_lock_shared_"+kind)
		r.add(give(lock.Exclusive), "pg_advisory_unlock_"+kind)
		r.add(give(lock.Share), "pg_advisory_unlock_shared_"+kind)
	}
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		s.Session.Proc.Owner().ReleaseSession(lock.KindAdvisory)
		return types.Datum{}, nil
	}, "pg_advisory_unlock_all")
}
