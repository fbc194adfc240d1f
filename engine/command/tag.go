package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// Tag gives the command tag of a utility statement before it runs, for messages about it.
func Tag(n *pg_query.Node) string {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_CreateStmt:
		return "CREATE TABLE"
	case *pg_query.Node_IndexStmt:
		return "CREATE INDEX"
	case *pg_query.Node_CreateSeqStmt:
		return "CREATE SEQUENCE"
	case *pg_query.Node_ViewStmt:
		return "CREATE VIEW"
	case *pg_query.Node_CreateRoleStmt:
		return "CREATE ROLE"
	case *pg_query.Node_CreatedbStmt:
		return "CREATE DATABASE"
	case *pg_query.Node_DropdbStmt:
		return "DROP DATABASE"
	case *pg_query.Node_AlterSeqStmt:
		return "ALTER SEQUENCE"
	case *pg_query.Node_CreateTableAsStmt:
		if x.CreateTableAsStmt.IsSelectInto {
			return "SELECT INTO"
		}
		return "CREATE TABLE AS"
	case *pg_query.Node_SelectStmt:
		return "SELECT INTO"
	case *pg_query.Node_AlterTableStmt:
		return "ALTER " + objectWords(x.AlterTableStmt.Objtype)
	case *pg_query.Node_RenameStmt:
		return "ALTER " + objectWords(x.RenameStmt.RenameType)
	case *pg_query.Node_AlterOwnerStmt:
		return "ALTER " + objectWords(x.AlterOwnerStmt.ObjectType)
	case *pg_query.Node_AlterObjectSchemaStmt:
		return "ALTER " + objectWords(x.AlterObjectSchemaStmt.ObjectType)
	case *pg_query.Node_DropStmt:
		return "DROP " + objectWords(x.DropStmt.RemoveType)
	case *pg_query.Node_TruncateStmt:
		return "TRUNCATE TABLE"
	case *pg_query.Node_LockStmt:
		return "LOCK TABLE"
	case *pg_query.Node_CommentStmt:
		return "COMMENT"
	case *pg_query.Node_GrantStmt:
		if x.GrantStmt.IsGrant {
			return "GRANT"
		}
		return "REVOKE"
	case *pg_query.Node_GrantRoleStmt:
		if x.GrantRoleStmt.IsGrant {
			return "GRANT ROLE"
		}
		return "REVOKE ROLE"
	case *pg_query.Node_VacuumStmt:
		if x.VacuumStmt.IsVacuumcmd {
			return "VACUUM"
		}
		return "ANALYZE"
	}
	return statementName(n)
}
