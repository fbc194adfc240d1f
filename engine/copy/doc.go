// Package copy is COPY FROM and COPY TO: the text, csv and binary formats between a client's stream and a table or query.
//
// Input is parsed in place and written in batches through exec.Target; output is formed from column batches. The package
// knows nothing of the wire protocol: it reads and writes whole messages through two small interfaces.
package copy
