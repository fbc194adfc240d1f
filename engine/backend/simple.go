package backend

import (
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/plancache"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Simple runs the statements of a simple query message. They share one transaction unless they say otherwise. The error of
// the statement that failed is returned; the caller then calls Fail.
func (b *Backend) Simple(s *session.Session, text string, out Sink) error {
	b.attach(s)
	defer b.part()
	s.StatementTime = time.Now()
	// A simple query uses and destroys the unnamed statement and portal.
	b.dropPortal("")
	delete(s.Statements, "")
	if err := parse.Scan(text, &b.shape); err != nil {
		return err
	}
	if done, err := b.fast(text, out); done || err != nil {
		return err
	}
	stmts, err := b.parse(text)
	if err != nil {
		return err
	}
	if len(stmts) == 0 {
		return out.Complete("")
	}
	for i := range stmts {
		if len(stmts) > 1 && !s.Tx.Block {
			s.Tx.Implicit = i < len(stmts)-1
		}
		var literals []parse.Literal
		keep := false
		if len(stmts) == 1 && b.shape.Cacheable && b.shareable() {
			literals = b.shape.Literals
			_, keep = b.find(text, nil)
		}
		if err := b.statement(text, &stmts[i], literals, keep, out); err != nil {
			return err
		}
	}
	return nil
}

// fast serves statements that need no parsing: those whose plan is in the cache, and bare transaction control.
func (b *Backend) fast(text string, out Sink) (bool, error) {
	s := b.s
	if b.shape.Statements == 1 && len(b.shape.Literals) == 0 && b.shape.Cacheable {
		tag, done, err := b.bareControl()
		if err != nil {
			return true, err
		}
		if done {
			return true, b.complete(out, tag)
		}
	}
	if s.Status == session.Failed {
		return false, nil
	}
	v, _ := b.find(text, nil)
	if v == nil {
		return false, nil
	}
	b.begin(s.StatementTime)
	fits, err := b.lockRelations(v)
	if err != nil || !fits {
		return false, err
	}
	literals, err := b.literalValues(v, text)
	if err != nil {
		return false, nil // the long way finds the same error, with its position
	}
	return true, b.execute(v, literals, out)
}

// bareControl recognises BEGIN, COMMIT and ROLLBACK without options.
func (b *Backend) bareControl() (tag string, done bool, err error) {
	switch b.shape.First {
	case parse.WordBegin, parse.WordCommit, parse.WordRollback:
	default:
		return "", false, nil
	}
	n := len(b.shape.Key)
	for n > 0 && b.shape.Key[n-1] == ' ' {
		n--
	}
	word := b.shape.Key[:n]
	for _, c := range word {
		if c == ' ' {
			return "", false, nil
		}
	}
	switch b.shape.First {
	case parse.WordBegin:
		if b.s.Status == session.Failed {
			return "", false, errFailed()
		}
		return "BEGIN", true, b.beginBlock(nil, nil, nil)
	case parse.WordCommit:
		tag, err := b.commitBlock()
		return tag, true, err
	}
	return "ROLLBACK", true, b.rollbackBlock()
}

// execute runs a plan to its end and ends its statement.
func (b *Backend) execute(v *plancache.Variant, literals []types.Datum, out Sink) error {
	tag, err := b.runAll(v, nil, literals, out, nil, true)
	if err != nil {
		return err
	}
	if err := b.finish(); err != nil {
		return err
	}
	return b.complete(out, tag)
}

// runAll runs a plan to its end and gives the command tag. With describe the columns of its rows are announced.
func (b *Backend) runAll(v *plancache.Variant, params, literals []types.Datum, out Sink, formats []int16, describe bool) (string, error) {
	if describe && (len(v.Plan.Columns) > 0 || v.Plan.Command == query.Select) {
		if err := out.Describe(v.Plan.Columns, formats); err != nil {
			return "", err
		}
	}
	var r run
	err := b.start(&r, v, params, literals, false)
	if err == nil {
		_, err = b.drive(&r, out, formats, 0)
	}
	tag := ""
	if err == nil {
		tag = b.tag(&r)
	}
	b.stop(&r)
	return tag, err
}

// complete sends what there is to say at the end of a statement; the sink sends the session's notices first.
func (b *Backend) complete(out Sink, tag string) error {
	err := out.Complete(tag)
	b.s.Notices = b.s.Notices[:0]
	return err
}

// statement runs one parsed statement of a simple query.
func (b *Backend) statement(text string, st *parse.Statement, literals []parse.Literal, keep bool, out Sink) error {
	s := b.s
	if s.Status == session.Failed && !endsFailed(st.Node) {
		return errFailed()
	}
	if err := s.Task.Interrupted(); err != nil {
		return err
	}
	if !analyze.Optimizable(st.Node) {
		return b.utility(text, st.Node, nil, out, true)
	}
	b.begin(s.StatementTime)
	v, err := b.variant(text, st.Node, literals, nil, true)
	if err != nil {
		return err
	}
	if v, err = b.settle(v, text, st.Node, literals); err != nil {
		return err
	}
	if keep {
		b.svc.Plans(s.Database.OID).Add(b.planKey(nil), v)
	}
	return b.execute(v, nil, out)
}

// settle locks what a plan needs, and plans anew while the catalogs change under it.
func (b *Backend) settle(v *plancache.Variant, text string, node *pg_query.Node, literals []parse.Literal) (*plancache.Variant, error) {
	for {
		fits, err := b.lockRelations(v)
		if err != nil || fits {
			return v, err
		}
		if v, err = b.variant(text, node, literals, v.Params, true); err != nil {
			return nil, err
		}
	}
}

// endsFailed tells whether a statement may run in a failed transaction block.
func endsFailed(n *pg_query.Node) bool {
	t := n.GetTransactionStmt()
	if t == nil {
		return false
	}
	switch t.Kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT, pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK,
		pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO, pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
		return true
	}
	return false
}
