package backend

import (
	"encoding/binary"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/optimize"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/plancache"
	"manifold/engine/sql/query"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

// planKey makes the key of the scanned statement in b.shape: environment, parameter types, shape.
func (b *Backend) planKey(params []base.OID) []byte {
	b.key = binary.LittleEndian.AppendUint64(b.key[:0], b.s.PlanEnv())
	b.key = append(b.key, byte(len(params)))
	for _, p := range params {
		b.key = binary.LittleEndian.AppendUint32(b.key, uint32(p))
	}
	shape := b.shape.Key
	for len(shape) > 0 && shape[len(shape)-1] == ' ' {
		shape = shape[:len(shape)-1]
	}
	b.key = append(b.key, shape...)
	return b.key
}

// shareable tells whether the session's plans may be shared: it has no temporary relations and has not changed catalogs.
func (b *Backend) shareable() bool { return b.s.Catalog.Cache == nil && b.s.Temp.Namespace == 0 }

// find looks the scanned statement up in the plan cache.
func (b *Backend) find(text string, params []base.OID) (v *plancache.Variant, keep bool) {
	if !b.shape.Cacheable || b.shape.Statements != 1 || !b.shareable() {
		return nil, false
	}
	switch b.shape.First {
	case parse.WordSelect, parse.WordInsert, parse.WordUpdate, parse.WordDelete, parse.WordWith, parse.WordValues:
	default:
		return nil, false
	}
	return b.svc.Plans(b.s.Database.OID).Find(b.planKey(params), text, b.shape.Literals, b.cache().Generation())
}

// analyzed analyses one statement. literals are those of the text, nil when the plan is not to be shared.
func (b *Backend) analyzed(text string, node *pg_query.Node, literals []parse.Literal, params []base.OID, fix bool) (*analyze.Result, error) {
	opt, err := b.analyzeOptions(text)
	if err != nil {
		return nil, err
	}
	opt.Literals, opt.Params, opt.FixParams = literals, params, fix
	return analyze.Statement(opt, node)
}

func (b *Backend) analyzeOptions(text string) (*analyze.Options, error) {
	path, err := b.searchPath()
	if err != nil {
		return nil, err
	}
	return &analyze.Options{View: &b.view, SearchPath: path, Temp: b.s.Temp.Namespace, Env: b.env(), Text: text, Role: b.s.Role}, nil
}

// variant analyses and plans a statement.
func (b *Backend) variant(text string, node *pg_query.Node, literals []parse.Literal, params []base.OID, fix bool) (*plancache.Variant, error) {
	for {
		generation := b.cache().Generation()
		r, err := b.analyzed(text, node, literals, params, fix)
		if err != nil {
			return nil, err
		}
		p, err := b.optimized(r.Query, r.Params, len(literals))
		if err != nil {
			return nil, err
		}
		if generation != b.cache().Generation() {
			continue // somebody changed the catalogs meanwhile: what was read may not fit together
		}
		v := plancache.NewVariant(p, text, literals, generation, b.svc.Keep)
		v.Params = r.Params
		v.Tag = tagOf(r.Query)
		b.slots(v, r)
		b.sizes(v)
		return v, nil
	}
}

// sizes notes how large the tables of a plan are.
func (b *Backend) sizes(v *plancache.Variant) {
	roots := []plan.Node{v.Plan.Root}
	for _, s := range v.Plan.SubPlans {
		roots = append(roots, s.Root)
	}
	for _, c := range v.Plan.CTEs {
		roots = append(roots, c.Root)
	}
	seen := map[*heap.Table]bool{}
	for _, r := range roots {
		optimize.Walk(r, func(n plan.Node) {
			var d *relation.Desc
			switch n := n.(type) {
			case *plan.SeqScan:
				d = n.Rel
			case *plan.IndexScan:
				d = n.Rel
			case *plan.BitmapHeap:
				d = n.Rel
			default:
				return
			}
			t := b.svc.Opened.Table(d)
			if blocks, err := t.Blocks(); err == nil && !seen[t] {
				seen[t] = true
				v.Sizes = append(v.Sizes, plancache.Size{Table: t, Blocks: blocks})
			}
		})
	}
}

// slots notes how each literal that is read at run time gets its value, and takes back those that cannot be.
func (b *Backend) slots(v *plancache.Variant, r *analyze.Result) {
	if len(v.Plan.Slots) == 0 {
		v.Plan.Slots = make([]bool, len(v.Literals))
	}
	v.Slots = make([]plancache.Slot, len(v.Literals))
	seen := make([]int, len(v.Literals))
	r.Query.WalkLevels(func(e query.Expr, _ int) {
		c, ok := e.(*query.Const)
		if !ok || c.Slot < 0 {
			return
		}
		seen[c.Slot]++
		v.Slots[c.Slot] = plancache.Slot{Type: c.Typ, Typmod: c.Mod, Negated: c.Negated, FromString: c.FromStr || c.Typ == types.OIDUnknown}
	})
	for i := range v.Literals {
		if r.Read[i] || seen[i] != 1 || v.Literals[i].EString {
			v.Plan.Slots[i] = false
		}
	}
}

// optimized plans a query.
func (b *Backend) optimized(q *query.Query, params []base.OID, literals int) (*plan.Statement, error) {
	opt := &optimize.Options{View: &b.view, Params: params, Literals: literals, Settings: b.planSettings(), Blocks: b.blocks, Fold: b.fold}
	return optimize.Statement(opt, q)
}

func (b *Backend) blocks(d *relation.Desc) float64 {
	n, err := b.svc.Opened.Table(d).Blocks()
	if err != nil {
		return 0
	}
	return float64(n)
}

// fold evaluates an immutable expression over constants; one that fails is left to run time.
func (b *Backend) fold(e query.Expr) (types.Datum, bool) {
	d, err := b.constant(e)
	return d, err == nil
}

func (b *Backend) planSettings() optimize.Settings {
	g := b.s.Settings
	o := optimize.DefaultSettings()
	o.EnableSeqScan, o.EnableIndexScan = g.Get("enable_seqscan").Bool, g.Get("enable_indexscan").Bool
	o.EnableIndexOnlyScan, o.EnableBitmapScan = g.Get("enable_indexonlyscan").Bool, g.Get("enable_bitmapscan").Bool
	o.EnableTidScan, o.EnableNestLoop = g.Get("enable_tidscan").Bool, g.Get("enable_nestloop").Bool
	o.EnableHashJoin, o.EnableMergeJoin = g.Get("enable_hashjoin").Bool, g.Get("enable_mergejoin").Bool
	o.EnableHashAgg, o.EnableSort = g.Get("enable_hashagg").Bool, g.Get("enable_sort").Bool
	o.EnableMaterial = g.Get("enable_material").Bool
	o.SeqPageCost, o.RandomPageCost = g.Get("seq_page_cost").Real, g.Get("random_page_cost").Real
	o.CPUTupleCost, o.CPUIndexTupleCost = g.Get("cpu_tuple_cost").Real, g.Get("cpu_index_tuple_cost").Real
	o.CPUOperatorCost = g.Get("cpu_operator_cost").Real
	o.WorkMem = float64(b.s.Hot().WorkMem)
	return o
}

func tagOf(q *query.Query) string {
	switch q.Command {
	case query.Insert:
		return "INSERT"
	case query.Update:
		return "UPDATE"
	case query.Delete:
		return "DELETE"
	}
	return "SELECT"
}

// lockRelations takes the locks a plan needs. It tells whether the plan still fits the catalogs.
func (b *Backend) lockRelations(v *plancache.Variant) (bool, error) {
	s := b.s
	h := s.Hot()
	for i := range v.Plan.Locks {
		l := &v.Plan.Locks[i]
		req := lock.Request{Tag: lock.Relation(b.databaseOf(l.Relation), l.Relation), Mode: lock.Mode(l.Mode), Timeout: h.Wait.Timeout,
			DeadlockTimeout: h.Wait.DeadlockTimeout}
		if _, err := b.svc.Cluster.Locks.Acquire(s.Task, s.Proc.Owner(), req); err != nil {
			return false, err
		}
	}
	if v.Generation != b.cache().Generation() {
		return false, nil
	}
	if n := v.Uses.Add(1); (n < sizeChecks || n%sizeChecks == 0) && v.Outgrown() {
		v.Stale.Store(true)
		return false, nil
	}
	return true, nil
}

// sizeChecks is how often a plan is used between looks at the sizes of its tables; a young plan is looked at each time.
const sizeChecks = 32

// databaseOf gives the database part of a relation's lock: zero for relations of the whole cluster.
func (b *Backend) databaseOf(rel base.OID) base.OID {
	if d, ok := bootstrap.Relation(rel); ok && d.Shared {
		return 0
	}
	return b.s.Database.OID
}

// permitted checks the privileges a plan needs; once granted they are not looked at again until the catalogs change.
func (b *Backend) permitted(v *plancache.Variant) error {
	if b.s.Tx.ReadOnly && !v.Plan.ReadOnly {
		if err := b.onlyTemporary(v); err != nil {
			return err
		}
	}
	role := b.s.Role
	if v.Checked.Load() == uint32(role) {
		return nil
	}
	if err := sysfuncs.CheckPlan(&b.view, role, v.Plan.Checks); err != nil {
		return err
	}
	v.Checked.Store(uint32(role))
	return nil
}

// onlyTemporary lets a plan that writes or locks rows run in a READ ONLY transaction if it does so to temporary relations
// alone.
func (b *Backend) onlyTemporary(v *plancache.Variant) error {
	for i := range v.Plan.Checks {
		c := &v.Plan.Checks[i]
		if sysfuncs.Priv(c.Bits)&^sysfuncs.PrivSelect == 0 {
			continue
		}
		d, err := b.view.Relation(c.Relation)
		if err != nil {
			return err
		}
		if d != nil && d.Persistence == relation.Temporary {
			continue
		}
		tag := v.Tag
		if l := v.Plan.RowLock; l != 0 && tag == "SELECT" {
			tag += [...]string{query.ForKeyShare: " FOR KEY SHARE", query.ForShare: " FOR SHARE",
				query.ForNoKeyUpdate: " FOR NO KEY UPDATE", query.ForUpdate: " FOR UPDATE"}[l]
		}
		return errReadOnly(tag)
	}
	return nil
}

func (b *Backend) newOverlay() *catalog.Cache {
	return b.svc.Caches(b.s.Database.OID).NewOverlay()
}

func errReadOnly(tag string) error {
	return pgerror.Newf(pgerror.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", tag)
}
