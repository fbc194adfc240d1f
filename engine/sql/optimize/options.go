package optimize

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Options is what a plan depends on besides the query.
type Options struct {
	View        *catalog.View
	Params      []base.OID    // types of $1 ...
	ParamValues []types.Datum // values of a custom plan; nil for a generic one
	Settings    Settings
	Blocks      func(*relation.Desc) float64 // current pages of a relation; nil guesses from statistics
	Literals    int                          // number of literal slots of the text
	// Fold evaluates an immutable expression over constants; false leaves it to run time (it may raise an error there).
	Fold func(e query.Expr) (types.Datum, bool)
}

// Settings is the configuration that planning reads, with PostgreSQL's names.
type Settings struct {
	EnableSeqScan       bool
	EnableIndexScan     bool
	EnableIndexOnlyScan bool
	EnableBitmapScan    bool
	EnableTidScan       bool
	EnableNestLoop      bool
	EnableHashJoin      bool
	EnableMergeJoin     bool
	EnableHashAgg       bool
	EnableSort          bool
	EnableMaterial      bool

	SeqPageCost       float64
	RandomPageCost    float64
	CPUTupleCost      float64
	CPUIndexTupleCost float64
	CPUOperatorCost   float64

	EffectiveCacheSize float64 // pages
	WorkMem            float64 // bytes
	HashMemMultiplier  float64
	JoinCollapseLimit  int
	FromCollapseLimit  int
	CursorFraction     float64 // share of the rows expected to be read; 1 for all
}

// DefaultSettings gives PostgreSQL's defaults.
func DefaultSettings() Settings {
	return Settings{
		EnableSeqScan: true, EnableIndexScan: true, EnableIndexOnlyScan: true, EnableBitmapScan: true, EnableTidScan: true,
		EnableNestLoop: true, EnableHashJoin: true, EnableMergeJoin: true, EnableHashAgg: true, EnableSort: true, EnableMaterial: true,
		SeqPageCost: 1, RandomPageCost: 4, CPUTupleCost: 0.01, CPUIndexTupleCost: 0.005, CPUOperatorCost: 0.0025,
		EffectiveCacheSize: 524288, WorkMem: 4 << 20, HashMemMultiplier: 2, JoinCollapseLimit: 8, FromCollapseLimit: 8, CursorFraction: 1,
	}
}
