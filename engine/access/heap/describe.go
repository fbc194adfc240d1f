package heap

import (
	"fmt"

	"manifold/engine/wal"
)

func describeHeap(r *wal.Record) string {
	name := [...]string{"?", "INSERT", "MULTI_INSERT", "DELETE", "UPDATE", "LOCK"}
	if int(r.Info) >= len(name) {
		return fmt.Sprintf("unknown %d", r.Info)
	}
	if r.Info == infoMultiInsert || len(r.Data) < 3 {
		return name[r.Info]
	}
	s := fmt.Sprintf("%s off %d", name[r.Info], le.Uint16(r.Data))
	if r.Info == infoUpdate && len(r.Data) >= updateHead {
		s += fmt.Sprintf(" new off %d prefix %d suffix %d", le.Uint16(r.Data[2:]), le.Uint16(r.Data[13:]), le.Uint16(r.Data[15:]))
	}
	return s
}

func describeHeap2(r *wal.Record) string {
	switch r.Info {
	case infoPrune:
		var plan prunePlan
		if plan.decode(r.Data) {
			return fmt.Sprintf("PRUNE redirected %d dead %d unused %d", len(plan.redirect)/2, len(plan.dead), len(plan.unused))
		}
	case infoVisible:
		return "VISIBLE"
	case infoSettle:
		if b := r.Block(0); b != nil {
			return fmt.Sprintf("SETTLE %d rows", len(b.Data)/settleSize)
		}
	}
	return fmt.Sprintf("unknown %d", r.Info)
}
