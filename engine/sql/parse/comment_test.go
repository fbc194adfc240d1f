package parse

import (
	"strings"
	"testing"
)

func TestCommentsAreBlankedWhenTheyAreMany(t *testing.T) {
	many := strings.Repeat("/*/*x*/*/", 300)
	text := "select '/* kept */' " + many + ", 1 -- /* /*\n, $$/*$$"
	want := "select '/* kept */' " + strings.Repeat(" ", len(many)) + ", 1 -- /* /*\n, $$/*$$"
	if got := withoutComments(text); got != want {
		t.Errorf("got %q", got)
	}
	if _, err := Parse(text); err != nil {
		t.Error(err)
	}
	if _, err := Parse("select 1 " + strings.Repeat("/*", 100_000)); err == nil {
		t.Error("an unterminated comment is accepted")
	}
	if few := "select 1 /* x */"; withoutComments(few) != few {
		t.Error("few comments are not left alone")
	}
}
