package explain

import (
	"encoding/json"
	"fmt"
	"strings"

	"manifold/engine/sql/plan"
)

func (x *explainer) stats(n plan.Node) *NodeStats {
	if x.run == nil || !x.opt.Analyze {
		return nil
	}
	return x.run.Nodes[n.Common().ID]
}

func (x *explainer) sortStats(e *entry, st *NodeStats) {
	kind := "Memory"
	if st.Disk {
		kind = "Disk"
	}
	e.props = append(e.props, prop{label: "Sort Method", value: fmt.Sprintf("%s  %s: %dkB", st.Method, kind, st.SpaceKB), text: true},
		prop{label: "Sort Method", value: st.Method, json: true}, prop{label: "Sort Space Used", value: st.SpaceKB, json: true},
		prop{label: "Sort Space Type", value: kind, json: true})
}

func (x *explainer) hashStats(e *entry, st *NodeStats) {
	e.props = append(e.props, prop{label: "Buckets", value: fmt.Sprintf("%d  Batches: %d  Memory Usage: %dkB", st.Buckets, st.Batches, st.SpaceKB), text: true},
		prop{label: "Hash Buckets", value: st.Buckets, json: true}, prop{label: "Hash Batches", value: st.Batches, json: true},
		prop{label: "Peak Memory Usage", value: st.SpaceKB, json: true})
}

// text writes an entry and those below it, as lines.
func (x *explainer) text(e *entry, indent int) {
	line := strings.Repeat("  ", indent)
	if indent > 0 {
		line += "->  "
		indent += 2
	}
	line += e.title
	if x.opt.Costs {
		c := e.costs
		line += fmt.Sprintf("  (cost=%.2f..%.2f rows=%.0f width=%d)", c.Startup, c.Total, c.Rows, c.Width)
	}
	st := x.entryStats(e)
	if x.opt.Analyze && x.run != nil {
		line += x.actual(st)
	}
	x.out = append(x.out, line)
	indent++
	pad := strings.Repeat("  ", indent)
	for _, p := range e.props {
		if p.text {
			x.out = append(x.out, pad+p.label+": "+textOf(p.value))
		}
	}
	if x.opt.Buffers && st != nil {
		if b := buffers(st); b != "" {
			x.out = append(x.out, pad+"Buffers: "+b)
		}
	}
	for _, c := range e.children {
		at := indent
		if c.label != "" {
			x.out = append(x.out, pad+c.label)
			at++
		}
		x.text(c.entry, at)
	}
}

// entryStats gives the measurements of an entry; the table of a hash join has those of its input.
func (x *explainer) entryStats(e *entry) *NodeStats {
	if e.node == nil {
		return nil
	}
	return x.stats(e.node)
}

func (x *explainer) actual(st *NodeStats) string {
	if st == nil || st.Loops == 0 {
		return " (never executed)"
	}
	if x.opt.Timing {
		return fmt.Sprintf(" (actual time=%.3f..%.3f rows=%.0f loops=%.0f)", st.Startup/st.Loops, st.Total/st.Loops, st.Rows/st.Loops, st.Loops)
	}
	return fmt.Sprintf(" (actual rows=%.0f loops=%.0f)", st.Rows/st.Loops, st.Loops)
}

func buffers(st *NodeStats) string {
	var parts []string
	group := func(name string, kinds []string, counts ...int64) {
		var list []string
		for i, n := range counts {
			if n > 0 {
				list = append(list, fmt.Sprintf("%s=%d", kinds[i], n))
			}
		}
		if len(list) > 0 {
			parts = append(parts, name+" "+strings.Join(list, " "))
		}
	}
	group("shared", []string{"hit", "read", "dirtied", "written"}, st.Hit, st.Read, st.Dirtied, st.Written)
	group("temp", []string{"read", "written"}, st.TempRead, st.TempWritten)
	return strings.Join(parts, ", ")
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	}
	return fmt.Sprint(v)
}

// json writes the whole answer.
func (x *explainer) json(root *entry) string {
	var b strings.Builder
	b.WriteString("[\n  {\n    \"Plan\": ")
	x.object(&b, root, "", "", 2)
	if x.opt.Summary && x.run != nil {
		fmt.Fprintf(&b, ",\n    \"Planning Time\": %.3f", x.run.Planning)
		if x.opt.Analyze {
			b.WriteString(",\n    \"Triggers\": [\n    ]")
			fmt.Fprintf(&b, ",\n    \"Execution Time\": %.3f", x.run.Execution)
		}
	}
	b.WriteString("\n  }\n]")
	return b.String()
}

func (x *explainer) object(b *strings.Builder, e *entry, kind, label string, depth int) {
	pad := strings.Repeat("  ", depth+1)
	first := true
	put := func(name, value string) {
		if !first {
			b.WriteString(",")
		}
		first = false
		b.WriteString("\n" + pad + quoteJSON(name) + ": " + value)
	}
	b.WriteString("{")
	for i, p := range e.head {
		put(p.label, jsonOf(p.value))
		if i == 0 {
			if kind != "" {
				put("Parent Relationship", quoteJSON(kind))
			}
			if label != "" {
				put("Subplan Name", quoteJSON(label))
			}
			put("Parallel Aware", "false")
			put("Async Capable", "false")
		}
	}
	if x.opt.Costs {
		c := e.costs
		put("Startup Cost", fmt.Sprintf("%.2f", c.Startup))
		put("Total Cost", fmt.Sprintf("%.2f", c.Total))
		put("Plan Rows", fmt.Sprintf("%.0f", c.Rows))
		put("Plan Width", fmt.Sprint(c.Width))
	}
	st := x.entryStats(e)
	if x.opt.Analyze && x.run != nil {
		if st == nil {
			st = &NodeStats{}
		}
		loops := max(st.Loops, 1)
		if x.opt.Timing {
			put("Actual Startup Time", fmt.Sprintf("%.3f", st.Startup/loops))
			put("Actual Total Time", fmt.Sprintf("%.3f", st.Total/loops))
		}
		put("Actual Rows", fmt.Sprintf("%.0f", st.Rows/loops))
		put("Actual Loops", fmt.Sprintf("%.0f", st.Loops))
	}
	for _, p := range e.props {
		if p.json {
			put(p.label, jsonOf(p.value))
		}
	}
	if x.opt.Buffers && st != nil {
		for _, n := range []struct {
			name  string
			count int64
		}{{"Shared Hit Blocks", st.Hit}, {"Shared Read Blocks", st.Read}, {"Shared Dirtied Blocks", st.Dirtied}, {"Shared Written Blocks", st.Written},
			{"Temp Read Blocks", st.TempRead}, {"Temp Written Blocks", st.TempWritten}} {
			put(n.name, fmt.Sprint(n.count))
		}
	}
	if len(e.children) > 0 {
		var l strings.Builder
		l.WriteString("[")
		for i, c := range e.children {
			if i > 0 {
				l.WriteString(",")
			}
			l.WriteString("\n" + pad + "  ")
			x.object(&l, c.entry, c.kind, c.label, depth+2)
		}
		l.WriteString("\n" + pad + "]")
		put("Plans", l.String())
	}
	b.WriteString("\n" + strings.Repeat("  ", depth) + "}")
}

func quoteJSON(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonOf(v any) string {
	switch v := v.(type) {
	case string:
		return quoteJSON(v)
	case []string:
		list := make([]string, len(v))
		for i, s := range v {
			list[i] = quoteJSON(s)
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	return fmt.Sprint(v)
}
