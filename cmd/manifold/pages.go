package main

import (
	"io"
	"strconv"
	"strings"

	"manifold/engine/access/btree"
	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/vfs"
)

// segmentBlocks is the number of pages of a file of 1 GiB.
const segmentBlocks = 1 << 30 / page.Size

// eachPage reads a file page by page.
func eachPage(fsys vfs.FS, name string, tag base.PageTag, f func(page.Page, base.PageTag)) error {
	file, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return pgerror.IO(err, "could not open \"%s\"", name)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := fsys.Stat(name)
	if err != nil {
		return pgerror.IO(err, "could not look at \"%s\"", name)
	}
	buf := make([]byte, page.Size)
	first := tag.Block
	for off := int64(0); off+page.Size <= info.Size(); off += page.Size {
		if _, err := file.ReadAt(buf, off); err != nil {
			return pgerror.IO(err, "could not read \"%s\"", name)
		}
		tag.Block = first + base.BlockNumber(off/page.Size)
		f(page.Page(buf), tag)
	}
	if info.Size()%page.Size != 0 {
		return pgerror.Corrupt("\"%s\" has %d bytes after its last page", name, info.Size()%page.Size)
	}
	return nil
}

// tagOf reads the name of a relation's file, base/5/1259_fsm.1, and gives the tag of its first page.
func tagOf(name string) (base.PageTag, bool) {
	var tag base.PageTag
	parts := strings.Split(name, "/")
	switch {
	case len(parts) == 2 && parts[0] == "global":
		tag.File.Space = base.GlobalTablespace
	case len(parts) == 3 && parts[0] == "base":
		db, err := strconv.ParseUint(parts[1], 10, 32)
		if err != nil {
			return tag, false
		}
		tag.File.Space, tag.File.Database = base.DefaultTablespace, base.OID(db)
	default:
		return tag, false
	}
	rest, segment, hasSegment := strings.Cut(parts[len(parts)-1], ".")
	if hasSegment {
		n, err := strconv.ParseUint(segment, 10, 16)
		if err != nil {
			return tag, false
		}
		tag.Block = base.BlockNumber(n * segmentBlocks)
	}
	number, fork, hasFork := strings.Cut(rest, "_")
	if hasFork {
		found := false
		for _, f := range []base.Fork{base.FSMFork, base.VMFork, base.InitFork} {
			if f.String() == fork {
				tag.Fork, found = f, true
			}
		}
		if !found {
			return tag, false
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	tag.File.Number = base.OID(n)
	return tag, err == nil
}

// pagedump is the command of that name.
func pagedump(args []string, out io.Writer) error {
	if len(args) < 2 || len(args) > 3 {
		return pgerror.New(pgerror.SyntaxError, "pagedump wants a data directory, a file in it, and a block")
	}
	if err := existing(args[0]); err != nil {
		return err
	}
	if storage.IsRelMap(args[1]) {
		_, m, err := storage.ReadRelMap(vfs.NewOS(args[0]), args[1])
		if err != nil {
			return err
		}
		return m.Dump(out)
	}
	tag, ok := tagOf(args[1])
	if !ok {
		return pgerror.Newf(pgerror.UndefinedFile, "\"%s\" is not the name of a relation's file", args[1])
	}
	only := int64(-1)
	if len(args) == 3 {
		n, err := strconv.ParseUint(args[2], 10, 32)
		if err != nil {
			return pgerror.Newf(pgerror.InvalidTextRepresentation, "invalid block number \"%s\"", args[2])
		}
		only = int64(n)
	}
	return eachPage(vfs.NewOS(args[0]), args[1], tag, func(p page.Page, tag base.PageTag) {
		if only < 0 || only == int64(tag.Block) {
			p.Describe(out, tag)
			btree.Describe(out, p)
		}
	})
}
