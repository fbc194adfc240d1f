package quicksort

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// lists gives lists of many shapes: random, ordered, reversed, of few values, of one, organ pipes.
func lists(r *rand.Rand, n int) map[string][]int {
	out := map[string][]int{}
	for name, f := range map[string]func(i int) int{
		"random":    func(int) int { return r.IntN(1 << 40) },
		"ascending": func(i int) int { return i },
		"reversed":  func(i int) int { return -i },
		"few":       func(int) int { return r.IntN(3) },
		"one":       func(int) int { return 7 },
		"pipes":     func(i int) int { return min(i, n-i) },
		"last":      func(i int) int { return i % max(n-1, 1) },
		"saw":       func(i int) int { return i % 1000 },
	} {
		l := make([]int, n)
		for i := range l {
			l[i] = f(i)
		}
		out[name] = l
	}
	return out
}

func TestSort(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, n := range []int{0, 1, 2, 3, 1000, piece, piece + 1, 5*piece + r.IntN(piece), 300000} {
		for name, l := range lists(r, n) {
			want := slices.Clone(l)
			slices.Sort(want)
			compared, since, most := 0, 0, 0
			err := Sort(l, func(a, b int) int { compared++; return cmp.Compare(a, b) }, func() error {
				most, since = max(most, compared-since), compared
				return nil
			})
			if err != nil || !slices.Equal(l, want) {
				t.Errorf("%d %s: not sorted, %v", n, name, err)
			}
			if most = max(most, compared-since); most > 40*piece {
				t.Errorf("%d %s: %d comparisons without a pause", n, name, most)
			}
		}
	}
}

// TestSortStops checks that an error of pause ends the sort wherever it comes, without losing an element.
func TestSortStops(t *testing.T) {
	stop := errors.New("stop")
	for _, at := range []int{1, 2, 5, 20, 40} {
		l := rand.New(rand.NewPCG(uint64(at), 1)).Perm(200000)
		left := at
		err := Sort(l, cmp.Compare[int], func() error {
			if left--; left == 0 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Fatalf("pause %d: %v", at, err)
		}
		slices.Sort(l)
		for i, v := range l {
			if i != v {
				t.Fatalf("pause %d: %d is missing", at, i)
			}
		}
	}
}

func BenchmarkSort(b *testing.B) {
	perm := rand.New(rand.NewPCG(1, 1)).Perm(2000000)
	l := make([]int, len(perm))
	b.Run("pieces", func(b *testing.B) {
		for b.Loop() {
			copy(l, perm)
			if err := Sort(l, cmp.Compare[int], func() error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			copy(l, perm)
			slices.SortFunc(l, cmp.Compare[int])
		}
	})
}
