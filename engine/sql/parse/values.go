package parse

import (
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// longText is the length from which the rows of literals of an INSERT are kept from the grammar, whose tree travels packed
// from C to Go and costs some ten times what reading a literal does.
const longText = 2 << 10

// valueRows is what was cut out behind the first row of a VALUES list: rows of literals, as the grammar would have made them.
type valueRows struct {
	first int32 // where the first item of the row before them stands
	rows  []*pg_query.Node
}

// cutValues blanks the rows of literals that follow the first row of a VALUES list, so that every offset stays as it is.
func cutValues(text string) (string, []valueRows) {
	s := scanner{text: text, shape: &Shape{}}
	s.levels = append(s.levels, level{})
	var cuts []valueRows
	var blank []byte
	for s.pos < len(text) {
		start := s.pos
		if !s.token() {
			return text, nil // Scan refuses it
		}
		if s.pos-start != len("values") || !strings.EqualFold(text[start:s.pos], "values") {
			continue
		}
		r := rowReader{text: text, pos: s.pos}
		first := r.row()
		if first == nil {
			continue
		}
		cut := valueRows{first: r.location}
		from := r.pos
		for end := from; ; end = r.pos {
			row := (*pg_query.Node)(nil)
			if r.symbol(',') {
				row = r.row()
			}
			if row == nil {
				r.pos = end
				break
			}
			cut.rows = append(cut.rows, row)
		}
		s.pos = r.pos
		if len(cut.rows) == 0 {
			continue
		}
		if blank == nil {
			blank = []byte(text)
		}
		for i := from; i < r.pos; i++ {
			blank[i] = ' '
		}
		cuts = append(cuts, cut)
	}
	if blank == nil {
		return text, nil
	}
	return string(blank), cuts
}

// putBack puts rows behind the row that they followed. It gives false when some list is not one of an INSERT's own.
func putBack(tree *pg_query.ParseResult, cuts []valueRows) bool {
	for _, st := range tree.Stmts {
		sel := st.Stmt.GetInsertStmt().GetSelectStmt().GetSelectStmt()
		if sel == nil || len(cuts) == 0 {
			continue
		}
		for i, l := range sel.ValuesLists {
			items := l.GetList().GetItems()
			if len(items) == 0 || len(cuts) == 0 || itemLocation(items[0]) != cuts[0].first {
				continue
			}
			tail := sel.ValuesLists[i+1:]
			lists := make([]*pg_query.Node, 0, len(sel.ValuesLists)+len(cuts[0].rows))
			lists = append(append(lists, sel.ValuesLists[:i+1]...), cuts[0].rows...)
			sel.ValuesLists = append(lists, tail...)
			cuts = cuts[1:]
			break
		}
	}
	return len(cuts) == 0
}

func itemLocation(n *pg_query.Node) int32 {
	if c := n.GetAConst(); c != nil {
		return c.Location
	}
	if d := n.GetSetToDefault(); d != nil {
		return d.Location
	}
	return -1
}

// rowReader reads parenthesised lists of literals.
type rowReader struct {
	text     string
	pos      int
	location int32 // of the first item of the last row
	items    []*pg_query.Node
}

func (r *rowReader) skip() {
	for r.pos < len(r.text) && isSpace(r.text[r.pos]) {
		r.pos++
	}
}

// symbol reads a character behind white space, if it is the next.
func (r *rowReader) symbol(c byte) bool {
	r.skip()
	if r.pos < len(r.text) && r.text[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// row reads "(literal, ...)"; nil when what stands there is anything else.
func (r *rowReader) row() *pg_query.Node {
	if !r.symbol('(') {
		return nil
	}
	r.items = r.items[:0]
	for {
		r.skip()
		start := r.pos
		it := r.item()
		if it == nil {
			return nil
		}
		if len(r.items) == 0 {
			r.location = int32(start)
		}
		r.items = append(r.items, it)
		if r.symbol(')') {
			break
		}
		if !r.symbol(',') {
			return nil
		}
	}
	x := &listNode{}
	x.list.Items = append([]*pg_query.Node(nil), r.items...)
	x.wrap.List = &x.list
	x.node.Node = &x.wrap
	return &x.node
}

func (r *rowReader) item() *pg_query.Node {
	if r.pos >= len(r.text) {
		return nil
	}
	start := r.pos
	switch c := r.text[r.pos]; {
	case c == '\'':
		return r.str()
	case c == '-':
		r.pos++
		r.skip()
		return r.number(start, true)
	case isDigit(c) || c == '.':
		return r.number(start, false)
	case isIdentStart(c):
		return r.word()
	}
	return nil
}

// str reads '...' with doubled quotes. What a string may be continued with is left to the grammar.
func (r *rowReader) str() *pg_query.Node {
	start := r.pos
	for i := start + 1; ; i++ {
		k := strings.IndexByte(r.text[i:], '\'')
		if k < 0 {
			return nil
		}
		i += k
		if i+1 < len(r.text) && r.text[i+1] == '\'' {
			i++
			continue
		}
		r.pos = i + 1
		break
	}
	body := r.text[start+1 : r.pos-1]
	if strings.IndexByte(body, '\'') >= 0 {
		body = strings.ReplaceAll(body, "''", "'")
	}
	x := &stringNode{}
	x.value.Sval = body
	x.kind.Sval = &x.value
	x.c.Val = &x.kind
	return x.done(start)
}

func (r *rowReader) digits() int {
	start := r.pos
	for r.pos < len(r.text) && isDigit(r.text[r.pos]) {
		r.pos++
	}
	return r.pos - start
}

func (r *rowReader) number(start int, negative bool) *pg_query.Node {
	from := r.pos
	whole, n := true, r.digits()
	if r.pos < len(r.text) && r.text[r.pos] == '.' {
		whole = false
		r.pos++
		n += r.digits()
	}
	if n == 0 {
		return nil
	}
	if r.pos < len(r.text) && r.text[r.pos]|0x20 == 'e' {
		whole = false
		if r.pos++; r.pos < len(r.text) && (r.text[r.pos] == '+' || r.text[r.pos] == '-') {
			r.pos++
		}
		if r.digits() == 0 {
			return nil
		}
	}
	if r.pos < len(r.text) && (isIdentPart(r.text[r.pos]) || r.text[r.pos] == '.') {
		return nil
	}
	digits := r.text[from:r.pos]
	if whole {
		if v, err := strconv.ParseInt(digits, 10, 32); err == nil {
			if negative {
				v = -v
			}
			x := &intNode{}
			x.value.Ival = int32(v)
			x.kind.Ival = &x.value
			x.c.Val = &x.kind
			return x.done(start)
		}
	}
	if negative {
		digits = "-" + digits
	}
	x := &floatNode{}
	x.value.Fval = digits
	x.kind.Fval = &x.value
	x.c.Val = &x.kind
	return x.done(start)
}

func (r *rowReader) word() *pg_query.Node {
	start := r.pos
	for r.pos < len(r.text) && isIdentPart(r.text[r.pos]) {
		r.pos++
	}
	w := r.text[start:r.pos]
	switch {
	case strings.EqualFold(w, "null"):
		x := &constNode{}
		x.c.Isnull = true
		return x.done(start)
	case strings.EqualFold(w, "true"), strings.EqualFold(w, "false"):
		x := &boolNode{}
		x.value.Boolval = len(w) == len("true")
		x.kind.Boolval = &x.value
		x.c.Val = &x.kind
		return x.done(start)
	case strings.EqualFold(w, "default"):
		x := &defaultNode{}
		x.value.Location = int32(start)
		x.wrap.SetToDefault = &x.value
		x.node.Node = &x.wrap
		return &x.node
	}
	return nil
}

// The nodes of a literal, made at once.
type (
	constNode struct {
		node pg_query.Node
		wrap pg_query.Node_AConst
		c    pg_query.A_Const
	}
	intNode struct {
		constNode
		kind  pg_query.A_Const_Ival
		value pg_query.Integer
	}
	floatNode struct {
		constNode
		kind  pg_query.A_Const_Fval
		value pg_query.Float
	}
	stringNode struct {
		constNode
		kind  pg_query.A_Const_Sval
		value pg_query.String
	}
	boolNode struct {
		constNode
		kind  pg_query.A_Const_Boolval
		value pg_query.Boolean
	}
	defaultNode struct {
		node  pg_query.Node
		wrap  pg_query.Node_SetToDefault
		value pg_query.SetToDefault
	}
	listNode struct {
		node pg_query.Node
		wrap pg_query.Node_List
		list pg_query.List
	}
)

func (n *constNode) done(location int) *pg_query.Node {
	n.c.Location = int32(location)
	n.wrap.AConst = &n.c
	n.node.Node = &n.wrap
	return &n.node
}
