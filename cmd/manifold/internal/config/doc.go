// Package config reads config.toml. The defaults are the file of that name in the root of the tree, of which an identical
// copy is embedded here; one table names every setting, how it is read and where it goes.
//
// A mistake is an error with the file, the line, and what would be right. The package changes nothing but the Config that
// it returns.
package config
