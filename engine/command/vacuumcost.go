package command

import (
	"errors"
	"time"

	"manifold/engine/activity"
)

// costDelay makes a run sleep when it has cost more than the limit: vacuum_cost_delay and its kin, or for an autovacuum worker
// autovacuum_vacuum_cost_delay with a limit that all workers share. nil: no delay.
func (c *Context) costDelay(options map[string]string) func() error {
	g := c.Session.Settings
	delay, limit := g.Get("vacuum_cost_delay").Real, g.Get("vacuum_cost_limit").Int
	if c.Session.Worker != nil {
		if v := realOption(options, "autovacuum_vacuum_cost_delay", g.Get("autovacuum_vacuum_cost_delay").Real); v >= 0 {
			delay = v
		}
		if v := intOption(options, "autovacuum_vacuum_cost_limit", g.Get("autovacuum_vacuum_cost_limit").Int); v > 0 {
			limit = v
		}
	}
	if delay <= 0 || limit <= 0 {
		return nil
	}
	hit, miss, dirty := g.Get("vacuum_cost_page_hit").Int, g.Get("vacuum_cost_page_miss").Int, g.Get("vacuum_cost_page_dirty").Int
	last := c.Task.Buffers
	balance := int64(0)
	return func() error {
		now := c.Task.Buffers
		balance += (now.Hit-last.Hit)*hit + (now.Read-last.Read)*miss + (now.Dirtied-last.Dirtied)*dirty
		last = now
		share := limit
		if c.Session.Worker != nil {
			share = max(1, limit/int64(max(1, c.Session.Worker.Peers.Load())))
		}
		if balance < share {
			return nil
		}
		nap := min(delay*float64(balance)/float64(share), 4*delay)
		balance = 0
		err := c.Task.Wait(activity.EventVacuumDelay, nil, time.Duration(nap*float64(time.Millisecond)))
		if errors.Is(err, activity.ErrTimeout) {
			return nil
		}
		return err
	}
}
