package backend

import (
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/setting"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
)

// set is SET and RESET. It gives the command tag.
func (b *Backend) set(n *pg_query.VariableSetStmt) (string, error) {
	switch n.Kind {
	case pg_query.VariableSetKind_VAR_SET_MULTI:
		return "SET", b.setMulti(n)
	case pg_query.VariableSetKind_VAR_RESET_ALL:
		b.s.Settings.ResetAll(b.depth())
		return "RESET", nil
	case pg_query.VariableSetKind_VAR_RESET, pg_query.VariableSetKind_VAR_SET_DEFAULT:
		tag := "RESET"
		if n.Kind == pg_query.VariableSetKind_VAR_SET_DEFAULT {
			tag = "SET"
		}
		return tag, b.change(n.Name, "", true, n.IsLocal)
	case pg_query.VariableSetKind_VAR_SET_CURRENT:
		_, text, err := b.s.Settings.Show(n.Name)
		if err != nil {
			return "", err
		}
		return "SET", b.change(n.Name, text, false, n.IsLocal)
	}
	if n.IsLocal && !b.s.Tx.Block && !b.s.Tx.Implicit {
		b.s.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks"))
	}
	text, err := setText(n)
	if err != nil {
		return "", err
	}
	return "SET", b.change(n.Name, text, false, n.IsLocal)
}

// depth gives the subtransaction depth that a change of a setting is undone with; the transaction has begun.
func (b *Backend) depth() int { return b.s.Proc.Tx().Depth() }

// change gives a parameter a value. Those that stand for more than a value are handled by name.
func (b *Backend) change(name, text string, reset, local bool) error {
	switch name {
	case "role":
		return b.setRole(text, reset, local)
	case "session_authorization":
		return b.setSession(text, reset, local)
	case "transaction_isolation":
		return b.setIsolation(text)
	case "transaction_read_only":
		ro := text == "on" || text == "true" || text == "1"
		return b.transactionModes(nil, &ro, nil)
	}
	return b.s.Settings.Set(session.Change{Name: name, Text: text, Default: reset, Local: local, Depth: b.depth(), Super: b.superuser()})
}

// superuser tells whether the session's user is one.
func (b *Backend) superuser() bool {
	r, err := b.view.RoleByOID(b.s.Role)
	return err == nil && r != nil && r.Super
}

func (b *Backend) setIsolation(text string) error {
	var iso session.Isolation
	switch strings.ToLower(text) {
	case "read committed", "read uncommitted":
	case "repeatable read":
		iso = session.RepeatableRead
	case "serializable":
		iso = session.Serializable
	default:
		return pgerror.Newf(pgerror.InvalidParameterValue, "invalid value for parameter \"transaction_isolation\": \"%s\"", text)
	}
	return b.transactionModes(&iso, nil, nil)
}

// setText gives the text of the arguments of SET, lists joined by comma.
func setText(n *pg_query.VariableSetStmt) (string, error) {
	quote := false
	if p, ok := setting.Lookup(n.Name); ok {
		quote = p.Has(setting.List) && p.Has(setting.ListQuote)
	}
	var parts []string
	for _, a := range n.Args {
		c := a.GetAConst()
		if c == nil {
			t := a.GetTypeCast() // SET TIME ZONE INTERVAL '...'
			if t == nil {
				return "", pgerror.Unsupported("argument of SET")
			}
			c = t.Arg.GetAConst()
		}
		text := ""
		switch v := c.GetVal().(type) {
		case *pg_query.A_Const_Ival:
			text = strconv.Itoa(int(v.Ival.GetIval()))
		case *pg_query.A_Const_Fval:
			text = v.Fval.GetFval()
		case *pg_query.A_Const_Sval:
			text = v.Sval.GetSval()
			if quote {
				text = catalog.QuoteIdent(text)
			}
		case *pg_query.A_Const_Boolval:
			text = strconv.FormatBool(v.Boolval.GetBoolval())
		default:
			text = "0"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", "), nil
}

// setMulti is SET TRANSACTION and SET SESSION CHARACTERISTICS.
func (b *Backend) setMulti(n *pg_query.VariableSetStmt) error {
	if n.Name == "TRANSACTION SNAPSHOT" {
		return b.importSnapshot(n.Args[0].GetAConst().GetSval().GetSval())
	}
	iso, ro, def, err := modes(n.Args)
	if err != nil {
		return err
	}
	switch n.Name {
	case "TRANSACTION":
		if !b.s.Tx.Block && !b.s.Tx.Implicit {
			b.s.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks"))
			return nil
		}
		return b.transactionModes(iso, ro, def)
	case "SESSION CHARACTERISTICS":
		if iso != nil {
			if err := b.change("default_transaction_isolation", iso.String(), false, false); err != nil {
				return err
			}
		}
		if ro != nil {
			if err := b.change("default_transaction_read_only", strconv.FormatBool(*ro), false, false); err != nil {
				return err
			}
		}
		if def != nil {
			return b.change("default_transaction_deferrable", strconv.FormatBool(*def), false, false)
		}
		return nil
	}
	return pgerror.Unsupported("SET %s", n.Name)
}

// setRole is SET ROLE.
func (b *Backend) setRole(name string, reset, local bool) error {
	s := b.s
	if reset || strings.EqualFold(name, "none") {
		b.become(s.User, s.User, local)
		return nil
	}
	r, err := b.view.RoleByName(name)
	if err != nil {
		return err
	}
	if r == nil {
		return pgerror.Newf(pgerror.InvalidParameterValue, "role \"%s\" does not exist", name)
	}
	ok, err := b.view.MemberOf(s.User.OID, r.OID)
	if err != nil {
		return err
	}
	if !ok {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to set role \"%s\"", name)
	}
	b.become(s.User, r, local)
	return nil
}

// become changes session_user and current_user; a rollback undoes it, and local the end of the transaction.
func (b *Backend) become(user, role *catalog.Role, local bool) {
	b.s.SetIdentity(session.Identity{User: user, Role: role.OID, UserName: role.Name, Super: role.Super}, b.depth(), local)
}

// setSession is SET SESSION AUTHORIZATION.
func (b *Backend) setSession(name string, reset, local bool) error {
	s := b.s
	if reset {
		name = s.Login.Name
	}
	r, err := b.view.RoleByName(name)
	if err != nil {
		return err
	}
	if r == nil {
		return pgerror.Newf(pgerror.InvalidParameterValue, "role \"%s\" does not exist", name)
	}
	if r.OID != s.Login.OID && !s.Login.Super {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to set session authorization \"%s\"", name)
	}
	b.become(r, r, local)
	return nil
}

// showColumns gives the result columns of SHOW.
func showColumns(name string) []plan.ResultColumn {
	if name == "all" {
		return textColumns("name", "setting", "description")
	}
	if p, ok := setting.Lookup(name); ok {
		name = p.Name
	}
	return textColumns(name)
}

// show is SHOW.
func (b *Backend) show(n *pg_query.VariableShowStmt, out Sink, describe bool, formats []int16) error {
	cols := showColumns(n.Name)
	var rows [][]types.Datum
	switch n.Name {
	case "all":
		for _, p := range setting.All() {
			if !p.Has(setting.NoShowAll) {
				_, text, err := b.s.Settings.Show(p.Name)
				if err != nil {
					return err
				}
				rows = append(rows, []types.Datum{types.Text(p.Name), types.Text(text), types.Text(p.Short)})
			}
		}
	default:
		text, err := b.showOne(n.Name)
		if err != nil {
			return err
		}
		rows = append(rows, []types.Datum{types.Text(text)})
	}
	if describe {
		if err := out.Describe(cols, formats); err != nil {
			return err
		}
	}
	b.s.Told = true
	return sendText(out, cols, formats, rows)
}

func (b *Backend) showOne(name string) (string, error) {
	s := b.s
	switch name {
	case "transaction_isolation":
		return s.Tx.Isolation.String(), nil
	case "transaction_read_only":
		return onOff(s.Tx.ReadOnly), nil
	case "transaction_deferrable":
		return onOff(s.Tx.Deferrable), nil
	case "session_authorization":
		return s.User.Name, nil
	case "role":
		if s.Role == s.User.OID {
			return "none", nil
		}
		return s.UserName, nil
	case "is_superuser":
		return onOff(b.superuser()), nil
	}
	_, text, err := s.Settings.Show(name)
	return text, err
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

// discard is DISCARD.
func (b *Backend) discard(n *pg_query.DiscardStmt) (string, error) {
	s := b.s
	switch n.Target {
	case pg_query.DiscardMode_DISCARD_PLANS:
		return "DISCARD PLANS", nil
	case pg_query.DiscardMode_DISCARD_SEQUENCES:
		clear(s.Sequences)
		s.LastSeq = 0
		return "DISCARD SEQUENCES", nil
	case pg_query.DiscardMode_DISCARD_TEMP:
		return "DISCARD TEMP", b.discardTemp()
	}
	if s.Tx.Block || s.Tx.Implicit {
		return "", pgerror.New(pgerror.ActiveSQLTransaction, "DISCARD ALL cannot run inside a transaction block")
	}
	if err := b.closeCursor(""); err != nil {
		return "", err
	}
	if err := b.setSession("", true, false); err != nil {
		return "", err
	}
	s.Settings.ResetAll(b.depth())
	clear(s.Statements)
	clear(s.Sequences)
	s.LastSeq = 0
	s.Pending.UnlistenAll()
	s.Proc.Owner().ReleaseSession(sessionLocks)
	return "DISCARD ALL", b.discardTemp()
}

// discardTemp drops the session's temporary relations within the transaction at hand.
func (b *Backend) discardTemp() error {
	if b.s.Temp.Namespace == 0 {
		return nil
	}
	c, err := b.commandContext("")
	if err != nil {
		return err
	}
	defer c.close()
	return dropTempIn(c)
}
