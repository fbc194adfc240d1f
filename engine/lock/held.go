package lock

// localKey is one mode of one lock.
type localKey struct {
	tag  Tag
	mode Mode
}

// local counts how often a lock was taken.
type local struct{ xact, session int32 }

// heldTable is what a session knows of its own locks: a few in a list, which a scan finds faster than a hash, the
// others in a map.
type heldTable struct {
	keys []localKey
	vals []local
	more map[localKey]local
}

const heldInline = 16

func (t *heldTable) index(k localKey) int {
	for i := range t.keys {
		if e := &t.keys[i]; e.tag.A == k.tag.A && e.mode == k.mode && *e == k {
			return i
		}
	}
	return -1
}

func (t *heldTable) get(k localKey) (local, bool) {
	if i := t.index(k); i >= 0 {
		return t.vals[i], true
	}
	l, ok := t.more[k]
	return l, ok
}

func (t *heldTable) put(k localKey, l local) {
	if i := t.index(k); i >= 0 {
		t.vals[i] = l
		return
	}
	if _, ok := t.more[k]; !ok && len(t.keys) < heldInline {
		t.keys, t.vals = append(t.keys, k), append(t.vals, l)
		return
	}
	if t.more == nil {
		t.more = map[localKey]local{}
	}
	t.more[k] = l
}

func (t *heldTable) remove(k localKey) {
	if i := t.index(k); i >= 0 {
		n := len(t.keys) - 1
		t.keys[i], t.vals[i] = t.keys[n], t.vals[n]
		t.keys, t.vals = t.keys[:n], t.vals[:n]
		return
	}
	delete(t.more, k)
}

// list gives all keys, for what is not hot.
func (t *heldTable) list() []localKey {
	out := append([]localKey(nil), t.keys...)
	for k := range t.more {
		out = append(out, k)
	}
	return out
}
