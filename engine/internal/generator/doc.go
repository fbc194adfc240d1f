// Package generator joins the generators of tables of facts to a running PostgreSQL 15. No server imports it.
package generator
