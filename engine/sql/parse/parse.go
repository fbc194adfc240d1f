package parse

import (
	"errors"
	"strings"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"

	"manifold/engine/pgerror"
)

// Statement is one raw statement of a query string, by its byte offsets.
type Statement struct {
	Node  *pg_query.Node
	Start int
	End   int
}

// Parse parses a query string of any number of statements. Errors are 42601 with a position, or what the scanner refused.
func Parse(text string) ([]Statement, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, pgerror.New(pgerror.SyntaxError, `syntax error at or near "\x00"`)
	}
	tree, err := grammar(withoutComments(text))
	if err != nil {
		return nil, parseError(err)
	}
	out := make([]Statement, 0, len(tree.Stmts))
	for _, s := range tree.Stmts {
		end := int(s.StmtLocation + s.StmtLen)
		if s.StmtLen == 0 {
			end = len(text)
		}
		out = append(out, Statement{Node: s.Stmt, Start: int(s.StmtLocation), End: end})
	}
	return out, nil
}

// grammar parses a text, keeping long lists of values from the C parser.
func grammar(text string) (*pg_query.ParseResult, error) {
	if len(text) >= longText {
		if short, cuts := cutValues(text); cuts != nil {
			if tree, err := pg_query.Parse(short); err == nil && putBack(tree, cuts) {
				return tree, nil
			}
		}
	}
	return pg_query.Parse(text)
}

// manyComments is how many comments the C scanner gets to see.
const manyComments = 256

// withoutComments blanks the comments of a text that has very many: the C scanner looks from the start of each to the end of
// all operator characters that follow, which takes minutes for a megabyte of slashes and stars. Positions stay as they are.
func withoutComments(text string) string {
	if strings.Count(text, "/*") <= manyComments {
		return text
	}
	s := scanner{text: text, shape: &Shape{}, erased: []byte(text)}
	s.levels = append(s.levels, level{})
	for s.pos < len(text) && s.token() {
	}
	return string(s.erased)
}

// parseError gives the parser's error its SQLSTATE. Everything the grammar and its scanner raise on their own is a syntax
// error; the C library hands no code over, so the few others are told by the function that raised them.
func parseError(err error) error {
	var pe *parser.Error
	if !errors.As(err, &pe) {
		return pgerror.New(pgerror.SyntaxError, err.Error())
	}
	code := pgerror.SyntaxError
	switch pe.Funcname {
	case "processCASbits", "SplitColQualList":
		code = pgerror.FeatureNotSupported
	case "report_invalid_encoding", "report_invalid_encoding_int": // an escape such as '\xff'
		return pgerror.New(pgerror.CharacterNotInRepertoire, pe.Message)
	}
	switch { // raised by rules of the grammar itself
	case pe.Message == "MATCH PARTIAL not yet implemented":
		code = pgerror.FeatureNotSupported
	case strings.HasPrefix(pe.Message, "frame start"), strings.HasPrefix(pe.Message, "frame end cannot be"):
		code = pgerror.WindowingError
	}
	e := pgerror.New(code, pe.Message)
	if pe.Cursorpos > 0 {
		e.Position = pe.Cursorpos
	}
	return e
}

// Position turns a byte offset of text into the position of an error: characters from one. A negative offset gives zero.
func Position(text string, offset int) int {
	if offset < 0 || offset > len(text) {
		return 0
	}
	return utf8.RuneCountInString(text[:offset]) + 1
}
