// Package plancache keeps plans by the shape of their statements, for all sessions of a database.
//
// An Entry is found by a key (environment and shape) and holds a few variants: plans that differ in what they assume of the
// statement's literals. A variant lends instances, the running form of its plan, to one execution at a time. The cache is
// bounded in bytes and admits a shape at second sight. One mutex per shard guards the maps, one per variant its instances;
// nothing is called with them held. The package knows neither sessions nor how plans are made.
package plancache
