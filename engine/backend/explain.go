package backend

import (
	"strings"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/command"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/explain"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/plancache"
	"manifold/engine/types"
)

// sessionLocks is the kind of lock that DISCARD ALL releases.
const sessionLocks = lock.KindAdvisory

// explainColumns gives the result column of EXPLAIN.
func explainColumns(n *pg_query.ExplainStmt) []plan.ResultColumn {
	cols := textColumns("QUERY PLAN")
	for _, o := range n.Options {
		if d := o.GetDefElem(); d.Defname == "format" && strings.EqualFold(d.Arg.GetString_().GetSval(), "json") {
			cols[0].Type = types.OIDJSON
		}
	}
	return cols
}

// explainOptions reads the options of EXPLAIN.
func explainOptions(n *pg_query.ExplainStmt) (explain.Options, error) {
	o := explain.Options{Costs: true, Timing: true}
	summary, timing := false, false
	for _, x := range n.Options {
		d := x.GetDefElem()
		on := optionOn(d.Arg)
		switch d.Defname {
		case "analyze":
			o.Analyze = on
		case "verbose":
			o.Verbose = on
		case "costs":
			o.Costs = on
		case "buffers":
			o.Buffers = on
		case "timing":
			o.Timing, timing = on, true
		case "summary":
			o.Summary, summary = on, true
		case "format":
			switch f := d.Arg.GetString_().GetSval(); strings.ToLower(f) {
			case "text":
			case "json":
				o.JSON = true
			case "xml", "yaml":
				return o, pgerror.Unsupported("EXPLAIN format %s", f)
			default:
				return o, pgerror.Newf(pgerror.InvalidParameterValue, "unrecognized value for EXPLAIN option \"format\": \"%s\"", f)
			}
		case "wal", "settings":
			return o, pgerror.Unsupported("EXPLAIN option %s", d.Defname)
		default:
			return o, pgerror.Newf(pgerror.SyntaxError, "unrecognized EXPLAIN option \"%s\"", d.Defname)
		}
	}
	if !o.Analyze {
		if timing && o.Timing {
			return o, pgerror.New(pgerror.InvalidParameterValue, "EXPLAIN option TIMING requires ANALYZE")
		}
		o.Timing = false
	}
	if !summary {
		o.Summary = o.Analyze
	}
	return o, nil
}

// optionOn reads the value of a boolean option; none is on.
func optionOn(arg *pg_query.Node) bool {
	if arg == nil {
		return true
	}
	if i := arg.GetInteger(); i != nil {
		return i.Ival != 0
	}
	if v := arg.GetBoolean(); v != nil {
		return v.Boolval
	}
	switch strings.ToLower(arg.GetString_().GetSval()) {
	case "off", "false", "0":
		return false
	}
	return true
}

// explain is EXPLAIN.
func (b *Backend) explain(text string, n *pg_query.ExplainStmt, given bound, out Sink, describe bool, formats []int16) error {
	opt, err := explainOptions(n)
	if err != nil {
		return err
	}
	began := time.Now()
	v, params, err := b.explained(text, n.Query, given)
	if err != nil {
		return err
	}
	m := &explain.Run{Planning: milliseconds(time.Since(began))}
	var measured *explain.Run
	if opt.Analyze {
		if err := b.measure(v, params, m); err != nil {
			return err
		}
	}
	if opt.Analyze || opt.Summary {
		measured = m
	}
	if _, err := b.searchPath(); err != nil {
		return err
	}
	lines := explain.Lines(v.Plan, &b.names, b.env(), opt, measured)
	cols := explainColumns(n)
	if describe {
		if err := out.Describe(cols, formats); err != nil {
			return err
		}
	}
	b.s.Told = true
	var rows [][]types.Datum
	if opt.JSON {
		lines = []string{strings.Join(lines, "\n")}
	}
	for _, l := range lines {
		rows = append(rows, []types.Datum{types.Text(l)})
	}
	return sendText(out, cols, formats, rows)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// explained plans the statement that EXPLAIN is about.
func (b *Backend) explained(text string, node *pg_query.Node, given bound) (*plancache.Variant, []types.Datum, error) {
	if e := node.GetExecuteStmt(); e != nil {
		p, err := b.statementNamed(e.Name)
		if err != nil {
			return nil, nil, err
		}
		if p.Cached == nil {
			return nil, nil, pgerror.Unsupported("EXPLAIN EXECUTE of a utility statement")
		}
		params, err := b.executeParams(text, e.Params, p.Params)
		if err != nil {
			return nil, nil, err
		}
		v, err := b.ready(p)
		return v, params, err
	}
	if d := node.GetDeclareCursorStmt(); d != nil {
		node = d.Query
	}
	if !analyze.Optimizable(node) {
		return nil, nil, pgerror.Unsupported("EXPLAIN of a utility statement")
	}
	v, err := b.variant(text, node, nil, given.types, true)
	if err != nil {
		return nil, nil, err
	}
	v, err = b.settle(v, text, node, nil)
	return v, given.values, err
}

// measure runs the plan with every node timed.
func (b *Backend) measure(v *plancache.Variant, params []types.Datum, m *explain.Run) error {
	if err := b.permitted(v); err != nil {
		return err
	}
	in, err := b.svc.Builder.NewInstance(v.Plan, true)
	if err != nil {
		return err
	}
	began := time.Now()
	r := run{v: v, in: in, x: &b.ectx, fctx: &b.fctx, snap: &b.snap, want: 1}
	err = b.startInstance(&r, params, nil)
	if err == nil {
		_, err = b.drive(&r, Discard{}, nil, 0)
	}
	r.in.Stop()
	b.s.Proc.Tx().Release(r.snap)
	if err != nil {
		return err
	}
	m.Execution = milliseconds(time.Since(began))
	m.Nodes = map[int]*explain.NodeStats{}
	for id, i := range in.Instruments() {
		m.Nodes[id] = &explain.NodeStats{
			Startup: milliseconds(i.Startup), Total: milliseconds(i.Total), Rows: i.Rows, Loops: i.Loops, Removed: i.Filtered,
			Hit: i.Hit, Read: i.Read, Dirtied: i.Dirtied, Written: i.Written, Method: i.SortMethod, SpaceKB: max(i.SortSpace, i.HashMemory),
			Disk: i.SortDisk, Batches: int64(i.HashBatches), Buckets: int64(i.HashBuckets), HeapFetches: i.HeapFetches,
		}
	}
	return nil
}

// dropTempIn drops temporary relations within a statement's own context.
func dropTempIn(c *commandContext) error {
	if err := command.DropTemp(&c.Context); err != nil {
		return err
	}
	c.b.s.Temp = session.TempState{}
	return nil
}
