package quicksort

import (
	"math/bits"
	"slices"
)

// piece is how many elements are compared between two pauses, more or less.
const piece = 1 << 14

// sorter is one call of Sort.
type sorter[T any] struct {
	compare func(a, b T) int
	pause   func() error
	steps   int
}

// Sort orders a list by compare, which gives a negative number when a comes before b and zero for equal elements, whose order is
// left open. It calls pause again and again, and ends with pause's error, the list being a permutation of what it was.
func Sort[T any](list []T, compare func(a, b T) int, pause func() error) error {
	s := sorter[T]{compare: compare, pause: pause}
	if ordered, err := s.ordered(list); ordered || err != nil {
		return err
	}
	return s.divide(list, 2*bits.Len(uint(len(list))))
}

// step counts a comparison.
func (s *sorter[T]) step() error {
	if s.steps++; s.steps%piece != 0 {
		return nil
	}
	return s.pause()
}

func (s *sorter[T]) ordered(list []T) (bool, error) {
	for i := 1; i < len(list); i++ {
		if s.compare(list[i-1], list[i]) > 0 {
			return false, nil
		}
		if err := s.step(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// divide sorts a list; depth is how often a bad choice of pivots may still be made.
func (s *sorter[T]) divide(list []T, depth int) error {
	for len(list) > piece && depth > 0 {
		depth--
		k, err := s.partition(list)
		if err != nil {
			return err
		}
		low, high := list[:k], list[k:]
		if len(low) > len(high) {
			low, high = high, low
		}
		if err := s.divide(low, depth); err != nil {
			return err
		}
		list = high
	}
	slices.SortFunc(list, s.compare)
	return s.pause()
}

// partition moves what is not behind a pivot before what is not before it, and gives where the second part begins; neither is
// empty.
func (s *sorter[T]) partition(list []T) (int, error) {
	p := s.pivot(list)
	i, j := 0, len(list)-1
	for {
		for s.compare(list[i], p) < 0 {
			i++
			if err := s.step(); err != nil {
				return 0, err
			}
		}
		for s.compare(p, list[j]) < 0 {
			j--
			if err := s.step(); err != nil {
				return 0, err
			}
		}
		if i >= j {
			return max(i, 1), nil
		}
		list[i], list[j] = list[j], list[i]
		i, j = i+1, j-1
	}
}

// pivot gives an element that is probably near the middle: the median of three medians of three. It is neither the first nor the
// last of the order if those are different.
func (s *sorter[T]) pivot(list []T) T {
	n := len(list) / 9
	var m [3]T
	for k := range m {
		m[k] = s.median(list[(3*k+0)*n+n/2], list[(3*k+1)*n+n/2], list[(3*k+2)*n+n/2])
	}
	return s.median(m[0], m[1], m[2])
}

func (s *sorter[T]) median(a, b, c T) T {
	if s.compare(b, a) < 0 {
		a, b = b, a
	}
	if s.compare(c, b) >= 0 {
		return b
	}
	if s.compare(c, a) < 0 {
		return a
	}
	return c
}
