package parse

// effect is what a keyword does to the count of depth.
type effect uint8

const (
	effectNone effect = iota
	effectRestart
	effectChain
	effectSet
	effectCase
	effectEnd
)

// keywords lists the words that nest, chain or restart. What is not listed cannot make the grammar recurse further.
var keywords = map[string]effect{
	"and": effectRestart, "or": effectRestart,
	"union": effectSet, "intersect": effectSet, "except": effectSet, "join": effectSet,
	"case": effectCase, "end": effectEnd,
	"not": effectChain, "is": effectChain, "isnull": effectChain, "notnull": effectChain, "like": effectChain,
	"ilike": effectChain, "similar": effectChain, "between": effectChain, "in": effectChain, "collate": effectChain,
	"at": effectChain, "escape": effectChain, "operator": effectChain, "any": effectChain, "all": effectChain,
	"some": effectChain, "over": effectChain, "filter": effectChain, "explain": effectChain, "prepare": effectChain,
}

// keyword applies a word's effect; false when the statement is too deep.
func (s *scanner) keyword(w string) bool {
	if len(w) < 2 || len(w) > 9 {
		return true
	}
	var buf [9]byte
	for i := range len(w) {
		c := w[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	switch keywords[string(buf[:len(w)])] {
	case effectRestart:
		s.restart()
	case effectChain:
		return s.chain()
	case effectSet:
		return s.set()
	case effectCase:
		return s.push(true)
	case effectEnd:
		s.pop(true)
	}
	return true
}

func firstWord(w string) Word {
	if len(w) > 8 {
		return WordOther
	}
	var buf [8]byte
	for i := range len(w) {
		buf[i] = w[i] | 0x20
	}
	switch string(buf[:len(w)]) {
	case "select":
		return WordSelect
	case "insert":
		return WordInsert
	case "update":
		return WordUpdate
	case "delete":
		return WordDelete
	case "with":
		return WordWith
	case "values":
		return WordValues
	case "begin":
		return WordBegin
	case "commit", "end":
		return WordCommit
	case "rollback", "abort":
		return WordRollback
	}
	return WordOther
}
