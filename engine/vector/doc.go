// Package vector is the batch that operators of the executor exchange: typed columns of up to 1,024 lanes with null
// bitmaps and a selection.
//
// A batch belongs to the operator that fills it and is valid until that operator's next call. The package knows values'
// widths and nothing else of types.
package vector
