// Package deparse prints expressions as SQL text, with PostgreSQL's parentheses, casts and spacing (its ruleutils): for
// EXPLAIN, pg_get_expr, pg_get_constraintdef and pg_get_indexdef. In pretty form parentheses stand only where they are needed.
//
// It knows expressions and the names of catalog objects; what columns are called, the caller says.
package deparse
