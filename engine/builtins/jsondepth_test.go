package builtins

import (
	"strings"
	"testing"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// TestEditsKeepJSONReadable holds that no edit makes a jsonb deeper than what can be read again: it fails with 54001 instead.
func TestEditsKeepJSONReadable(t *testing.T) {
	const deepest = 6400
	nested := func(n int) types.Datum { return types.Text(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	object := types.Text("{\"a\":" + string(nested(deepest-1).B) + "}")
	path := func(steps ...string) types.Datum {
		var d []types.Datum
		for _, s := range steps {
			d = append(d, types.Text(s))
		}
		return types.MakeArray(types.OIDText, d)
	}
	c := &Context{Env: types.NewEnv()}
	for name, run := range map[string]func() (types.Datum, error){
		"concatenation": func() (types.Datum, error) { return concatJSONB(c, []types.Datum{types.Text("1"), object}) },
		"jsonb_set": func() (types.Datum, error) {
			return edited(c, []types.Datum{types.Text("{}"), path("a"), nested(deepest)}, jsonCreate)
		},
		"assignment": func() (types.Datum, error) {
			return AssignJSON(c, types.Text("{}"), []types.Datum{types.Text("a")}, false, nested(deepest))
		},
	} {
		if _, err := run(); err == nil || pgerror.From(err).Code != pgerror.StatementTooComplex {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := edited(c, []types.Datum{types.Text("{}"), path("a"), nested(deepest - 1)}, jsonCreate)
	if v := types.OpenJSONB(d.B); err != nil || v.Kind != types.JSONObject {
		t.Errorf("the deepest that is allowed: %v", err)
	}
}
