package builtins

import "manifold/engine/base"

func registerJSON(r registry) {}

func addJSONAggregates(add func(name string, args int, f func() Aggregate, oids ...base.OID)) {}
