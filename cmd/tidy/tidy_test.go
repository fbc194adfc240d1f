package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root            = "../.."
	maxFileLines    = 800
	maxFunctionLine = 120
)

// source is one parsed file.
type source struct {
	name      string // from the root, with slashes
	dir       string
	lines     int
	test      bool
	generated bool
	set       *token.FileSet
	file      *ast.File
}

// sources parses both modules.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		out = append(out, source{name: name, dir: path.Dir(name), lines: strings.Count(string(text), "\n"), set: set, file: file,
			test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(file)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("only %d files found: the walk is wrong", len(out))
	}
	return out
}

// inHouse turns an import path into a package's directory; false for packages of others.
func inHouse(importPath string) (string, bool) {
	if rest, ok := strings.CutPrefix(importPath, "manifold/auxiliary/"); ok {
		return "aux/" + rest, true
	}
	return strings.CutPrefix(importPath, "manifold/")
}

// rankOf gives a package's rank; generators, in internal directories, have none.
func rankOf(dir string) (rank int, known bool) {
	r, ok := ranks()[dir]
	return r, ok
}

func TestImportsGoDown(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || strings.Contains(s.dir, "/internal/gen") {
			continue
		}
		mine, ok := rankOf(s.dir)
		if !ok {
			t.Errorf("%s: the package has no rank", s.name)
			continue
		}
		for _, imp := range s.file.Imports {
			dir, ok := inHouse(strings.Trim(imp.Path.Value, `"`))
			if !ok {
				continue
			}
			theirs, ok := rankOf(dir)
			switch {
			case !ok:
				t.Errorf("%s imports %s, which has no rank", s.name, dir)
			case theirs >= mine:
				t.Errorf("%s (rank %d) imports %s (rank %d)", s.name, mine, dir, theirs)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.generated || endsWithOne(s.name, exemptFiles()) {
			continue
		}
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", s.name, s.lines, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || isOne(f.Name.Name, exemptFunctions()) {
				continue
			}
			n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			if n > maxFunctionLine && !isOneSwitch(f) {
				t.Errorf("%s: %s has %d lines, more than %d", s.name, f.Name.Name, n, maxFunctionLine)
			}
		}
	}
}

// isOneSwitch tells whether a function is a dispatch over opcodes: nothing of weight but a switch whose cases are short.
func isOneSwitch(f *ast.FuncDecl) bool {
	for _, st := range f.Body.List {
		if loop, ok := st.(*ast.ForStmt); ok && len(loop.Body.List) > 0 {
			st = loop.Body.List[len(loop.Body.List)-1]
		}
		var cases *ast.BlockStmt
		switch sw := st.(type) {
		case *ast.SwitchStmt:
			cases = sw.Body
		case *ast.TypeSwitchStmt:
			cases = sw.Body
		}
		if cases != nil && len(cases.List) >= 20 {
			return true
		}
	}
	return false
}

func TestBannedCalls(t *testing.T) {
	files := map[string]bool{"Open": true, "OpenFile": true, "Create": true, "ReadFile": true, "WriteFile": true, "Remove": true,
		"RemoveAll": true, "Rename": true, "Mkdir": true, "MkdirAll": true, "ReadDir": true, "Truncate": true, "CreateTemp": true}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !s.test {
				t.Errorf("%s: init() joins parts behind the back of cmd", s.name)
			}
			pkg, call := called(n)
			switch {
			case pkg == "os" && files[call] && !s.test && !containsOne(s.name, fileCallers()):
				t.Errorf("%s: os.%s goes past vfs", s.name, call)
			case pkg == "time" && call == "Sleep" && s.test:
				t.Errorf("%s: a test sleeps", s.name)
			case pkg == "fmt" && strings.HasPrefix(call, "Print") && !s.test && !strings.HasPrefix(s.name, "cmd/") &&
				!strings.Contains(s.name, "/internal/"):
				t.Errorf("%s: fmt.%s in a library", s.name, call)
			}
			return true
		})
	}
}

// called gives the package and function of a call such as os.Open.
func called(n ast.Node) (pkg, name string) {
	c, ok := n.(*ast.CallExpr)
	if !ok {
		return "", ""
	}
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || x.Obj != nil {
		return "", ""
	}
	return x.Name, sel.Sel.Name
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	docs, dirs := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		if !s.test {
			dirs[s.dir] = true
		}
		if path.Base(s.name) == "doc.go" && s.file.Doc != nil {
			docs[s.dir] = true
		}
	}
	for dir := range dirs {
		if !docs[dir] && !strings.Contains(dir, "/internal/gen") {
			t.Errorf("%s has no doc.go", dir)
		}
	}
	for _, dir := range mechanisms() {
		if _, err := os.Stat(filepath.Join(root, dir, "README.md")); err != nil {
			t.Errorf("%s has no README.md", dir)
		}
	}
}

func isOne(s string, list []string) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

func endsWithOne(s string, list []string) bool {
	for _, x := range list {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

func containsOne(s string, list []string) bool {
	for _, x := range list {
		if strings.Contains(s, x) {
			return true
		}
	}
	return false
}
