package storage

import (
	"fmt"

	"manifold/engine/base"
)

// TablespaceVersion is the directory inside a tablespace that holds our files.
const TablespaceVersion = "MF_1"

// DatabasePath gives the directory of a database's files.
func DatabasePath(space, db base.OID) string {
	switch {
	case space == base.GlobalTablespace || db == 0:
		return "global"
	case space == base.DefaultTablespace || space == 0:
		return fmt.Sprintf("base/%d", db)
	}
	return fmt.Sprintf("pg_tblspc/%d/%s/%d", space, TablespaceVersion, db)
}

// RelationPath gives the name of a fork's first segment, as pg_relation_filepath does.
func RelationPath(f base.RelFile, fork base.Fork) string {
	name := fmt.Sprint(f.Number)
	if f.Temp != 0 {
		name = fmt.Sprintf("t%d_%d", f.Temp, f.Number)
	}
	if fork != base.MainFork {
		name += "_" + fork.String()
	}
	return DatabasePath(f.Space, f.Database) + "/" + name
}

func segmentPath(f base.RelFile, fork base.Fork, seg int) string {
	if seg == 0 {
		return RelationPath(f, fork)
	}
	return fmt.Sprintf("%s.%d", RelationPath(f, fork), seg)
}
