package turns

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is a queue as slices: the lines in the order of their turns.
type model struct {
	turns []int
	lines [4][]int
}

func (m *model) push(line, who int) {
	if len(m.lines[line]) == 0 {
		m.turns = append(m.turns, line)
	}
	m.lines[line] = append(m.lines[line], who)
}

func (m *model) pop() (int, bool) {
	if len(m.turns) == 0 {
		return 0, false
	}
	line := m.turns[0]
	who := m.lines[line][0]
	m.lines[line] = m.lines[line][1:]
	m.turns = m.turns[1:]
	if len(m.lines[line]) > 0 {
		m.turns = append(m.turns, line)
	}
	return who, true
}

func (m *model) remove(line, who int) {
	i := slices.Index(m.lines[line], who)
	m.lines[line] = slices.Delete(m.lines[line], i, i+1)
	if len(m.lines[line]) == 0 {
		i := slices.Index(m.turns, line)
		m.turns = slices.Delete(m.turns, i, i+1)
	}
}

// TestModel plays pushes, pops and removals against slices.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue[int]
		var lines [4]Line[int]
		var m model
		all := make([]Entry[int], 24)
		at := map[int]int{} // the line in which an entry waits
		for i := range all {
			all[i].Value = i
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			who := rapid.IntRange(0, len(all)-1).Draw(t, "who")
			line, waits := at[who]
			switch {
			case rapid.IntRange(0, 2).Draw(t, "pop") == 0:
				got, ok := q.Pop()
				want, wantOK := m.pop()
				if got != want || ok != wantOK {
					t.Fatalf("popped %d %v, want %d %v", got, ok, want, wantOK)
				}
				delete(at, got)
			case waits:
				q.Remove(&lines[line], &all[who])
				m.remove(line, who)
				delete(at, who)
			default:
				line = rapid.IntRange(0, len(lines)-1).Draw(t, "line")
				q.Push(&lines[line], &all[who])
				m.push(line, who)
				at[who] = line
			}
			if q.Len() != len(at) {
				t.Fatalf("%d wait, not %d", q.Len(), len(at))
			}
			for i := range lines {
				first := lines[i].First()
				if lines[i].Len() != len(m.lines[i]) || (first != nil) != (len(m.lines[i]) > 0) || first != nil && first.Value != m.lines[i][0] {
					t.Fatalf("line %d has %d entries, not %d, or another is first", i, lines[i].Len(), len(m.lines[i]))
				}
			}
		}
		for q.Len() > 0 {
			got, _ := q.Pop()
			if want, _ := m.pop(); got != want {
				t.Fatalf("popped %d, want %d", got, want)
			}
		}
		for i := range all {
			if all[i].prev != nil || all[i].next != nil {
				t.Fatalf("entry %d still has links", i)
			}
		}
	})
}

// BenchmarkManyLines: a pop costs the same however many users wait.
func BenchmarkManyLines(b *testing.B) {
	var q Queue[int]
	lines, all := make([]Line[int], 1000), make([]Entry[int], 2000)
	for i := range all {
		all[i].Value = i
		q.Push(&lines[i%1000], &all[i])
	}
	for b.Loop() {
		i, _ := q.Pop()
		q.Push(&lines[i%1000], &all[i])
	}
}
