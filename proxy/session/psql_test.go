package session

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"manifold/pool"
)

func TestPsql(t *testing.T) {
	path, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	cmd := exec.Command(path, "-X", "-A", "-t", "-h", "127.0.0.1", "-p", strconv.Itoa(s.addr.Port), "-U", "bob", "postgres")
	cmd.Stdin = strings.NewReader("select 3;\nbegin;\nfail;\nselect 1;\nrollback;\nnotice hello;\ncopyin;\na\nb\n\\.\ncopyout;\nselect 2;\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "0\n1\n2\nBEGIN\nERROR:  as you wish\nLINE 1: fail;\n          ^\n" +
		"ERROR:  current transaction is aborted, commands ignored until end of transaction block\nROLLBACK\n"
	if !strings.HasPrefix(string(out), want) {
		t.Errorf("got\n%s", out)
	}
	if !strings.Contains(string(out), "NOTICE:  hello\nNOTICE\nCOPY 2\n0\n1\n2\n0\n1\n") {
		t.Errorf("got\n%s", out)
	}
}
