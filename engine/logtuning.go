package engine

import (
	"manifold/engine/recovery"
	"manifold/engine/session"
)

// tuneLog takes what the configuration wants of the log, for work that no session does. Sessions bring their own
// (session.Hot.Log).
func (e *Engine) tuneLog(preset map[string]string) error {
	g, err := configuredSettings(preset)
	if err != nil {
		return err
	}
	e.cluster.Log.SetTuning(g.LogTuning(), e.cluster.Txns.AtLeast)
	return nil
}

func configuredSettings(preset map[string]string) (*session.Settings, error) {
	g := session.NewSettings()
	for name, text := range preset {
		if err := g.Preset(name, text); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// ahead gives how recovery reads ahead. Both "try" and "on" prefetch pages: there is no system where that is impossible.
func (c *Config) ahead() (recovery.Ahead, error) {
	g, err := configuredSettings(c.Settings)
	if err != nil {
		return recovery.Ahead{}, err
	}
	a := recovery.Ahead{Buffer: int(g.Get("wal_decode_buffer_size").Int), InTurn: c.RedoInTurn}
	if g.Get("recovery_prefetch").Str != "off" {
		a.Concurrency = int(g.Get("maintenance_io_concurrency").Int)
	}
	return a, nil
}
