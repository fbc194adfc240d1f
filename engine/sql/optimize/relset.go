package optimize

// maxRels bounds the relations of one query level.
const maxRels = 512

// relset is a set of range table indexes of one level.
type relset [maxRels / 64]uint64

func single(i int) relset {
	var s relset
	s[i/64] = 1 << (i % 64)
	return s
}

func (s relset) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }

func (s relset) union(o relset) relset {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

func (s relset) minus(o relset) relset {
	for i := range s {
		s[i] &^= o[i]
	}
	return s
}

func (s relset) and(o relset) relset {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

func (s relset) empty() bool          { return s == relset{} }
func (s relset) within(o relset) bool { return s.minus(o).empty() }
func (s relset) meets(o relset) bool  { return !s.and(o).empty() }
