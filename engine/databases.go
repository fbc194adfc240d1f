package engine

import (
	"sort"

	"manifold/engine/activity"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
)

// DatabaseNames gives the databases that clients may connect to, in order.
func (e *Engine) DatabaseNames(task *activity.Task) ([]string, error) {
	var out []string
	err := e.read(task, bootstrap.DatabaseTemplate1, func(v *catalog.View) error {
		all, err := v.Databases()
		for _, d := range all {
			if d.AllowConn {
				out = append(out, d.Name)
			}
		}
		return err
	})
	sort.Strings(out)
	return out, err
}
