package command

import (
	"slices"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
	"manifold/engine/setting"
)

// option is a storage parameter: its kind ('i' integer, 'b' boolean, 'r' real) and bounds.
type option struct {
	kind     byte
	min, max float64
}

func heapOptions() map[string]option {
	m := map[string]option{
		"fillfactor": {'i', 10, 100}, "toast_tuple_target": {'i', 128, 8160}, "parallel_workers": {'i', 0, 1024},
		"autovacuum_enabled": {'b', 0, 0}, "vacuum_truncate": {'b', 0, 0}, "vacuum_index_cleanup": {'b', 0, 0},
		"user_catalog_table": {'b', 0, 0},
	}
	for _, n := range []string{"autovacuum_vacuum_threshold", "autovacuum_vacuum_insert_threshold", "autovacuum_analyze_threshold",
		"autovacuum_vacuum_cost_limit", "autovacuum_freeze_min_age", "autovacuum_freeze_max_age", "autovacuum_freeze_table_age",
		"autovacuum_multixact_freeze_min_age", "autovacuum_multixact_freeze_max_age", "autovacuum_multixact_freeze_table_age",
		"log_autovacuum_min_duration"} {
		m[n] = option{'i', -1, 2147483647}
	}
	for _, n := range []string{"autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor",
		"autovacuum_analyze_scale_factor", "autovacuum_vacuum_cost_delay"} {
		m[n] = option{'r', 0, 100}
	}
	return m
}

// toastOptions are the parameters that may be set for a TOAST relation, by names that begin with "toast.".
func toastOptions() map[string]option {
	m := heapOptions()
	for _, n := range []string{"fillfactor", "toast_tuple_target", "parallel_workers", "user_catalog_table", "autovacuum_analyze_threshold",
		"autovacuum_analyze_scale_factor"} {
		delete(m, n)
	}
	return m
}

// splitToast takes the parameters of the TOAST relation out of a list, their namespace removed.
func splitToast(list []*pg_query.Node) (own, toast []*pg_query.Node) {
	for _, n := range list {
		e := n.GetDefElem()
		if e.Defnamespace != "toast" {
			own = append(own, n)
			continue
		}
		plain := &pg_query.DefElem{Defname: e.Defname, Arg: e.Arg, Defaction: e.Defaction, Location: e.Location}
		toast = append(toast, &pg_query.Node{Node: &pg_query.Node_DefElem{DefElem: plain}})
	}
	return own, toast
}

func indexOptions() map[string]option {
	return map[string]option{"fillfactor": {'i', 10, 100}, "deduplicate_items": {'b', 0, 0}}
}

func viewOptions() map[string]option {
	return map[string]option{"security_barrier": {'b', 0, 0}, "security_invoker": {'b', 0, 0}}
}

// relOptions reads a WITH list into the form of pg_class.reloptions.
func relOptions(list []*pg_query.Node, known map[string]option) ([]string, error) {
	var out []string
	for _, n := range list {
		e := n.GetDefElem()
		o, ok := known[e.Defname]
		if !ok || e.Defnamespace != "" {
			name := e.Defname
			if e.Defnamespace != "" {
				return nil, pgerror.Newf(pgerror.InvalidParameterValue, "unrecognized parameter namespace \"%s\"", e.Defnamespace)
			}
			return nil, pgerror.Newf(pgerror.InvalidParameterValue, "unrecognized parameter \"%s\"", name)
		}
		value, err := o.check(e)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(s string) bool { return strings.HasPrefix(s, e.Defname+"=") }) {
			return nil, pgerror.Newf(pgerror.InvalidParameterValue, "parameter \"%s\" specified more than once", e.Defname)
		}
		out = append(out, e.Defname+"="+value)
	}
	return out, nil
}

func (o option) check(e *pg_query.DefElem) (string, error) {
	text := defText(e)
	switch o.kind {
	case 'b':
		if e.Arg == nil {
			return "true", nil
		}
		if _, ok := setting.ParseBool(text); !ok {
			return "", pgerror.Newf(pgerror.InvalidParameterValue, "invalid value for boolean option \"%s\": %s", e.Defname, text)
		}
		return text, nil
	case 'i', 'r':
		what := "integer"
		v, err := strconv.ParseFloat(text, 64)
		if o.kind == 'i' {
			_, err = strconv.ParseInt(text, 10, 32)
		} else {
			what = "floating point"
		}
		if err != nil {
			return "", pgerror.Newf(pgerror.InvalidParameterValue, "invalid value for %s option \"%s\": %s", what, e.Defname, text)
		}
		if v < o.min || v > o.max {
			return "", pgerror.Newf(pgerror.InvalidParameterValue, "value %s out of bounds for option \"%s\"", text, e.Defname).WithDetail(
				"Valid values are between \"%s\" and \"%s\".", number(o.min), number(o.max))
		}
	}
	return text, nil
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// defText gives the argument of an option as text.
func defText(e *pg_query.DefElem) string {
	switch a := e.GetArg().GetNode().(type) {
	case *pg_query.Node_String_:
		return a.String_.Sval
	case *pg_query.Node_Integer:
		return strconv.Itoa(int(a.Integer.Ival))
	case *pg_query.Node_Float:
		return a.Float.Fval
	case *pg_query.Node_Boolean:
		return strconv.FormatBool(a.Boolean.Boolval)
	case *pg_query.Node_TypeName:
		return strings.Join(strs(a.TypeName.Names), ".")
	case *pg_query.Node_List:
		return strings.Join(strs(a.List.Items), ".")
	}
	return ""
}

func parseBool(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "1", "t", "y":
		return true, true
	case "false", "off", "no", "0", "f", "n":
		return false, true
	}
	return false, false
}

// defBool reads a boolean option; without an argument it is true.
func defBool(e *pg_query.DefElem) (bool, error) {
	if e.GetArg() == nil {
		return true, nil
	}
	v, ok := parseBool(defText(e))
	if !ok {
		return false, pgerror.Newf(pgerror.SyntaxError, "%s requires a Boolean value", e.Defname)
	}
	return v, nil
}

// defInt reads an integer option.
func defInt(e *pg_query.DefElem) (int64, error) {
	n, err := strconv.ParseInt(defText(e), 10, 64)
	if err != nil {
		return 0, pgerror.Newf(pgerror.SyntaxError, "%s requires a numeric value", e.Defname)
	}
	return n, nil
}
