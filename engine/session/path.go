package session

import (
	"hash/maphash"
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/setting"
)

// envSeed makes the hashes of PlanEnv; they are compared within one process only.
var envSeed = maphash.MakeSeed()

// PlanEnv gives a number that differs when plans of one session must not serve another: the settings flagged as
// plan-relevant and the search path, with "$user" resolved.
func (s *Session) PlanEnv() uint64 {
	if s.planStamp == s.Settings.Stamp()+1 && s.planRole == s.Role {
		return s.planEnv
	}
	var h maphash.Hash
	h.SetSeed(envSeed)
	for _, p := range setting.All() {
		if !p.Has(setting.PlanRelevant) {
			continue
		}
		if e := s.Settings.find(p.Name); e != nil {
			h.WriteString(p.Name)
			h.WriteByte(0)
			h.WriteString(p.Format(e.value))
			h.WriteByte(0)
		}
	}
	path := s.Settings.Get("search_path").Str
	h.WriteString(path)
	if strings.Contains(path, "$user") {
		h.WriteString(s.UserName)
	}
	s.planEnv, s.planStamp, s.planRole = h.Sum64(), s.Settings.Stamp()+1, s.Role
	return s.planEnv
}

// SearchPath gives the schemas that unqualified names are searched in: the temporary schema and pg_catalog first unless they
// are named, then those of search_path that exist. lookup finds a schema by name.
func (s *Session) SearchPath(lookup func(name string) (base.OID, error)) ([]base.OID, error) {
	var path []base.OID
	seen := map[base.OID]bool{}
	for _, name := range SplitIdentifiers(s.Settings.Get("search_path").Str) {
		var oid base.OID
		var err error
		switch name {
		case "$user":
			oid, err = lookup(s.UserName)
		case "pg_temp":
			oid = s.Temp.Namespace
		default:
			oid, err = lookup(name)
		}
		if err != nil {
			return nil, err
		}
		if oid != 0 && !seen[oid] {
			seen[oid] = true
			path = append(path, oid)
		}
	}
	if !seen[bootstrap.NamespacePgCatalog] {
		path = append([]base.OID{bootstrap.NamespacePgCatalog}, path...)
	}
	if t := s.Temp.Namespace; t != 0 && !seen[t] {
		path = append([]base.OID{t}, path...)
	}
	return path, nil
}

// SplitIdentifiers takes a comma-separated list of identifiers apart, unquoting them.
func SplitIdentifiers(list string) []string {
	var out []string
	for i := 0; i < len(list); {
		for i < len(list) && (list[i] == ' ' || list[i] == ',') {
			i++
		}
		if i >= len(list) {
			break
		}
		if list[i] == '"' {
			var b strings.Builder
			for i++; i < len(list); i++ {
				if list[i] == '"' {
					if i+1 < len(list) && list[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(list[i])
			}
			i++
			out = append(out, b.String())
			continue
		}
		start := i
		for i < len(list) && list[i] != ',' {
			i++
		}
		out = append(out, strings.ToLower(strings.TrimSpace(list[start:i])))
	}
	return out
}

// AwaitAnswer waits until what the session has to say may leave for its client: the log its answers depend on is durable. A
// bare command tag inside an open transaction block leaves at once; what it depends on stays with the transaction.
func (s *Session) AwaitAnswer() error {
	t := s.Task
	if s.Txns == nil || t.Dep() == 0 && t.LogDep() == 0 {
		s.Told = false
		return nil
	}
	if s.Status == InTx && !s.Told {
		return nil
	}
	s.Told = false
	return s.Txns.AwaitAnswer(t, t.TakeDep(), t.TakeLogDep())
}
