package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
)

// exclusionSpec reads an EXCLUDE constraint.
func (c *Context) exclusionSpec(k *pg_query.Constraint) (*indexSpec, error) {
	if err := methodSupported(k.AccessMethod); err != nil {
		return nil, err
	}
	options, err := relOptions(k.Options, indexOptions())
	if err != nil {
		return nil, err
	}
	s := &indexSpec{name: k.Conname, constraint: true, options: options, including: strs(k.Including), where: k.WhereClause,
		deferrable: k.Deferrable, deferred: k.Initdeferred}
	for _, n := range k.Exclusions {
		pair := n.GetList().GetItems()
		s.columns = append(s.columns, columnOf(pair[0].GetIndexElem()))
		s.operators = append(s.operators, strs(pair[1].GetList().GetItems()))
	}
	return s, nil
}

// columnOf reads one element of an index's list of columns.
func columnOf(e *pg_query.IndexElem) indexColumn {
	return indexColumn{name: e.Name, expr: e.Expr, as: e.Indexcolname, collation: strs(e.Collation), opclass: strs(e.Opclass),
		descending: e.Ordering == pg_query.SortByDir_SORTBY_DESC, nulls: e.NullsOrdering}
}

// methodSupported refuses access methods that there are none of here.
func methodSupported(name string) error {
	switch name {
	case "", "btree":
		return nil
	case "hash", "gist", "gin", "spgist", "brin":
		return pgerror.Unsupported("access method \"%s\"", name)
	}
	return pgerror.Newf(pgerror.UndefinedObject, "access method \"%s\" does not exist", name)
}

// exclusionOperator finds the operator of a column of an EXCLUDE constraint. What a tree can answer is equality.
func (c *Context) exclusionOperator(name []string, typ, class base.OID) (base.OID, error) {
	k, err := c.View.OpclassByOID(class)
	if err != nil {
		return 0, err
	}
	op, err := c.operatorFor(name, typ, k.Input)
	if err != nil {
		return 0, err
	}
	shown := op.Name + "(" + c.typeName(op.Left) + "," + c.typeName(op.Right) + ")"
	if op.Commutator != op.OID {
		return 0, pgerror.Newf(pgerror.WrongObjectType, "operator %s is not commutative", shown).
			WithDetail("Only commutative operators can be used in exclusion constraints.")
	}
	places, err := c.View.AmopsOf(op.OID)
	if err != nil {
		return 0, err
	}
	for _, a := range places {
		if a.Family == k.Family && a.Strategy == catalog.StrategyEqual {
			return op.OID, nil
		}
	}
	row, err := c.View.Row(bootstrap.RelOpfamily, bootstrap.IdxOpfamilyOidIndex, oidKey(k.Family))
	if err != nil {
		return 0, err
	}
	family := row.Text(bootstrap.ColOpfamilyOpfname)
	return 0, pgerror.Newf(pgerror.WrongObjectType, "operator %s is not a member of operator family \"%s\"", shown, family).
		WithDetail("The exclusion operator must be related to the index operator class for the constraint.")
}

// operatorFor finds an operator between two values of a type, or of the type that the operator class takes.
func (c *Context) operatorFor(name []string, typ, input base.OID) (*catalog.Operator, error) {
	list, err := c.View.OperatorsByName(name[len(name)-1])
	if err != nil {
		return nil, err
	}
	for _, t := range []base.OID{typ, input} {
		for _, o := range list {
			if o.Left == t && o.Right == t {
				return o, nil
			}
		}
	}
	return nil, pgerror.Newf(pgerror.UndefinedFunction, "operator does not exist: %s %s %s", c.typeName(typ), qualified(name), c.typeName(typ)).
		WithHint("No operator matches the given name and argument types. You might need to add explicit type casts.")
}

// columnsOf gives the table's columns among the keys of an index and in its expressions, each once.
func columnsOf(r *resolvedIndex) []int {
	var out []int
	seen := map[int]bool{}
	for _, o := range r.objects {
		if o.sub > 0 && !seen[o.sub] {
			seen[o.sub] = true
			out = append(out, o.sub)
		}
	}
	return out
}
