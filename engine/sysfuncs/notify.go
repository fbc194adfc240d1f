package sysfuncs

import (
	"manifold/engine/builtins"
	"manifold/engine/types"
)

func registerNotify(r registry) {
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		channel, payload := "", ""
		if !a[0].Null {
			channel = text(a[0])
		}
		if !a[1].Null {
			payload = text(a[1])
		}
		return types.Text(""), s.Session.Pending.Notify(channel, payload)
	}, "pg_notify")
	r.addSet(func(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
		if s.Session.Listener == nil {
			return nil, nil
		}
		var rows []types.Datum
		for _, channel := range s.Session.Listener.Channels() {
			rows = append(rows, types.Text(channel))
		}
		return rows, nil
	}, "pg_listening_channels")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return types.Float(s.Notify.Usage()), nil
	}, "pg_notification_queue_usage")
}
