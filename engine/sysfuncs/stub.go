package sysfuncs

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/types"
)

func table() map[base.OID]builtins.Entry { return nil }

// SQLValue gives the value of CURRENT_USER and its like.
func SQLValue(s *Scope, name string, typmod int32) (types.Datum, error) { return types.Null, nil }

// NextValue is nextval of a sequence by OID.
func NextValue(s *Scope, sequence base.OID) (int64, error) { return 0, nil }

// View is a system view that initdb makes.
type View struct{ Schema, Name, SQL string }

// Views gives the system views in the order of their making.
func Views() []View { return nil }
