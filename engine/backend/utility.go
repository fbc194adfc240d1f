package backend

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/command"
	"manifold/engine/copy"
	"manifold/engine/exec"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/trigger"
	"manifold/engine/types"
)

// utility runs a statement that is not SELECT, INSERT, UPDATE or DELETE. With describe the columns of its rows are announced.
func (b *Backend) utility(text string, n *pg_query.Node, po *session.Portal, out Sink, describe bool) error {
	tag, err := b.utilityTag(text, n, po, out, describe)
	if err != nil {
		return err
	}
	if t := n.GetTransactionStmt(); t == nil {
		if err := b.finish(); err != nil {
			return err
		}
	}
	return b.complete(out, tag)
}

// bound is the parameters that came with a statement.
type bound struct {
	types  []base.OID
	values []types.Datum
}

func (b *Backend) utilityTag(text string, n *pg_query.Node, po *session.Portal, out Sink, describe bool) (string, error) {
	var formats []int16
	var given bound
	if po != nil {
		formats, given = po.Formats, bound{values: po.Run.(*portalRun).params}
		if po.Statement != nil {
			given.types = po.Statement.Params
		}
	}
	if t := n.GetTransactionStmt(); t != nil {
		return b.transaction(t)
	}
	b.begin(b.s.StatementTime)
	if err := b.fixSnapshot(n); err != nil {
		return "", err
	}
	switch v := n.GetNode().(type) {
	case *pg_query.Node_VariableSetStmt:
		return b.set(v.VariableSetStmt)
	case *pg_query.Node_VariableShowStmt:
		return "SHOW", b.show(v.VariableShowStmt, out, describe, formats)
	case *pg_query.Node_DiscardStmt:
		return b.discard(v.DiscardStmt)
	case *pg_query.Node_PrepareStmt:
		return "PREPARE", b.sqlPrepare(text, v.PrepareStmt)
	case *pg_query.Node_ExecuteStmt:
		return b.sqlExecute(text, v.ExecuteStmt, out, describe, formats)
	case *pg_query.Node_DeallocateStmt:
		return b.deallocate(v.DeallocateStmt)
	case *pg_query.Node_DeclareCursorStmt:
		return "DECLARE CURSOR", b.declare(text, v.DeclareCursorStmt, given)
	case *pg_query.Node_FetchStmt:
		return b.fetch(v.FetchStmt, out, describe, formats)
	case *pg_query.Node_ClosePortalStmt:
		if v.ClosePortalStmt.Portalname == "" {
			return "CLOSE CURSOR ALL", b.closeCursor("")
		}
		return "CLOSE CURSOR", b.closeCursor(v.ClosePortalStmt.Portalname)
	case *pg_query.Node_ExplainStmt:
		return "EXPLAIN", b.explain(text, v.ExplainStmt, given, out, describe, formats)
	case *pg_query.Node_CopyStmt:
		return b.copy(text, v.CopyStmt, out)
	case *pg_query.Node_ListenStmt:
		b.s.Pending.Listen(v.ListenStmt.Conditionname)
		return "LISTEN", nil
	case *pg_query.Node_UnlistenStmt:
		b.unlisten(v.UnlistenStmt)
		return "UNLISTEN", nil
	case *pg_query.Node_NotifyStmt:
		return "NOTIFY", b.s.Pending.Notify(v.NotifyStmt.Conditionname, v.NotifyStmt.Payload)
	}
	if b.s.Tx.ReadOnly && !readsOnly(n) {
		return "", errReadOnly(command.Tag(n))
	}
	return b.command(text, n, given)
}

// fixSnapshot takes the snapshot of a transaction block whose first statement this is, if it is one of those that see anything.
func (b *Backend) fixSnapshot(n *pg_query.Node) error {
	t := &b.s.Tx
	if !t.Block || t.Queried || b.s.Status == session.Failed {
		return nil
	}
	switch n.GetNode().(type) {
	case *pg_query.Node_LockStmt, *pg_query.Node_VariableSetStmt, *pg_query.Node_VariableShowStmt, *pg_query.Node_ConstraintsSetStmt,
		*pg_query.Node_FetchStmt, *pg_query.Node_ListenStmt, *pg_query.Node_NotifyStmt, *pg_query.Node_UnlistenStmt,
		*pg_query.Node_CheckPointStmt:
		return nil
	}
	var snap mvcc.Snapshot
	if err := b.snapshot(&snap); err != nil {
		return err
	}
	b.s.Proc.Tx().Release(&snap)
	return nil
}

// readsOnly tells whether a utility statement may run in a read-only transaction.
func readsOnly(n *pg_query.Node) bool {
	switch n.GetNode().(type) {
	case *pg_query.Node_LockStmt, *pg_query.Node_CheckPointStmt, *pg_query.Node_ConstraintsSetStmt:
		return true
	case *pg_query.Node_VacuumStmt:
		return true
	}
	return false
}

// transaction is BEGIN, COMMIT, SAVEPOINT and their like.
func (b *Backend) transaction(t *pg_query.TransactionStmt) (string, error) {
	switch t.Kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_BEGIN, pg_query.TransactionStmtKind_TRANS_STMT_START:
		tag := "BEGIN"
		if t.Kind == pg_query.TransactionStmtKind_TRANS_STMT_START {
			tag = "START TRANSACTION"
		}
		iso, ro, def, err := modes(t.Options)
		if err != nil {
			return "", err
		}
		return tag, b.beginBlock(iso, ro, def)
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT:
		tag, err := b.commitBlock()
		if err == nil && t.Chain {
			err = b.beginBlock(nil, nil, nil)
		}
		return tag, err
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		err := b.rollbackBlock()
		if err == nil && t.Chain {
			err = b.beginBlock(nil, nil, nil)
		}
		return "ROLLBACK", err
	case pg_query.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		return "SAVEPOINT", b.savepoint(t.SavepointName)
	case pg_query.TransactionStmtKind_TRANS_STMT_RELEASE:
		return "RELEASE", b.release(t.SavepointName)
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		return "ROLLBACK", b.rollbackTo(t.SavepointName)
	}
	return b.twoPhase(t)
}

// modes reads the transaction modes of BEGIN and SET TRANSACTION.
func modes(list []*pg_query.Node) (iso *session.Isolation, readOnly, deferrable *bool, err error) {
	for _, o := range list {
		d := o.GetDefElem()
		switch d.Defname {
		case "transaction_isolation":
			var i session.Isolation
			switch strings.ToLower(d.Arg.GetAConst().GetSval().GetSval()) {
			case "read committed", "read uncommitted":
				i = session.ReadCommitted
			case "repeatable read":
				i = session.RepeatableRead
			case "serializable":
				i = session.Serializable
			}
			iso = &i
		case "transaction_read_only":
			v := d.Arg.GetAConst().GetIval().GetIval() != 0
			readOnly = &v
		case "transaction_deferrable":
			v := d.Arg.GetAConst().GetIval().GetIval() != 0
			deferrable = &v
		}
	}
	return iso, readOnly, deferrable, nil
}

// command runs a statement of package command.
func (b *Backend) command(text string, n *pg_query.Node, given bound) (string, error) {
	c, err := b.commandContext(text)
	if err != nil {
		return "", err
	}
	defer c.close()
	c.Params, c.Values = given.types, given.values
	return command.Run(&c.Context, n)
}

// commandContext is a command.Context with what has to be given back afterwards.
type commandContext struct {
	command.Context
	b     *Backend
	snaps []*mvcc.Snapshot
}

func (c *commandContext) close() {
	for _, s := range c.snaps {
		if c.b.s.Proc.Tx().Running() {
			c.b.s.Proc.Tx().Release(s)
		}
	}
}

func (b *Backend) commandContext(text string) (*commandContext, error) {
	s := b.s
	path, err := b.searchPath()
	if err != nil {
		return nil, err
	}
	h := s.Hot()
	c := &commandContext{b: b}
	b.functions(&b.fctx)
	if err := b.scopePath(); err != nil {
		return nil, err
	}
	c.Context = command.Context{
		Session: s, Task: s.Task, Tx: s.Proc.Tx(), View: &b.view, Opened: b.svc.Opened, Sequences: b.svc.Sequences,
		Builder: b.svc.Builder, Env: b.env(), Wait: h.Wait, SearchPath: path, Text: text, Host: b.svc.Server,
		Top: !s.Tx.Block && !s.Tx.Implicit,
	}
	c.Editor = &catalog.Editor{Opened: b.svc.Opened, Task: s.Task, Tx: s.Proc.Tx(), Wait: h.Wait, View: &b.view, Changed: b.changed}
	c.NewExec = func() *exec.Context { return c.newExec() }
	c.Snapshot = b.snapshotNow
	c.Plan = func(q *query.Query) (*plan.Statement, error) { return b.optimized(q, c.Params, 0) }
	c.CheckKey = func(v *trigger.Validation) error {
		f := b.firing()
		defer f.close()
		return v.Run(&f.Firing)
	}
	c.Fire = b.fireImmediate
	c.Restart = func() error {
		if err := b.commit(); err != nil {
			return err
		}
		b.begin(s.StatementTime)
		return nil
	}
	return c, nil
}

// newExec makes an execution context under a fresh snapshot.
func (c *commandContext) newExec() *exec.Context {
	b := c.b
	s := b.s
	h := s.Hot()
	snap := &mvcc.Snapshot{}
	b.snapshotNow(snap)
	c.snaps = append(c.snaps, snap)
	f := &builtins.Context{}
	b.functions(f)
	f.Seen = snap.S
	return &exec.Context{Task: s.Task, Tx: s.Proc.Tx(), Snapshot: snap, Wait: h.Wait, WorkMem: h.WorkMem, Reporter: s, Cursors: b,
		After: s.After, Printer: b,
		Repeat: s.Tx.Isolation != session.ReadCommitted, TempDir: b.svc.Temp,
		Eval: &eval.Env{Task: s.Task, Ctx: f, Run: 1, Values: &b.values}}
}

// changed turns the session to catalogs of its own once its transaction has changed them.
func (b *Backend) changed(inv *catalog.Invalidation) {
	s := b.s
	if s.Catalog.Cache == nil {
		s.Catalog.Shared = b.svc.Caches(s.Database.OID).Generation() // before anything is read into it
		s.Catalog.Cache = b.newOverlay()
	}
	s.Catalog.Changes.Merge(inv)
	s.Catalog.Cache.Invalidate(inv)
	b.view.UseCache(s.Catalog.Cache)
	if inv.Groups[catalog.GroupNames] {
		b.pathOK = false
	}
}

// onCommit does what ON COMMIT of the session's temporary tables asks for.
func (b *Backend) onCommit() error {
	if len(b.s.Temp.OnCommit) == 0 {
		return nil
	}
	c, err := b.commandContext("")
	if err != nil {
		return err
	}
	defer c.close()
	return command.OnCommit(&c.Context)
}

// dropTemp drops the session's temporary relations, in a transaction of its own.
func (b *Backend) dropTemp() error {
	if b.s.Temp.Namespace == 0 {
		return nil
	}
	b.begin(b.s.StatementTime)
	c, err := b.commandContext("")
	if err == nil {
		err = command.DropTemp(&c.Context)
		c.close()
	}
	if err != nil {
		b.abort()
		return err
	}
	b.s.Temp = session.TempState{}
	return b.commit()
}

// copy is COPY.
func (b *Backend) copy(text string, n *pg_query.CopyStmt, out Sink) (string, error) {
	if b.s.Tx.ReadOnly && n.IsFrom {
		return "", errReadOnly("COPY FROM")
	}
	cc, err := b.commandContext(text)
	if err != nil {
		return "", err
	}
	defer cc.close()
	c := &copy.Context{Session: b.s, Task: b.s.Task, Tx: cc.Tx, View: &b.view, Builder: b.svc.Builder, Env: cc.Env, Wait: cc.Wait,
		SearchPath: cc.SearchPath, Text: text, NewExec: cc.NewExec, Plan: cc.Plan}
	cp, err := copy.Prepare(c, n)
	if err != nil {
		return "", err
	}
	var rows int64
	if n.IsFrom {
		in, err := out.CopyIn(cp.Binary(), cp.Columns())
		if err != nil {
			return "", err
		}
		if rows, err = cp.From(in); err != nil {
			return "", err
		}
		return commandTag("COPY", rows), nil
	}
	w, err := out.CopyOut(cp.Binary(), cp.Columns())
	if err != nil {
		return "", err
	}
	b.s.Told = true
	rows, err = cp.To(w)
	if err != nil {
		return "", err
	}
	return commandTag("COPY", rows), w.Close()
}

// describeUtility finds the columns a utility statement returns.
func (b *Backend) describeUtility(p *session.Prepared) error {
	switch v := p.Node.GetNode().(type) {
	case *pg_query.Node_VariableShowStmt:
		p.Columns = showColumns(v.VariableShowStmt.Name)
	case *pg_query.Node_ExplainStmt:
		p.Columns = explainColumns(v.ExplainStmt)
	case *pg_query.Node_ExecuteStmt:
		if st, ok := b.s.Statements[v.ExecuteStmt.Name]; ok {
			p.Columns = st.Columns
		}
	case *pg_query.Node_FetchStmt:
		if po := b.cursorOf(v.FetchStmt.Portalname); po != nil && !v.FetchStmt.Ismove {
			p.Columns = po.Result
		}
	}
	return nil
}
