// Package optimize turns an analysed query into a plan: it flattens sub-selects, chooses access paths and the order and
// methods of joins by PostgreSQL's cost model, and places grouping, sorting and row changes above them.
//
// Planning is a pure function of the query, the catalogs' facts and the settings. It never reads the value of a constant
// that has a literal slot, so that a plan serves every statement of the same shape. The package knows no executor and no
// storage; sizes of relations come through Options. The query is never changed: levels work on private copies.
package optimize
