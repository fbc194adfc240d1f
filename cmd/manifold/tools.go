package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/recovery"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// initdb is the command of that name.
func initdb(args []string, out io.Writer) error {
	f, err := parseFlags("initdb", args)
	if err != nil {
		return err
	}
	if err := checkStack(); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	if err := makeDirectory(c.Data); err != nil {
		return err
	}
	cfg := engineConfig(c)
	empty, err := engine.IsEmpty(cfg.FS)
	if err != nil {
		return err
	}
	if !empty {
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "directory \"%s\" exists but is not empty", c.Data).
			WithHint("Choose another directory, or empty this one.")
	}
	if err := engine.InitDB(cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "made a new cluster in %s\n", c.Data)
	return err
}

// walDir is where a cluster keeps its log.
const walDir = "pg_wal"

// waldump is the command of that name.
func waldump(args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 2 {
		return pgerror.New(pgerror.SyntaxError, "waldump wants a data directory, and a position to begin at")
	}
	if err := existing(args[0]); err != nil {
		return err
	}
	fsys := vfs.NewOS(args[0])
	names, err := fsys.ReadDir(walDir)
	if err != nil {
		return pgerror.IO(err, "could not read \"%s\"", filepath.Join(args[0], walDir))
	}
	var o wal.ReaderOptions
	var start base.LSN
	err = pgerror.Newf(pgerror.UndefinedFile, "there is no log in \"%s\"", args[0])
	for _, name := range names {
		if o, start, err = wal.Inspect(fsys, walDir, name); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if len(args) == 2 {
		if start, err = parseLSN(args[1]); err != nil {
			return err
		}
	}
	first, err := wal.FindFirst(fsys, o, start)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return wal.Dump(fsys, o, first, out, recovery.Describe)
}

func parseLSN(text string) (base.LSN, error) {
	high, low, ok := strings.Cut(text, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, pgerror.Newf(pgerror.InvalidTextRepresentation, "invalid log position \"%s\"", text)
	}
	return base.LSN(h<<32 | l), nil
}

func existing(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return pgerror.IO(err, "could not open directory \"%s\"", dir)
	}
	if !info.IsDir() {
		return pgerror.Newf(pgerror.UndefinedFile, "\"%s\" is not a directory", dir)
	}
	return nil
}

const healthTimeout = 5 * time.Second

// health is the command of that name. User, database and password come from PGUSER, PGDATABASE and PGPASSWORD.
func health(args []string, out io.Writer) error {
	f, err := parseFlags("health", args)
	if err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	server := c.SocketDir
	if len(c.Addresses) > 0 {
		server = c.Addresses[0]
		if ip := net.ParseIP(server); server == "*" || server == "" || ip != nil && ip.IsUnspecified() {
			server = "127.0.0.1"
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	dsn := fmt.Sprintf("host=%s port=%d sslmode=prefer application_name=health", server, c.Port)
	if os.Getenv("PGUSER") == "" {
		dsn += " user=postgres"
	}
	if os.Getenv("PGDATABASE") == "" {
		dsn += " database=postgres"
	}
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return pgerror.Newf(pgerror.ConnectionFailure, "%v", err)
	}
	defer func() { _ = conn.Close(ctx) }() // the answer is what matters
	res, err := conn.Exec(ctx, "SELECT 1").ReadAll()
	if err != nil {
		return pgerror.Newf(pgerror.ConnectionFailure, "%v", err)
	}
	if len(res) != 1 || len(res[0].Rows) != 1 || string(res[0].Rows[0][0]) != "1" {
		return pgerror.New(pgerror.ConnectionFailure, "the answer to SELECT 1 is wrong")
	}
	_, err = fmt.Fprintln(out, "healthy")
	return err
}
