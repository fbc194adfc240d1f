package backend

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// sqlPrepare is PREPARE.
func (b *Backend) sqlPrepare(text string, n *pg_query.PrepareStmt) error {
	if _, ok := b.s.Statements[n.Name]; ok {
		return pgerror.Newf(pgerror.DuplicatePstatement, "prepared statement \"%s\" already exists", n.Name)
	}
	opt, err := b.analyzeOptions(text)
	if err != nil {
		return err
	}
	var params []base.OID
	for _, t := range n.Argtypes {
		oid, _, err := analyze.TypeName(opt, t.GetTypeName())
		if err != nil {
			return err
		}
		params = append(params, oid)
	}
	if !analyze.Optimizable(n.Query) {
		return pgerror.New(pgerror.InvalidPstatementDefinition, "utility statements cannot be prepared")
	}
	v, err := b.variant(text, n.Query, nil, params, false)
	if err != nil {
		return err
	}
	p := &session.Prepared{Name: n.Name, Text: text, Node: n.Query, FromSQL: true, CreatedAt: b.s.StatementTime, Asked: params}
	p.Params, p.Columns, p.Tag = v.Params, v.Plan.Columns, v.Tag
	p.Cached = &prepared{v: v, env: b.s.PlanEnv()}
	b.s.PutStatement(n.Name, p)
	return nil
}

// sqlExecute is EXECUTE.
func (b *Backend) sqlExecute(text string, n *pg_query.ExecuteStmt, out Sink, describe bool, formats []int16) (string, error) {
	p, err := b.statementNamed(n.Name)
	if err != nil {
		return "", err
	}
	if p.Cached == nil {
		return "", pgerror.Unsupported("EXECUTE of a utility statement")
	}
	if len(n.Params) != len(p.Params) {
		return "", pgerror.Newf(pgerror.SyntaxError, "wrong number of parameters for prepared statement \"%s\"", n.Name).
			WithDetail("Expected %d parameters but got %d.", len(p.Params), len(n.Params))
	}
	params, err := b.executeParams(text, n.Params, p.Params)
	if err != nil {
		return "", err
	}
	v, err := b.ready(p)
	if err != nil {
		return "", err
	}
	return b.runAll(v, params, p.Cached.(*prepared).literals, out, formats, describe)
}

// executeParams computes the arguments of EXECUTE.
func (b *Backend) executeParams(text string, nodes []*pg_query.Node, typs []base.OID) ([]types.Datum, error) {
	var out []types.Datum
	opt, err := b.analyzeOptions(text)
	if err != nil {
		return nil, err
	}
	for i, n := range nodes {
		e, err := analyze.Expression(opt, n, nil, "EXECUTE parameters", typs[i], -1)
		if err != nil {
			return nil, err
		}
		d, err := b.constant(e)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// constant computes an expression without columns.
func (b *Backend) constant(e query.Expr) (types.Datum, error) {
	c := &eval.Compiler{Lookup: b.svc.Builder.Lookup, Name: b.svc.Builder.Name, Fixed: b.svc.Builder.Fixed}
	n, err := c.Compile(e)
	if err != nil {
		return types.Null, err
	}
	b.functions(&b.fctx)
	f := &eval.Frame{Env: &eval.Env{Task: b.s.Task, Ctx: &b.fctx, Run: 1, Values: &b.values}, Outer: &vector.Batch{N: 1}}
	v, err := n.Eval(f, nil, 1)
	if err != nil {
		return types.Null, err
	}
	return v.Get(0).Clone(), nil
}

// deallocate is DEALLOCATE.
func (b *Backend) deallocate(n *pg_query.DeallocateStmt) (string, error) {
	if n.Name == "" {
		clear(b.s.Statements)
		return "DEALLOCATE ALL", nil
	}
	if _, err := b.statementNamed(n.Name); err != nil {
		return "", err
	}
	delete(b.s.Statements, n.Name)
	return "DEALLOCATE", nil
}
