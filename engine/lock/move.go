package lock

import "manifold/engine/pgerror"

// Item is a lock as a prepared transaction keeps it.
type Item struct {
	Tag  Tag
	Mode Mode
}

// Prepared lists the locks of the transaction but those on transaction ids, for PREPARE TRANSACTION. A lock that the
// session holds beyond the transaction too cannot go to another owner.
func (o *Owner) Prepared() ([]Item, error) {
	var out []Item
	for _, k := range o.held.list() {
		l, _ := o.held.get(k)
		switch {
		case k.tag.Kind == KindTransaction || l.xact == 0:
			continue
		case o.sessionOn(k.tag):
			return nil, pgerror.New(pgerror.FeatureNotSupported,
				"cannot PREPARE while holding both session-level and transaction-level locks on the same object")
		}
		out = append(out, Item{k.tag, k.mode})
	}
	return out, nil
}

func (o *Owner) sessionOn(t Tag) bool {
	for m := AccessShare; m < modeCount; m++ {
		if l, _ := o.held.get(localKey{t, m}); l.session > 0 {
			return true
		}
	}
	return false
}

// MoveTo gives the locks of the transaction, those on its ids among them, to another owner. Nobody can slip in between.
func (o *Owner) MoveTo(to *Owner) {
	for _, k := range o.held.list() {
		l, _ := o.held.get(k)
		if k.tag.Kind != KindTransaction && l.xact == 0 {
			continue
		}
		o.move(k, to)
		o.held.remove(k)
		if k.tag.Kind == KindTransaction {
			o.sess--
			to.count(k, local{}, true)
		} else {
			to.count(k, local{}, false)
		}
	}
	o.log = o.log[:0]
}

// move changes the owner of one mode of a lock, wherever it is.
func (o *Owner) move(k localKey, to *Owner) {
	p := o.m.part(k.tag)
	fast := false
	if weak(k.tag, k.mode) {
		o.mu.Lock()
		defer o.mu.Unlock() // takers of strong locks stay out until the shared table has it
		for i := range o.fast {
			if s := &o.fast[i]; s.modes&k.mode.mask() != 0 && s.tag == k.tag {
				s.modes &^= k.mode.mask()
				fast = true
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.find(k.tag)
	if fast {
		o.m.used.Add(1)
	} else {
		p.ungrant(e, o, k.mode)
	}
	p.grant(e, to, k.mode)
}
