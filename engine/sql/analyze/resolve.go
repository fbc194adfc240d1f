package analyze

import (
	"manifold/engine/base"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// candidate is a function or operator that a call may mean.
type candidate struct {
	oid      base.OID
	args     []base.OID // as many as the call has, defaults and variadic arguments spread out
	rank     int        // position of its schema in the search path
	variadic bool       // args were spread from a variadic array
	nvar     int        // how many arguments were spread
	defaults int        // how many trailing arguments come from defaults
	argNums  []int      // for named notation: the parameter each given argument goes to
}

// narrow chooses among candidates by PostgreSQL's rules for functions and operators (chapters 10.2 and 10.3). It gives nil
// when none fits or several do.
func (a *analyzer) narrow(args []base.OID, cands []*candidate) (*candidate, error) {
	cands, err := a.applicable(args, cands)
	if err != nil || len(cands) == 0 {
		return nil, err
	}
	if len(cands) == 1 {
		return cands[0], nil
	}
	bases := make([]base.OID, len(args))
	unknowns := 0
	for i, t := range args {
		if t == types.OIDUnknown {
			bases[i] = t
			unknowns++
			continue
		}
		if bases[i], _, err = a.baseType(t); err != nil {
			return nil, err
		}
	}
	cands = best(cands, func(c *candidate) int {
		n := 0
		for i := range args {
			if bases[i] != types.OIDUnknown && c.args[i] == bases[i] {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return cands[0], nil
	}
	cats := make([]byte, len(args))
	for i := range args {
		if cats[i], _, err = a.category(bases[i]); err != nil {
			return nil, err
		}
	}
	cands = best(cands, func(c *candidate) int {
		n := 0
		for i := range args {
			if bases[i] != types.OIDUnknown && (c.args[i] == bases[i] || a.preferred(c.args[i], cats[i])) {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 || unknowns == 0 {
		return only(cands), nil
	}
	return a.narrowUnknown(args, bases, cands)
}

func only(cands []*candidate) *candidate {
	if len(cands) == 1 {
		return cands[0]
	}
	return nil
}

// best keeps the candidates with the highest score.
func best(cands []*candidate, score func(*candidate) int) []*candidate {
	top := -1
	var out []*candidate
	for _, c := range cands {
		n := score(c)
		if n > top {
			top, out = n, out[:0:0]
		}
		if n == top {
			out = append(out, c)
		}
	}
	return out
}

func (a *analyzer) preferred(typ base.OID, category byte) bool {
	c, p, err := a.category(typ)
	return err == nil && p && c == category
}

func (a *analyzer) applicable(args []base.OID, cands []*candidate) ([]*candidate, error) {
	var out []*candidate
	for _, c := range cands {
		ok, err := a.canCoerceAll(args, c.args)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// narrowUnknown decides by the categories the remaining candidates accept where the argument is an untyped literal.
func (a *analyzer) narrowUnknown(args, bases []base.OID, cands []*candidate) (*candidate, error) {
	resolved := true
	slotCat := make([]byte, len(args))
	slotPref := make([]bool, len(args))
	for i := range args {
		if bases[i] != types.OIDUnknown {
			continue
		}
		conflict := false
		for k, c := range cands {
			cat, pref, err := a.category(c.args[i])
			if err != nil {
				return nil, err
			}
			switch {
			case k == 0:
				slotCat[i], slotPref[i] = cat, pref
			case cat == slotCat[i]:
				slotPref[i] = slotPref[i] || pref
			case cat == 'S':
				slotCat[i], slotPref[i] = cat, pref
			default:
				conflict = true
			}
		}
		if conflict && slotCat[i] != 'S' {
			resolved = false
			break
		}
	}
	if resolved {
		var kept []*candidate
		for _, c := range cands {
			keep := true
			for i := range args {
				if bases[i] != types.OIDUnknown {
					continue
				}
				cat, pref, err := a.category(c.args[i])
				if err != nil {
					return nil, err
				}
				if cat != slotCat[i] || slotPref[i] && !pref {
					keep = false
				}
			}
			if keep {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 {
			cands = kept
		}
		if len(cands) == 1 {
			return cands[0], nil
		}
	}
	return a.narrowByKnown(args, bases, cands)
}

// narrowByKnown takes unknown arguments to be of the one type that all known arguments have.
func (a *analyzer) narrowByKnown(args, bases []base.OID, cands []*candidate) (*candidate, error) {
	var known base.OID
	for _, t := range bases {
		if t == types.OIDUnknown {
			continue
		}
		if known != 0 && known != t {
			return nil, nil
		}
		known = t
	}
	if known == 0 {
		return nil, nil
	}
	all := make([]base.OID, len(args))
	for i := range all {
		all[i] = known
	}
	fit, err := a.applicable(all, cands)
	if err != nil {
		return nil, err
	}
	return only(fit), nil
}

// pathRank gives the position of a schema in the search path, or -1.
func (a *analyzer) pathRank(namespace base.OID) int {
	for i, n := range a.opt.SearchPath {
		if n == namespace {
			return i
		}
	}
	return -1
}

// polymorph resolves the polymorphic types of a signature against the actual arguments. declared is changed in place to
// the types the arguments are coerced to, and the result type is given.
func (a *analyzer) polymorph(declared, actual []base.OID, ret base.OID, unknownOK bool) (base.OID, error) {
	var p poly
	for i, d := range declared {
		if err := p.note(a, d, actual[i]); err != nil {
			return 0, err
		}
	}
	if !p.any && !p.compatible && !polymorphic(ret) {
		return ret, nil
	}
	if err := p.settle(a); err != nil {
		return 0, err
	}
	for i, d := range declared {
		if polymorphic(d) {
			t, err := p.actual(a, d)
			if err != nil {
				return 0, err
			}
			declared[i] = t
		}
	}
	if !polymorphic(ret) {
		return ret, nil
	}
	return p.actual(a, ret)
}

// exprTypes gives the types of expressions.
func exprTypes(l []query.Expr) []base.OID {
	out := make([]base.OID, len(l))
	for i, e := range l {
		out[i] = e.Type()
	}
	return out
}
