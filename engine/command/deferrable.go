package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
)

// attributes gives the DEFERRABLE and INITIALLY clauses in a column's list of constraints to the constraints they follow.
func (c *Context) attributes(list []*pg_query.Node) error {
	var last *pg_query.Constraint
	var sawDeferrable, sawInitially bool
	for _, n := range list {
		k := n.GetConstraint()
		switch k.GetContype() {
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE, pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE:
			on := k.Contype == pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE
			word := "DEFERRABLE"
			if !on {
				word = "NOT DEFERRABLE"
			}
			switch {
			case !mayDefer(last):
				return c.at(pgerror.Newf(pgerror.SyntaxError, "misplaced %s clause", word), k.Location)
			case sawDeferrable:
				return c.at(pgerror.New(pgerror.SyntaxError, "multiple DEFERRABLE/NOT DEFERRABLE clauses not allowed"), k.Location)
			case !on && sawInitially && last.Initdeferred:
				return c.at(pgerror.New(pgerror.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"), k.Location)
			}
			sawDeferrable, last.Deferrable = true, on
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRED, pg_query.ConstrType_CONSTR_ATTR_IMMEDIATE:
			on := k.Contype == pg_query.ConstrType_CONSTR_ATTR_DEFERRED
			word := "INITIALLY DEFERRED"
			if !on {
				word = "INITIALLY IMMEDIATE"
			}
			switch {
			case !mayDefer(last):
				return c.at(pgerror.Newf(pgerror.SyntaxError, "misplaced %s clause", word), k.Location)
			case sawInitially:
				return c.at(pgerror.New(pgerror.SyntaxError, "multiple INITIALLY IMMEDIATE/DEFERRED clauses not allowed"), k.Location)
			case on && sawDeferrable && !last.Deferrable:
				return c.at(pgerror.New(pgerror.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"), k.Location)
			}
			sawInitially, last.Initdeferred = true, on
			last.Deferrable = last.Deferrable || on
		default:
			last, sawDeferrable, sawInitially = k, false, false
		}
	}
	return nil
}

// mayDefer tells whether a constraint can be DEFERRABLE.
func mayDefer(k *pg_query.Constraint) bool {
	switch k.GetContype() {
	case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE, pg_query.ConstrType_CONSTR_EXCLUSION,
		pg_query.ConstrType_CONSTR_FOREIGN:
		return k != nil
	}
	return false
}
