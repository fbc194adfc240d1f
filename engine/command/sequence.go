package command

import (
	"math"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/sql/analyze"
	"manifold/engine/types"
)

// sequenceDef is the definition of a sequence, with what the options say beside it.
type sequenceDef struct {
	sequence.Params
	typ     base.OID
	name    []string // SEQUENCE NAME
	ownedBy []string // nil: not said
	restart *int64   // RESTART; with restarts and no value: at the start
	again   bool
}

// typeBounds gives the least and greatest value of a sequence's type.
func typeBounds(typ base.OID) (low, high int64) {
	switch typ {
	case types.OIDInt2:
		return math.MinInt16, math.MaxInt16
	case types.OIDInt4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// sequenceOptions reads the options of a sequence; old is the definition that ALTER changes, nil for a new one.
func (c *Context) sequenceOptions(list []*pg_query.Node, old *sequenceDef, typ base.OID) (*sequenceDef, error) {
	d := &sequenceDef{typ: typ}
	d.Increment, d.Cache = 1, 1
	var minSet, maxSet, startSet bool
	if old != nil {
		*d = *old
		minSet, maxSet, startSet = true, true, true
	}
	given := map[string]*pg_query.DefElem{}
	for _, n := range list {
		e := n.GetDefElem()
		if given[e.Defname] != nil {
			return nil, c.at(pgerror.New(pgerror.SyntaxError, "conflicting or redundant options"), e.Location)
		}
		given[e.Defname] = e
	}
	if e := given["as"]; e != nil {
		t, _, err := analyze.TypeName(c.options(), e.Arg.GetTypeName())
		if err != nil {
			return nil, err
		}
		if t != types.OIDInt2 && t != types.OIDInt4 && t != types.OIDInt8 {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "sequence type must be smallint, integer, or bigint")
		}
		if old != nil {
			low, high := typeBounds(old.typ)
			minSet, maxSet = d.Min != low && d.Min != 1, d.Max != high && d.Max != -1
		}
		d.typ = t
	}
	for name, e := range given {
		if err := d.option(c, name, e, &minSet, &maxSet, &startSet); err != nil {
			return nil, err
		}
	}
	return d, d.complete(minSet, maxSet, startSet, given["minvalue"] != nil, given["maxvalue"] != nil)
}

// option applies one option.
func (d *sequenceDef) option(c *Context, name string, e *pg_query.DefElem, minSet, maxSet, startSet *bool) error {
	var n int64
	var err error
	if e.Arg != nil && name != "as" && name != "owned_by" && name != "sequence_name" && name != "cycle" {
		if n, err = defInt(e); err != nil {
			return err
		}
	}
	switch name {
	case "as":
	case "increment":
		if d.Increment = n; n == 0 {
			return pgerror.New(pgerror.InvalidParameterValue, "INCREMENT must not be zero")
		}
	case "minvalue":
		*minSet = e.Arg != nil
		d.Min = n
	case "maxvalue":
		*maxSet = e.Arg != nil
		d.Max = n
	case "start":
		d.Start, *startSet = n, true
	case "cache":
		if d.Cache = n; n <= 0 {
			return pgerror.Newf(pgerror.InvalidParameterValue, "CACHE (%d) must be greater than zero", n)
		}
	case "cycle":
		d.Cycle, err = defBool(e)
		return err
	case "restart":
		d.again = true
		if e.Arg != nil {
			d.restart = &n
		}
	case "owned_by":
		d.ownedBy = strs(e.Arg.GetList().GetItems())
	case "sequence_name":
		d.name = strs(e.Arg.GetList().GetItems())
	default:
		return pgerror.Unsupported("sequence option %s", name)
	}
	return nil
}

// complete fills in the defaults and checks the bounds.
func (d *sequenceDef) complete(minSet, maxSet, startSet, minGiven, maxGiven bool) error {
	low, high := typeBounds(d.typ)
	if !maxSet {
		if d.Max = high; d.Increment < 0 {
			d.Max = -1
		}
	}
	if !minSet {
		if d.Min = 1; d.Increment < 0 {
			d.Min = low
		}
	}
	if d.Max < low || d.Max > high {
		return pgerror.Newf(pgerror.InvalidParameterValue, "MAXVALUE (%d) is out of range for sequence data type %s", d.Max, types.Name(d.typ))
	}
	if d.Min < low || d.Min > high {
		return pgerror.Newf(pgerror.InvalidParameterValue, "MINVALUE (%d) is out of range for sequence data type %s", d.Min, types.Name(d.typ))
	}
	if d.Min >= d.Max {
		return pgerror.Newf(pgerror.InvalidParameterValue, "MINVALUE (%d) must be less than MAXVALUE (%d)", d.Min, d.Max)
	}
	if !startSet {
		if d.Start = d.Min; d.Increment < 0 {
			d.Start = d.Max
		}
	}
	if d.Start < d.Min {
		return pgerror.Newf(pgerror.InvalidParameterValue, "START value (%d) cannot be less than MINVALUE (%d)", d.Start, d.Min)
	}
	if d.Start > d.Max {
		return pgerror.Newf(pgerror.InvalidParameterValue, "START value (%d) cannot be greater than MAXVALUE (%d)", d.Start, d.Max)
	}
	return nil
}

func createSequence(c *Context, node *pg_query.Node) (string, error) {
	const tag = "CREATE SEQUENCE"
	s := node.GetCreateSeqStmt()
	schema, persistence, err := c.creationSchema(s.Sequence)
	if err != nil {
		return "", err
	}
	if exists, err := c.exists(schema, s.Sequence.Relname, s.IfNotExists); exists || err != nil {
		return tag, err
	}
	d, err := c.sequenceOptions(s.Options, nil, types.OIDInt8)
	if err != nil {
		return "", err
	}
	oid, err := c.makeSequence(s.Sequence.Relname, schema, persistence, d)
	if err != nil {
		return "", err
	}
	return tag, c.ownSequence(oid, d.ownedBy)
}

// makeSequence makes a sequence: its relation, pg_sequence row and file.
func (c *Context) makeSequence(name string, schema base.OID, persistence byte, d *sequenceDef) (base.OID, error) {
	rel := &definition{name: name, schema: schema, kind: relation.KindSequence, persistence: persistence, owner: c.Session.Role,
		attributes: []attribute{
			{name: "last_value", typ: types.OIDInt8, typmod: -1, notNull: true},
			{name: "log_cnt", typ: types.OIDInt8, typmod: -1, notNull: true},
			{name: "is_called", typ: types.OIDBool, typmod: -1, notNull: true},
		}}
	oid, err := c.define(rel)
	if err != nil {
		return 0, err
	}
	r := c.Editor.NewRow(bootstrap.RelSequence)
	r.SetOID(bootstrap.ColSequenceSeqrelid, oid)
	d.fill(r)
	if _, err := c.Editor.Insert(bootstrap.RelSequence, r); err != nil {
		return 0, err
	}
	desc, err := c.relation(oid)
	if err != nil {
		return 0, err
	}
	return oid, c.Sequences.Create(c.Task, c.Tx, desc, d.Start)
}

// fill writes the definition into a pg_sequence row.
func (d *sequenceDef) fill(r catalog.Row) {
	r.SetOID(bootstrap.ColSequenceSeqtypid, d.typ)
	r.SetInt(bootstrap.ColSequenceSeqstart, d.Start)
	r.SetInt(bootstrap.ColSequenceSeqincrement, d.Increment)
	r.SetInt(bootstrap.ColSequenceSeqmax, d.Max)
	r.SetInt(bootstrap.ColSequenceSeqmin, d.Min)
	r.SetInt(bootstrap.ColSequenceSeqcache, d.Cache)
	r.SetBool(bootstrap.ColSequenceSeqcycle, d.Cycle)
}

// readSequence gives the definition of a sequence.
func (c *Context) readSequence(oid base.OID) (*sequenceDef, error) {
	r, err := c.View.Row(bootstrap.RelSequence, bootstrap.IdxSequenceSeqrelidIndex, oidKey(oid))
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, pgerror.Newf(pgerror.InternalError, "cache lookup failed for sequence %d", oid)
	}
	d := &sequenceDef{typ: r.OID(bootstrap.ColSequenceSeqtypid)}
	d.Start, d.Increment = r.Int(bootstrap.ColSequenceSeqstart), r.Int(bootstrap.ColSequenceSeqincrement)
	d.Max, d.Min = r.Int(bootstrap.ColSequenceSeqmax), r.Int(bootstrap.ColSequenceSeqmin)
	d.Cache, d.Cycle = r.Int(bootstrap.ColSequenceSeqcache), r.Bool(bootstrap.ColSequenceSeqcycle)
	return d, nil
}

// ownSequence makes a sequence belong to a column, or with NONE to no one.
func (c *Context) ownSequence(seq base.OID, by []string) error {
	if len(by) == 0 {
		return nil
	}
	if len(by) == 1 {
		if by[0] != "none" {
			return pgerror.New(pgerror.SyntaxError, "invalid OWNED BY option").WithHint("Specify OWNED BY table.column or OWNED BY NONE.")
		}
		return c.forget(relObject(seq), bootstrap.RelClass, depAuto)
	}
	d, err := c.open(rangeVar(by[:len(by)-1]), lock.ShareUpdateExclusive, false)
	if err != nil {
		return err
	}
	s, err := c.relation(seq)
	if err != nil {
		return err
	}
	if d.Owner != s.Owner {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "sequence must have same owner as table it is linked to")
	}
	if d.Namespace != s.Namespace {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "sequence must be in same schema as table it is linked to")
	}
	attr, err := column(d, by[len(by)-1])
	if err != nil {
		return err
	}
	if err := c.forget(relObject(seq), bootstrap.RelClass, depAuto); err != nil {
		return err
	}
	return c.depend(relObject(seq), colObject(d.OID, attr), depAuto)
}

func alterSequence(c *Context, node *pg_query.Node) (string, error) {
	const tag = "ALTER SEQUENCE"
	s := node.GetAlterSeqStmt()
	d, err := c.open(s.Sequence, lock.ShareRowExclusive, s.MissingOk)
	if err != nil {
		return "", err
	}
	if d == nil {
		c.notice(pgerror.SuccessfulCompletion, "relation \"%s\" does not exist, skipping", s.Sequence.Relname)
		return tag, nil
	}
	if d.Kind != relation.KindSequence {
		return "", pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a sequence", d.Name)
	}
	if err := c.mustOwn(d); err != nil {
		return "", err
	}
	return tag, c.changeSequence(d, s.Options)
}

// changeSequence applies ALTER SEQUENCE's options: the state moves to a new file when it changes, so that it rolls back.
func (c *Context) changeSequence(d *relation.Desc, options []*pg_query.Node) error {
	old, err := c.readSequence(d.OID)
	if err != nil {
		return err
	}
	def, err := c.sequenceOptions(options, old, old.typ)
	if err != nil {
		return err
	}
	state, err := c.Sequences.Read(c.Task, d)
	if err != nil {
		return err
	}
	last, called := state.Last, state.Called
	if def.again {
		last, called = def.Start, false
		if def.restart != nil {
			last = *def.restart
		}
		if last < def.Min {
			return pgerror.Newf(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be less than MINVALUE (%d)", last, def.Min)
		}
		if last > def.Max {
			return pgerror.Newf(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be greater than MAXVALUE (%d)", last, def.Max)
		}
	} else if last < def.Min {
		return pgerror.Newf(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be less than MINVALUE (%d)", last, def.Min)
	} else if last > def.Max {
		return pgerror.Newf(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be greater than MAXVALUE (%d)", last, def.Max)
	}
	err = c.editRow(bootstrap.RelSequence, bootstrap.IdxSequenceSeqrelidIndex, def.fill, oidKey(d.OID))
	if err == nil {
		err = c.resetSequence(d.OID, last, called)
	}
	delete(c.Session.Sequences, d.OID)
	if err != nil {
		return err
	}
	return c.ownSequence(d.OID, def.ownedBy)
}

// resetSequence gives a sequence a new file with a state.
func (c *Context) resetSequence(oid base.OID, last int64, called bool) error {
	d, err := c.newFile(oid)
	if err != nil {
		return err
	}
	def, err := c.readSequence(oid)
	if err != nil {
		return err
	}
	if err := c.Sequences.Create(c.Task, c.Tx, d, last); err != nil || !called {
		return err
	}
	return c.Sequences.Set(c.Task, d, def.Params, last, true)
}

// newFile gives a relation a new file number; the old file goes at commit. The new file is not made yet.
func (c *Context) newFile(oid base.OID) (*relation.Desc, error) {
	d, err := c.relation(oid)
	if err != nil {
		return nil, err
	}
	number, err := c.Tx.Manager().NewOID()
	if err != nil {
		return nil, err
	}
	if err := c.editClass(oid, func(r catalog.Row) { r.SetOID(bootstrap.ColClassRelfilenode, number) }); err != nil {
		return nil, err
	}
	c.Tx.DropOnCommit(d.File)
	ssi := c.Tx.Manager().Serializable() // places that were read mean nothing any more
	ssi.MoveToRelation(d.File.Database, oid, oid)
	for _, ix := range d.Indexes {
		ssi.MoveToRelation(d.File.Database, ix.OID, oid)
	}
	return c.relation(oid)
}
