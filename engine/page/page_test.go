package page

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"manifold/engine/base"
)

var tag = base.PageTag{File: base.RelFile{Space: 1663, Database: 5, Number: 16384}, Block: 7}

func newHeap() Page {
	p := make(Page, Size)
	p.Init(KindHeap, 8)
	return p
}

// TestModel adds, frees, kills, redirects and compacts at random; items keep their numbers and bytes.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newHeap()
		items := map[base.OffsetNumber][]byte{}
		dead := map[base.OffsetNumber]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			var some base.OffsetNumber
			if n := p.Lines(); n > 0 {
				some = base.OffsetNumber(rapid.IntRange(1, n).Draw(t, "line"))
			}
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 6:
				item := bytes.Repeat([]byte{byte(len(items) + 1)}, rapid.IntRange(1, 900).Draw(t, "len"))
				free := p.FreeSpace()
				off := p.AddItem(item)
				if off == 0 {
					if len(item) <= free {
						t.Fatalf("no room for %d bytes with %d free", len(item), free)
					}
					p.Compact()
					continue
				}
				if items[off] != nil || dead[off] {
					t.Fatalf("item number %d given twice", off)
				}
				items[off] = item
			case op < 8 && items[some] != nil:
				p.SetUnused(some)
				delete(items, some)
			case op == 8 && items[some] != nil:
				p.SetDead(some)
				delete(items, some)
				dead[some] = true
			case op == 9:
				p.Compact()
			}
			for off, want := range items {
				if !bytes.Equal(p.Item(off), want) {
					t.Fatalf("item %d changed", off)
				}
			}
			if faults := p.Check(tag, false); len(faults) > 0 {
				t.Fatalf("faults: %v", faults)
			}
		}
	})
}

func TestChecksumKnowsItsAddress(t *testing.T) {
	p := newHeap()
	p.AddItem([]byte("x"))
	p.SetChecksum(tag)
	other := tag
	other.Block++
	if !p.Verify(tag) || p.Verify(other) {
		t.Fatal("the checksum does not tell addresses apart")
	}
	for i := range p {
		p[i] ^= 1
		if p.Verify(tag) {
			t.Fatalf("changed byte %d was not noticed", i)
		}
		p[i] ^= 1
	}
	if z := make(Page, Size); !z.Verify(tag) || len(z.Check(tag, true)) != 0 {
		t.Fatal("a new page is not valid")
	}
}

func TestCheckReportsEveryFault(t *testing.T) {
	p := newHeap()
	p.AddItem([]byte("aaaaaaaa"))
	p.AddItem([]byte("bbbbbbbb"))
	p.AddItem([]byte("cccccccc"))
	p.setLine(2, p.Line(1))
	p.SetRedirect(3, 9)
	var w strings.Builder
	p.Describe(&w, tag)
	for _, want := range []string{"checksum", "items 1 and 2 overlap", "line pointer 3 redirects to 9"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, w.String())
		}
	}
}

func TestOrByte(t *testing.T) {
	p := newHeap()
	p.OrByte(4001, 0x81)
	p.OrByte(4001, 0x02)
	if p[4000] != 0 || p[4001] != 0x83 || p[4002] != 0 {
		t.Fatalf("% x", p[4000:4004])
	}
}

func FuzzCheck(f *testing.F) {
	p := newHeap()
	p.AddItem([]byte("an item"))
	p.SetChecksum(tag)
	f.Add([]byte(p))
	f.Fuzz(func(t *testing.T, b []byte) {
		q := make(Page, Size)
		copy(q, b)
		q.Check(tag, true)
		q.Describe(io.Discard, tag)
		if len(q.Check(tag, false)) == 0 && !q.IsNew() && q.Kind() == KindHeap {
			for i := range q.Lines() + 2 {
				q.Item(base.OffsetNumber(i))
			}
			q.Compact()
			if faults := q.Check(tag, false); len(faults) > 0 {
				t.Fatalf("compacting broke the page: %v", faults)
			}
		}
	})
}
