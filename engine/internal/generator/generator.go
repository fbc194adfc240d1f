package generator

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
)

// Run does work over a connection to the server that MANIFOLD_ORACLE names. An error is printed and ends the program with 1.
func Run(work func(ctx context.Context, conn *pgx.Conn) error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("MANIFOLD_ORACLE"))
	if err == nil {
		err = work(ctx, conn)
		_ = conn.Close(ctx) // all that was asked for has arrived
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
