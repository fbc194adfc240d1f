// Package types is the values of SQL: their representation in memory, their text and binary forms, their order-preserving
// keys, and the facts of PostgreSQL's built-in types.
//
// Functions are pure; settings that change a form (DateStyle, TimeZone, extra_float_digits, bytea_output) come in as
// arguments. The package knows no tables, no catalogs and no sessions.
package types
