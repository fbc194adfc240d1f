package engine

import "manifold/engine/session"

// tuneLog takes what the configuration wants of the log, for work that no session does. Sessions bring their own
// (session.Hot.Log).
func (e *Engine) tuneLog(preset map[string]string) error {
	g := session.NewSettings()
	for name, text := range preset {
		if err := g.Preset(name, text); err != nil {
			return err
		}
	}
	e.cluster.Log.SetTuning(g.LogTuning(), e.cluster.Txns.AtLeast)
	return nil
}
