// Package analyze turns raw parse trees into queries: it resolves names, types, functions and operators by PostgreSQL's
// rules (chapter 10 of its manual) against the catalogs, and expands stars, defaults and views.
//
// An analysis reads the catalogs through one View and writes nothing. It records which literals of the text it looked at
// (Result.Read), so that the plan cache knows which values a plan depends on. The package knows no plans and no storage.
package analyze
