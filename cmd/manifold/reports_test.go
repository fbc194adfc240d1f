package main

import (
	"fmt"
	"strings"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/sysfuncs"
	"manifold/pool"
	"manifold/proxy/admin"
)

// TestReportsFitFunctions: the columns that pg_proc names for the functions below schema manifold are those that they give.
func TestReportsFitFunctions(t *testing.T) {
	from := admin.Sources{Pools: pool.NewPools(func(string) pool.Limits { return pool.Limits{} }, nil), Clients: func() []admin.Client { return nil },
		Databases: func(*activity.Task) ([]string, error) { return nil, nil }, Config: func() [][3]string { return nil },
		Errors: func() map[string]uint64 { return nil }}
	facts := bootstrap.Load("pg_proc")
	src, types, names := facts.Column("prosrc"), facts.Column("proallargtypes"), facts.Column("proargnames")
	declared := map[string]string{}
	for _, r := range facts.Rows {
		declared[r[src]] = r[types] + r[names]
	}
	for _, kind := range sysfuncs.Reports() {
		r, err := admin.Report(from, nil, kind)
		if err != nil {
			t.Fatal(err)
		}
		var oids, cols []string
		for _, c := range r.Columns {
			oids, cols = append(oids, fmt.Sprint(c.Type)), append(cols, c.Name)
		}
		if got := "{" + strings.Join(oids, ",") + "}{" + strings.Join(cols, ",") + "}"; got != declared["manifold_"+kind] {
			t.Errorf("%s: given\n%s\ndeclared\n%s", kind, got, declared["manifold_"+kind])
		}
	}
}
