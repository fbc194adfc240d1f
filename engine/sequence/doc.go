// Package sequence counts: nextval, setval and reading, on a relation of one page.
//
// Changes are not part of transactions. A record covers 32 values ahead, so that most calls log nothing; a crash may skip
// values but never repeats one, since an answer waits for the record that covers its value (Task.NoteLogDep). The page's
// exclusive latch serialises callers. currval and cached values are the session's, not known here.
package sequence
