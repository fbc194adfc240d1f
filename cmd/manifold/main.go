package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"manifold/engine/pgerror"
)

// version is set by the linker.
var version = "0.1.0"

// fullVersion is what version() and the console say.
func fullVersion() string { return "PostgreSQL 15.18 (Manifold " + version + ")" }

// command is one verb of the program.
type command struct {
	name string
	args string
	help string
	run  func(args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"serve", "[--config FILE] [--data DIR] [--listen HOST:PORT]", "run the server (the default)", serve},
		{"initdb", "[--config FILE] [--data DIR]", "make a new cluster", initdb},
		{"check", "DIR", "verify catalogs, tables, indexes, pages and log of a stopped cluster", check},
		{"waldump", "DIR [LSN]", "print the records of the log", waldump},
		{"pagedump", "DIR FILE [BLOCK]", "print a page, or all pages, of a file such as base/5/16384, or a relation map", pagedump},
		{"health", "[--config FILE] [--listen HOST:PORT]", "ask a running server for an answer", health},
		{"version", "", "print the version", func(_ []string, out io.Writer) error {
			_, err := fmt.Fprintln(out, fullVersion())
			return err
		}},
	}
}

func main() {
	args := os.Args[1:]
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(args, os.Stdout)
		switch {
		case errors.Is(err, flag.ErrHelp):
			usage(os.Stdout)
		case err != nil:
			complain(err)
			os.Exit(1)
		}
		return
	}
	usage(os.Stderr)
	os.Exit(2)
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: manifold [COMMAND]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %-52s %s\n", c.name, c.args, c.help)
	}
}

// complain prints an error with what helps.
func complain(err error) {
	e := pgerror.From(err)
	fmt.Fprintf(os.Stderr, "manifold: %s\n", e.Message)
	if e.Detail != "" {
		fmt.Fprintf(os.Stderr, "  %s\n", e.Detail)
	}
	if e.Hint != "" {
		fmt.Fprintf(os.Stderr, "  %s\n", e.Hint)
	}
}
