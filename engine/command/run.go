package command

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// runFunc runs one kind of statement.
type runFunc func(c *Context, n *pg_query.Node) (string, error)

// runner gives what runs a statement; nil when nothing does.
func runner(n *pg_query.Node) runFunc {
	switch n.GetNode().(type) {
	case *pg_query.Node_CreateStmt:
		return createTable
	case *pg_query.Node_IndexStmt:
		return createIndexStmt
	case *pg_query.Node_CreateSeqStmt:
		return createSequence
	case *pg_query.Node_AlterSeqStmt:
		return alterSequence
	case *pg_query.Node_CreateSchemaStmt:
		return createSchema
	case *pg_query.Node_DropStmt:
		return dropStmt
	case *pg_query.Node_ReindexStmt:
		return reindex
	case *pg_query.Node_ConstraintsSetStmt:
		return setConstraints
	case *pg_query.Node_TruncateStmt:
		return truncate
	case *pg_query.Node_VacuumStmt:
		return vacuumStmt
	case *pg_query.Node_ClusterStmt:
		return clusterStmt
	case *pg_query.Node_AlterTableStmt:
		return alterTable
	case *pg_query.Node_LockStmt:
		return lockStmt
	case *pg_query.Node_ViewStmt:
		return createView
	case *pg_query.Node_CreateTableAsStmt:
		return createTableAs
	case *pg_query.Node_SelectStmt:
		return selectInto
	case *pg_query.Node_CommentStmt:
		return comment
	case *pg_query.Node_RenameStmt:
		return rename
	case *pg_query.Node_AlterOwnerStmt:
		return alterOwner
	case *pg_query.Node_AlterObjectSchemaStmt:
		return alterSchema
	}
	return clusterRunner(n)
}

// clusterRunner is runner for what belongs to the whole cluster.
func clusterRunner(n *pg_query.Node) runFunc {
	switch n.GetNode().(type) {
	case *pg_query.Node_CreateRoleStmt:
		return createRole
	case *pg_query.Node_AlterRoleStmt:
		return alterRole
	case *pg_query.Node_AlterRoleSetStmt:
		return alterRoleSet
	case *pg_query.Node_DropRoleStmt:
		return dropRole
	case *pg_query.Node_GrantRoleStmt:
		return grantRole
	case *pg_query.Node_GrantStmt:
		return grant
	case *pg_query.Node_CreatedbStmt:
		return createDatabase
	case *pg_query.Node_DropdbStmt:
		return dropDatabase
	case *pg_query.Node_AlterDatabaseStmt:
		return alterDatabase
	case *pg_query.Node_AlterDatabaseSetStmt:
		return alterDatabaseSet
	case *pg_query.Node_CreateTableSpaceStmt:
		return createTablespace
	case *pg_query.Node_DropTableSpaceStmt:
		return dropTablespace
	case *pg_query.Node_AlterTableSpaceOptionsStmt:
		return alterTablespace
	case *pg_query.Node_CheckPointStmt:
		return checkpoint
	}
	return nil
}

// statementName gives the words of a statement that nothing runs, from the name of its node.
func statementName(n *pg_query.Node) string {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_DefineStmt:
		return "CREATE " + objectWords(x.DefineStmt.Kind)
	case *pg_query.Node_CompositeTypeStmt, *pg_query.Node_CreateEnumStmt, *pg_query.Node_CreateRangeStmt:
		return "CREATE TYPE"
	case *pg_query.Node_CreateTrigStmt:
		return "CREATE TRIGGER"
	case *pg_query.Node_RuleStmt:
		return "CREATE RULE"
	case *pg_query.Node_RefreshMatViewStmt:
		return "REFRESH MATERIALIZED VIEW"
	case nil:
		return "an empty statement"
	}
	name := strings.TrimSuffix(strings.TrimPrefix(typeName(n.GetNode()), "Node_"), "Stmt")
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}
