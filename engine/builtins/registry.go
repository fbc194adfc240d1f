package builtins

import "manifold/engine/base"

func implementations() map[string]Entry { return map[string]Entry{} }

func aggregates() map[base.OID]Entry { return map[base.OID]Entry{} }
