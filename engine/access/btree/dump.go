package btree

import (
	"fmt"
	"io"

	"manifold/engine/base"
	"manifold/engine/page"
)

// Describe draws the items of a page of a tree for pagedump. It may be any bytes.
func Describe(w io.Writer, p page.Page) {
	n := node{p}
	if len(p) != page.Size || p.Kind() != page.KindBTree {
		return
	}
	if f := n.fault(); f != "" {
		fmt.Fprintf(w, "  FAULT %s\n", f)
		return
	}
	fmt.Fprintf(w, "  level %d, flags %#x, left %d, right %d, skip %d\n", n.level(), n.flags(), n.left(), n.right(), n.skip())
	if key, tid, ok := n.high(); ok {
		fmt.Fprintf(w, "  high %x %s\n", key, base.UnpackTID(tid))
	}
	for i := range n.count() {
		it := n.item(i)
		fmt.Fprintf(w, "  %4d %x %s", i, n.key(i), base.UnpackTID(itemTID(it)))
		switch {
		case n.level() > 0:
			fmt.Fprintf(w, " -> %d", n.child(i))
		case isList(it):
			for k := 1; k < entries(it); k++ {
				fmt.Fprintf(w, " %s", base.UnpackTID(entryTID(it, k)))
			}
		case !isBare(it):
			fmt.Fprintf(w, " payload %x", it[itemHead+keyLen(it):])
		}
		if n.dead(i) {
			fmt.Fprint(w, " dead")
		}
		fmt.Fprintln(w)
	}
}

// fault tells what is wrong with the places of a node's parts; "" when all can be read. It trusts no byte.
func (n node) fault() string {
	if !n.sound() || (n.Lower()-page.HeaderSize)%slotSize != 0 {
		return "is not a page of a tree"
	}
	inside := func(off, size int) bool { return off >= n.Upper() && size >= 0 && off+size <= n.Special() }
	sp := n.sp()
	if size := int(le.Uint16(sp[spHighLen:])); size > 0 {
		off := int(le.Uint16(sp[spHighOff:]))
		if size < itemHead || !inside(off, size) || itemHead+int(le.Uint16(n.Page[off+tidSize:])) != size {
			return "has a high key that is not on the page"
		}
	}
	for i := range n.count() {
		w := le.Uint32(n.slotAt(i)[4:]) &^ slotDead
		off, size := int(w&slotMask), int(w>>slotOffBits&slotMask)
		if !inside(off, size) {
			return fmt.Sprintf("has item %d at %d to %d", i, off, off+size)
		}
		if !n.isItem(n.Page[off : off+size]) {
			return fmt.Sprintf("has a malformed item %d", i)
		}
		if i >= n.first() && keyLen(n.Page[off:]) < n.skip() {
			return fmt.Sprintf("has item %d without the common prefix", i)
		}
	}
	return ""
}
