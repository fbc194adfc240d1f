package admin

import (
	"strings"

	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
)

// Backend answers the console's commands.
type Backend struct {
	from  Sources
	batch vector.Batch
}

// New makes a console.
func New(from Sources) *Backend { return &Backend{from: from} }

// Simple implements pool.Statements.
func (b *Backend) Simple(s *session.Session, text string, out backend.Sink) error {
	empty := true
	for _, stmt := range strings.Split(withoutComments(text), ";") {
		words := strings.Fields(stmt)
		if len(words) == 0 {
			continue
		}
		empty = false
		if err := b.run(s, words, out); err != nil {
			return err
		}
	}
	if empty {
		return out.Complete("")
	}
	return nil
}

// withoutComments drops what drivers send to see whether somebody is there.
func withoutComments(text string) string {
	if !strings.Contains(text, "--") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, "--")
	}
	return strings.Join(lines, "\n")
}

// run serves one command: SHOW and a name, or an action with arguments.
func (b *Backend) run(s *session.Session, words []string, out backend.Sink) error {
	verb := strings.ToUpper(words[0])
	if verb == "HELP" && len(words) == 1 {
		verb, words = "SHOW", []string{"SHOW", "HELP"}
	}
	if verb == "SHOW" && len(words) == 2 {
		for _, c := range shows() {
			if c.name != strings.ToUpper(words[1]) {
				continue
			}
			t, err := c.run(b, s)
			if err != nil {
				return err
			}
			return b.send(t, out)
		}
	}
	for _, a := range actions() {
		if a.verb != verb || len(words)-1 < a.least || len(words)-1 > a.most {
			continue
		}
		if !s.Super && b.from.Role(s.User.Name) != Master {
			return pgerror.New(pgerror.InsufficientPrivilege, "admin access needed")
		}
		argument := ""
		if len(words) > 1 {
			argument = words[1]
		}
		if err := a.run(b, s, unquote(argument)); err != nil {
			return err
		}
		return out.Complete(a.verb)
	}
	return pgerror.Newf(pgerror.SyntaxError, "invalid command '%s', use SHOW HELP;", strings.Join(words, " "))
}

// unquote takes a name out of its double quotes.
func unquote(name string) string {
	if len(name) >= 2 && name[0] == '"' && name[len(name)-1] == '"' {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

func noExtended() error {
	return pgerror.Unsupported("the extended query protocol in the console")
}

// Parse implements pool.Statements.
func (b *Backend) Parse(*session.Session, string, string, []base.OID) error { return noExtended() }

// DescribeStatement implements pool.Statements.
func (b *Backend) DescribeStatement(*session.Session, string) ([]base.OID, []plan.ResultColumn, error) {
	return nil, nil, noExtended()
}

// CloseStatement implements pool.Statements.
func (b *Backend) CloseStatement(*session.Session, string) error { return nil }

// Bind implements pool.Portals.
func (b *Backend) Bind(*session.Session, string, string, []int16, [][]byte, []int16) error {
	return noExtended()
}

// DescribePortal implements pool.Portals.
func (b *Backend) DescribePortal(*session.Session, string) ([]plan.ResultColumn, []int16, error) {
	return nil, nil, noExtended()
}

// Execute implements pool.Portals.
func (b *Backend) Execute(*session.Session, string, int, backend.Sink) (bool, error) {
	return false, noExtended()
}

// ClosePortal implements pool.Portals.
func (b *Backend) ClosePortal(*session.Session, string) error { return nil }

// Sync implements pool.Transactions; the console has no transactions.
func (b *Backend) Sync(*session.Session) error { return nil }

// Fail implements pool.Transactions.
func (b *Backend) Fail(*session.Session, *pgerror.Error) {}

// Release implements pool.Transactions.
func (b *Backend) Release(*session.Session) {}

// Close implements pool.Transactions.
func (b *Backend) Close() {}
