// Package parse turns SQL text into PostgreSQL's raw parse trees, by PostgreSQL's own grammar (pg_query_go, the only cgo of
// the engine), and scans statements without parsing them: their shape with literals taken out, and their nesting.
//
// The C parser recurses on its thread's stack and dies when that ends, so Scan refuses deep statements first (54001). Parse
// must only be given text that Scan accepted. The package holds no state.
package parse
