package backend

import (
	"math"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// Options of DECLARE, as the grammar numbers them.
const (
	cursorBinary   = 0x0001
	cursorScroll   = 0x0002
	cursorNoScroll = 0x0004
	cursorHold     = 0x0020
)

// declare is DECLARE CURSOR.
func (b *Backend) declare(text string, n *pg_query.DeclareCursorStmt, given bound) error {
	s := b.s
	if n.Options&cursorHold == 0 && !s.Tx.Block && !s.Tx.Implicit {
		return noBlock("DECLARE CURSOR")
	}
	if _, ok := s.Portals[n.Portalname]; ok {
		return pgerror.Newf(pgerror.DuplicateCursor, "cursor \"%s\" already exists", n.Portalname)
	}
	po := b.newPortal(n.Portalname)
	v, err := b.settleCursor(text, n.Query, given.types, po)
	if err == nil && (len(v.Plan.Columns) == 0 || v.Tag != "SELECT") {
		err = pgerror.New(pgerror.FeatureNotSupported, "DECLARE CURSOR must not contain data-modifying statements in WITH")
	}
	if err != nil {
		b.dropPortal(n.Portalname)
		return err
	}
	r := po.Run.(*portalRun)
	po.Hold, po.Binary = n.Options&cursorHold != 0, n.Options&cursorBinary != 0
	// Like PostgreSQL's, a cursor that can scroll does so unless it is told not to; ours keeps its rows.
	po.Scroll = n.Options&cursorNoScroll == 0
	po.Result = v.Plan.Columns[:r.place.columns]
	po.Query = text
	if po.Binary {
		for range po.Result {
			po.Formats = append(po.Formats, 1)
		}
	}
	r.params = nil // the portal that they came with serves the next Bind
	for _, d := range given.values {
		r.params = append(r.params, d.Clone())
	}
	if err := b.start(&r.run, v, r.params, nil, true); err != nil {
		b.dropPortal(n.Portalname)
		return err
	}
	return nil
}

// fetch is FETCH and MOVE. It gives the command tag.
func (b *Backend) fetch(n *pg_query.FetchStmt, out Sink, describe bool, formats []int16) (string, error) {
	po, ok := b.s.Portals[n.Portalname]
	if !ok || po.Statement != nil || po.Result == nil {
		return "", pgerror.Newf(pgerror.UndefinedCursor, "cursor \"%s\" does not exist", n.Portalname)
	}
	count := int(n.HowMany)
	if n.HowMany == math.MaxInt64 {
		count = -1
	}
	d := forward
	switch n.Direction {
	case pg_query.FetchDirection_FETCH_BACKWARD:
		d = backward
	case pg_query.FetchDirection_FETCH_ABSOLUTE:
		d, count = absolute, int(n.HowMany)
	case pg_query.FetchDirection_FETCH_RELATIVE:
		d, count = relative, int(n.HowMany)
	}
	if (d == forward || d == backward) && n.HowMany < 0 {
		d, count = forward+backward-d, int(-n.HowMany)
	}
	rows, err := b.move(po, d, count)
	if err != nil {
		return "", err
	}
	if n.Ismove {
		return commandTag("MOVE", int64(len(rows))), nil
	}
	if po.Binary {
		formats = po.Formats
	}
	if describe {
		if err := out.Describe(po.Result, formats); err != nil {
			return "", err
		}
	}
	b.s.Told = true
	return commandTag("FETCH", int64(len(rows))), sendText(out, po.Result, formats, rows)
}

// closeCursor is CLOSE.
func (b *Backend) closeCursor(name string) error {
	if name == "" {
		for name, po := range b.s.Portals {
			if po.Statement == nil && po.Result != nil {
				b.dropPortal(name)
			}
		}
		return nil
	}
	if _, ok := b.s.Portals[name]; !ok {
		return pgerror.Newf(pgerror.UndefinedCursor, "cursor \"%s\" does not exist", name)
	}
	b.dropPortal(name)
	return nil
}

// cursorOf finds the cursor that FETCH names, for a description before it runs.
func (b *Backend) cursorOf(name string) *session.Portal {
	if po, ok := b.s.Portals[name]; ok && po.Result != nil {
		return po
	}
	return nil
}
