package backend

import (
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/plancache"
	"manifold/engine/types"
)

// prepared is what a backend keeps of a prepared statement's plan.
type prepared struct {
	v        *plancache.Variant
	env      uint64
	literals []types.Datum // of its text, where the plan was made for another of the same shape
}

// Parse makes a prepared statement.
func (b *Backend) Parse(s *session.Session, name, text string, paramOIDs []base.OID) error {
	b.attach(s)
	defer b.part()
	s.StatementTime = time.Now()
	if name != "" {
		if _, ok := s.Statements[name]; ok {
			return pgerror.Newf(pgerror.DuplicatePstatement, "prepared statement \"%s\" already exists", name)
		}
	}
	p, err := b.prepare(name, text, paramOIDs)
	if err != nil {
		return err
	}
	s.PutStatement(name, p)
	return nil
}

// prepare analyses and plans the text of a prepared statement.
func (b *Backend) prepare(name, text string, paramOIDs []base.OID) (*session.Prepared, error) {
	s := b.s
	if err := parse.Scan(text, &b.shape); err != nil {
		return nil, err
	}
	p := &session.Prepared{Name: name, Text: text, CreatedAt: time.Now(), Asked: paramOIDs}
	if s.Status != session.Failed {
		if v, _ := b.find(text, paramOIDs); v != nil && b.adopt(p, v) == nil {
			return p, nil // else the long way finds the same error, with its position
		}
	}
	stmts, err := b.parse(text)
	if err != nil {
		return nil, err
	}
	if len(stmts) > 1 {
		return nil, pgerror.New(pgerror.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	if len(stmts) == 0 {
		return p, nil
	}
	p.Node = stmts[0].Node
	if s.Status == session.Failed && !endsFailed(p.Node) {
		return nil, errFailed()
	}
	if !analyze.Optimizable(p.Node) {
		if err := b.utilityParams(p); err != nil {
			return nil, err
		}
		return p, b.describeUtility(p)
	}
	b.begin(s.StatementTime)
	return p, b.replan(p)
}

// utilityParams finds the types of the parameters that the query inside of a utility statement uses.
func (b *Backend) utilityParams(p *session.Prepared) error {
	p.Params = append([]base.OID(nil), p.Asked...)
	var inner *pg_query.Node
	switch v := p.Node.GetNode().(type) {
	case *pg_query.Node_ExplainStmt:
		inner = v.ExplainStmt.Query
	case *pg_query.Node_DeclareCursorStmt:
		inner = v.DeclareCursorStmt.Query
	case *pg_query.Node_CreateTableAsStmt:
		inner = v.CreateTableAsStmt.Query
	case *pg_query.Node_SelectStmt:
		into := v.SelectStmt.IntoClause
		v.SelectStmt.IntoClause = nil
		defer func() { v.SelectStmt.IntoClause = into }()
		inner = p.Node
	}
	if inner == nil || !analyze.Optimizable(inner) {
		return nil
	}
	b.begin(b.s.StatementTime)
	r, err := b.analyzed(p.Text, inner, nil, p.Asked, false)
	if err == nil {
		p.Params = r.Params
	}
	return err
}

// adopt gives a prepared statement, whose text b.shape is of, a plan.
func (b *Backend) adopt(p *session.Prepared, v *plancache.Variant) error {
	c := &prepared{v: v, env: b.s.PlanEnv()}
	if len(v.Literals) > 0 {
		b.begin(b.s.StatementTime)
		values, err := b.literalValues(v, p.Text)
		if err != nil {
			return err
		}
		for _, d := range values {
			c.literals = append(c.literals, d.Clone())
		}
	}
	p.Params, p.Columns, p.Tag = v.Params, v.Plan.Columns, v.Tag
	p.Cached = c
	return nil
}

// replan makes a plan for a prepared statement, or finds one made for another session. The transaction has begun.
func (b *Backend) replan(p *session.Prepared) error {
	if err := parse.Scan(p.Text, &b.shape); err != nil {
		return err
	}
	asked := p.Asked
	v, keep := b.find(p.Text, asked)
	if v == nil {
		if p.Node == nil {
			stmts, err := b.parse(p.Text)
			if err != nil {
				return err
			}
			p.Node = stmts[0].Node
		}
		var literals []parse.Literal
		if b.shape.Cacheable && b.shareable() {
			literals = b.shape.Literals
		}
		var err error
		if v, err = b.variant(p.Text, p.Node, literals, asked, false); err != nil {
			return err
		}
		if keep {
			b.svc.Plans(b.s.Database.OID).Add(b.planKey(asked), v)
		}
	}
	if p.Cached != nil && !sameColumns(p.Columns, v.Plan.Columns) {
		return pgerror.New(pgerror.FeatureNotSupported, "cached plan must not change result type")
	}
	return b.adopt(p, v)
}

func sameColumns(a, c []plan.ResultColumn) bool {
	if len(a) != len(c) {
		return false
	}
	for i := range a {
		if a[i].Type != c[i].Type || a[i].Typmod != c[i].Typmod || a[i].Name != c[i].Name {
			return false
		}
	}
	return true
}

// ready gives the plan of a prepared statement with its relations locked.
func (b *Backend) ready(p *session.Prepared) (*plancache.Variant, error) {
	for {
		c := p.Cached.(*prepared)
		if c.v.Generation == b.cache().Generation() && !c.v.Stale.Load() && c.env == b.s.PlanEnv() {
			fits, err := b.lockRelations(c.v)
			if err != nil {
				return nil, err
			}
			if fits {
				return c.v, nil
			}
		}
		if err := b.replan(p); err != nil {
			return nil, err
		}
	}
}

func (b *Backend) statementNamed(name string) (*session.Prepared, error) {
	p, ok := b.s.Statements[name]
	if !ok {
		if name == "" {
			return nil, pgerror.New(pgerror.UndefinedPstatement, "unnamed prepared statement does not exist")
		}
		return nil, pgerror.Newf(pgerror.UndefinedPstatement, "prepared statement \"%s\" does not exist", name)
	}
	return p, nil
}

// Bind makes a portal of a prepared statement. A nil parameter is null; the parameters' bytes are copied.
func (b *Backend) Bind(s *session.Session, portal, stmt string, paramFormats []int16, params [][]byte, resultFormats []int16) error {
	b.attach(s)
	defer b.part()
	if portal != "" || s.StatementTime.IsZero() {
		s.StatementTime = time.Now()
	}
	p, err := b.statementNamed(stmt)
	if err != nil {
		return err
	}
	if s.Status == session.Failed && !(p.Node != nil && p.Cached == nil && endsFailed(p.Node)) {
		return errFailed()
	}
	if portal != "" {
		if _, ok := s.Portals[portal]; ok {
			return pgerror.Newf(pgerror.DuplicateCursor, "cursor \"%s\" already exists", portal)
		}
	}
	if len(params) != len(p.Params) {
		return pgerror.Newf(pgerror.ProtocolViolation, "bind message supplies %d parameters, but prepared statement \"%s\" requires %d",
			len(params), p.Name, len(p.Params))
	}
	if len(paramFormats) > 1 && len(paramFormats) != len(params) {
		return pgerror.Newf(pgerror.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(paramFormats), len(params))
	}
	if len(resultFormats) > 1 && len(resultFormats) != len(p.Columns) && p.Cached != nil {
		return pgerror.Newf(pgerror.ProtocolViolation, "bind message has %d result formats but query has %d columns", len(resultFormats), len(p.Columns))
	}
	b.begin(s.StatementTime)
	po := b.newPortal(portal)
	po.Statement = p
	run := po.Run.(*portalRun)
	if err := b.bindParams(run, p, paramFormats, params); err != nil {
		b.dropPortal(portal)
		return err
	}
	po.Formats = expandFormats(po.Formats[:0], resultFormats, len(p.Columns))
	return nil
}

func expandFormats(dst, given []int16, n int) []int16 {
	for i := range n {
		switch len(given) {
		case 0:
			dst = append(dst, 0)
		case 1:
			dst = append(dst, given[0])
		default:
			if i < len(given) {
				dst = append(dst, given[i])
			}
		}
	}
	return dst
}

// bindParams reads the parameters of a Bind message into the portal.
func (b *Backend) bindParams(r *portalRun, p *session.Prepared, formats []int16, params [][]byte) error {
	r.params, r.bytes = r.params[:0], r.bytes[:0]
	total := 0
	for _, v := range params {
		total += len(v)
	}
	if cap(r.bytes) < total {
		r.bytes = make([]byte, 0, max(total, 256))
	}
	for i, v := range params {
		if v == nil {
			r.params = append(r.params, types.Null)
			continue
		}
		format := int16(0)
		switch len(formats) {
		case 0:
		case 1:
			format = formats[0]
		default:
			format = formats[i]
		}
		start := len(r.bytes)
		r.bytes = append(r.bytes, v...)
		v = r.bytes[start:len(r.bytes):len(r.bytes)]
		var d types.Datum
		var err error
		switch format {
		case 0:
			d, err = types.InBytes(p.Params[i], -1, v, b.env())
		case 1:
			d, err = types.Recv(p.Params[i], -1, v, b.env())
		default:
			err = pgerror.Newf(pgerror.InvalidParameterValue, "unsupported format code: %d", format)
		}
		if err != nil {
			return pgerror.From(err).WithWhere("portal parameter $%d", i+1)
		}
		r.params = append(r.params, d)
	}
	return nil
}

// DescribeStatement gives the parameters and columns of a prepared statement; nil columns mean that it returns no rows.
func (b *Backend) DescribeStatement(s *session.Session, name string) ([]base.OID, []plan.ResultColumn, error) {
	b.attach(s)
	defer b.part()
	p, err := b.statementNamed(name)
	if err != nil {
		return nil, nil, err
	}
	if s.Status == session.Failed && len(p.Columns) > 0 {
		return nil, nil, errFailed()
	}
	return p.Params, p.Columns, nil
}

// DescribePortal gives the columns of a portal and their formats.
func (b *Backend) DescribePortal(s *session.Session, name string) ([]plan.ResultColumn, []int16, error) {
	b.attach(s)
	defer b.part()
	po, ok := s.Portals[name]
	if !ok {
		return nil, nil, noPortal(name)
	}
	if s.Status == session.Failed && len(po.Columns()) > 0 {
		return nil, nil, errFailed()
	}
	return po.Columns(), po.Formats, nil
}

// CloseStatement forgets a prepared statement; one that does not exist is no error.
func (b *Backend) CloseStatement(s *session.Session, name string) error {
	b.attach(s)
	defer b.part()
	delete(s.Statements, name)
	return nil
}

// ClosePortal closes a portal; one that does not exist is no error.
func (b *Backend) ClosePortal(s *session.Session, name string) error {
	b.attach(s)
	defer b.part()
	b.dropPortal(name)
	return nil
}

// Execute runs a portal until max rows are out (zero: all). suspended tells that there may be more.
func (b *Backend) Execute(s *session.Session, name string, max int, out Sink) (suspended bool, err error) {
	b.attach(s)
	defer b.part()
	po, ok := s.Portals[name]
	if !ok {
		return false, noPortal(name)
	}
	if err := s.Task.Interrupted(); err != nil {
		return false, err
	}
	p := po.Statement
	if p == nil {
		return b.fetchPortal(po, max, out)
	}
	if p.Node == nil && p.Cached == nil {
		return false, out.Complete("")
	}
	if s.Status == session.Failed && !(p.Cached == nil && endsFailed(p.Node)) {
		return false, errFailed()
	}
	if p.Cached == nil {
		if po.Done {
			return false, pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "portal \"%s\" cannot be run", name)
		}
		po.Done = true
		return false, b.utility(p.Text, p.Node, po, out, false)
	}
	return b.executePortal(po, max, out)
}

func noPortal(name string) error {
	return pgerror.Newf(pgerror.UndefinedCursor, "portal \"%s\" does not exist", name)
}

// executePortal runs the plan of a portal, or goes on with it.
func (b *Backend) executePortal(po *session.Portal, max int, out Sink) (suspended bool, err error) {
	pr := po.Run.(*portalRun)
	if po.Done {
		return false, b.complete(out, commandTag(po.Statement.Tag, 0))
	}
	if !pr.run.running {
		b.begin(b.s.StatementTime)
		v, err := b.ready(po.Statement)
		if err != nil {
			return false, err
		}
		if err := b.start(&pr.run, v, pr.params, po.Statement.Cached.(*prepared).literals, max > 0); err != nil {
			b.stop(&pr.run)
			return false, err
		}
	} else {
		b.rebind(&pr.run)
	}
	if max > 0 {
		pr.run.rows = 0
	}
	done, err := b.drive(&pr.run, out, po.Formats, max)
	if err != nil {
		b.stop(&pr.run)
		return false, err
	}
	if !done {
		return true, nil
	}
	tag := b.tag(&pr.run)
	b.stop(&pr.run)
	po.Done = true
	if err := b.fire(); err != nil {
		return false, err
	}
	if err := b.s.Proc.Tx().NextCommand(); err != nil {
		return false, err
	}
	return false, b.complete(out, tag)
}
