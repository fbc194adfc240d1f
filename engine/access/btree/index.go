package btree

import (
	"sync/atomic"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/predicate"
	"manifold/engine/relation"
	"manifold/engine/rmgr"
	"manifold/engine/txn"
	"manifold/engine/wal"
)

const (
	metaBlock   base.BlockNumber = 0
	metaMagic                    = 0x6d667462
	metaVersion                  = 1
	metaSize                     = 16
	// maxSteps bounds the pages that a descent visits, so that damaged links end it.
	maxSteps = 1 << 20
)

// Index is a tree as its sessions share it, safe for concurrent use. It lives as long as its descriptor.
type Index struct {
	name   string
	oid    base.OID
	file   base.RelFile
	logged bool
	dedup  bool // entries of one key share an item
	txns   *txn.Manager
	pool   *buffer.Pool
	log    *wal.Log

	root     atomic.Uint32 // cached from the meta page, zero for unknown
	rootHint buffer.Hint
	free     *FreePages
}

// Open prepares an index for use; logged tells whether its table is.
func Open(txns *txn.Manager, ix *relation.Index, logged bool) *Index {
	return &Index{name: ix.Name, oid: ix.OID, file: ix.File, logged: logged, txns: txns, pool: txns.Pool(), log: txns.Log(),
		free: &FreePages{}, dedup: !ix.KeepDuplicates && len(ix.Included) == 0}
}

// Create makes the files of an index within a transaction, with an empty tree.
func (ix *Index) Create(task *activity.Task, tx *txn.Tx) error {
	if err := ix.createFiles(task, tx); err != nil {
		return err
	}
	return ix.begin(task)
}

// createFiles makes the empty file of an index and, of an unlogged one, the tree that it begins anew with after a crash.
func (ix *Index) createFiles(task *activity.Task, tx *txn.Tx) error {
	if err := tx.CreateFork(task, ix.file, base.MainFork, ix.logged); err != nil || ix.logged || ix.file.Temp != 0 {
		return err
	}
	return tx.CreateInit(task, ix.file, 2, func(i base.BlockNumber, p page.Page) {
		if i == 0 {
			initMeta(p, 1, 0)
			return
		}
		node{p}.init(0, flagRoot, base.InvalidBlock, base.InvalidBlock)
	})
}

// Empty removes all entries of a temporary index at once, for good. Nobody may be using it.
func (ix *Index) Empty(task *activity.Task) error {
	if err := ix.pool.Truncate(ix.file, base.MainFork, 0); err != nil {
		return err
	}
	ix.root.Store(0)
	return ix.begin(task)
}

// begin writes an empty tree to an empty file.
func (ix *Index) begin(task *activity.Task) error {
	meta, err := ix.pool.Extend(task, ix.file, base.MainFork)
	if err != nil {
		return err
	}
	defer meta.UnlockRelease()
	root, err := ix.pool.Extend(task, ix.file, base.MainFork)
	if err != nil {
		return err
	}
	defer root.UnlockRelease()
	node{root.Page()}.init(0, flagRoot, base.InvalidBlock, base.InvalidBlock)
	initMeta(meta.Page(), root.Tag().Block, 0)
	return ix.logImages(meta, root)
}

// hinted says that hints were set on a page.
func (ix *Index) hinted(b buffer.Buffer) error {
	if !ix.logged { // nor are images of its pages
		b.MarkDirty()
		return nil
	}
	return b.MarkDirtyHint()
}

func initMeta(p page.Page, root base.BlockNumber, level int) {
	p.Init(page.KindBTreeMeta, 0)
	p.SetLower(page.HeaderSize + metaSize)
	setMeta(p, root, level)
}

func setMeta(p page.Page, root base.BlockNumber, level int) {
	b := p[page.HeaderSize:]
	le.PutUint32(b, metaMagic)
	le.PutUint32(b[4:], metaVersion)
	le.PutUint32(b[8:], uint32(root))
	le.PutUint32(b[12:], uint32(level))
}

// logImages marks the pages dirty and logs them whole.
func (ix *Index) logImages(bufs ...buffer.Buffer) error {
	for _, b := range bufs {
		b.MarkDirty()
	}
	if !ix.logged {
		return nil
	}
	b := ix.txns.Builder(bufs[0].Task())
	defer ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoImages, base.InvalidXID)
	for i, buf := range bufs {
		b.Block(uint8(i), buf.Tag(), buf.Page(), wal.ForceImage)
	}
	return ix.insertLog(b, bufs...)
}

func (ix *Index) insertLog(b *wal.Builder, bufs ...buffer.Buffer) error {
	lsn, err := ix.log.Insert(b)
	if err != nil {
		return err
	}
	for _, buf := range bufs {
		buf.SetLSN(lsn)
	}
	return nil
}

// target names a leaf as SERIALIZABLE locks it.
func (ix *Index) target(b base.BlockNumber) predicate.Target {
	return predicate.Page(ix.file.Database, ix.oid, b)
}

func (ix *Index) tag(b base.BlockNumber) base.PageTag {
	return base.PageTag{File: ix.file, Fork: base.MainFork, Block: b}
}

func (ix *Index) corrupt(b base.BlockNumber, what string) error {
	return pgerror.Newf(pgerror.IndexCorrupted, "index \"%s\": block %d of relation %s %s", ix.name, b, ix.file, what).
		WithHint("Please REINDEX it.")
}

// pin pins and latches a node.
func (ix *Index) pin(task *activity.Task, b base.BlockNumber, exclusive bool) (buffer.Buffer, error) {
	buf, err := ix.pool.Pin(task, ix.tag(b))
	if err != nil {
		return buf, err
	}
	return buf, ix.latch(buf, exclusive)
}

// latch latches a pinned page and sees that it is a node; otherwise it is released.
func (ix *Index) latch(buf buffer.Buffer, exclusive bool) error {
	if exclusive {
		buf.Lock()
	} else {
		buf.RLock()
	}
	if !(node{buf.Page()}).sound() {
		release(buf, exclusive)
		return ix.corrupt(buf.Tag().Block, "is not a page of a tree")
	}
	return nil
}

func release(buf buffer.Buffer, exclusive bool) {
	if exclusive {
		buf.UnlockRelease()
	} else {
		buf.RUnlockRelease()
	}
}

// rootBlock gives the cached root; readMeta asks the meta page.
func (ix *Index) rootBlock(task *activity.Task) (base.BlockNumber, error) {
	if b := ix.root.Load(); b != 0 {
		return base.BlockNumber(b), nil
	}
	return ix.readMeta(task)
}

func (ix *Index) readMeta(task *activity.Task) (base.BlockNumber, error) {
	buf, err := ix.pool.Pin(task, ix.tag(metaBlock))
	if err != nil {
		return 0, err
	}
	buf.RLock()
	defer buf.RUnlockRelease()
	p := buf.Page()
	b := p[page.HeaderSize:]
	if p.Kind() != page.KindBTreeMeta || le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion {
		return 0, ix.corrupt(metaBlock, "is not a meta page")
	}
	root := base.BlockNumber(le.Uint32(b[8:]))
	ix.root.Store(uint32(root))
	return root, nil
}

// descend finds the node of a level whose range has the target and gives it latched. stack, when not nil, gets the
// blocks of the nodes above, root first. Latched exclusively it may be a node left of that one whose split a crash cut
// short: what lies right of it must not be split before its parent knows of it, so finishSplit comes first. For the same reason
// the stack has such a node itself, not the one right of it that the descent went on to.
func (ix *Index) descend(task *activity.Task, t target, level int, exclusive bool, stack *[]base.BlockNumber) (buffer.Buffer, error) {
	if stack != nil {
		*stack = (*stack)[:0]
	}
	buf, held, err := ix.pinRoot(task, level, exclusive)
	if err != nil {
		return buf, err
	}
	cut := base.InvalidBlock // the first node of this level, if any, that the descent went right of and whose split is incomplete
	for range maxSteps {
		n := node{buf.Page()}
		next := base.InvalidBlock
		switch {
		case n.deleted():
			next = n.right()
		case held && n.flags()&flagIncomplete != 0:
			return buf, nil // the caller completes the split before it goes on to the right half
		case n.beyond(t):
			next = n.right()
			if cut == base.InvalidBlock && n.flags()&flagIncomplete != 0 {
				cut = buf.Tag().Block
			}
		case n.level() == level:
			if held == exclusive {
				return buf, nil
			}
			buf.RUnlock() // only a root that is a leaf: latch it anew and look again
			held = true
			if err := ix.latch(buf, true); err != nil {
				return buffer.Buffer{}, err
			}
			continue
		case n.level() < level || n.count() == 0:
			b := buf.Tag().Block
			release(buf, held)
			return buffer.Buffer{}, ix.corrupt(b, "has a wrong level")
		default:
			i := n.childFor(t)
			next = n.child(i)
			if cut == base.InvalidBlock {
				cut = buf.Tag().Block
			}
			if stack != nil {
				*stack = append(*stack, cut)
			}
			cut = base.InvalidBlock
			want := exclusive && n.level() == level+1
			buf.RUnlockRelease()
			if buf, err = ix.pin(task, next, want); err != nil {
				return buf, err
			}
			held = want
			continue
		}
		release(buf, held)
		if buf, err = ix.pin(task, next, held); err != nil {
			return buf, err
		}
	}
	release(buf, held)
	return buffer.Buffer{}, ix.corrupt(metaBlock, "leads in circles")
}

// pinRoot pins the root and latches it: shared, unless it is known to be the node looked for.
func (ix *Index) pinRoot(task *activity.Task, level int, exclusive bool) (buf buffer.Buffer, held bool, err error) {
	root, err := ix.rootBlock(task)
	if err != nil {
		return buf, false, err
	}
	for try := 0; ; try++ {
		if buf, err = ix.pool.PinHint(task, ix.tag(root), &ix.rootHint); err != nil {
			return buf, false, err
		}
		if err = ix.latch(buf, false); err != nil {
			return buf, false, err
		}
		n := node{buf.Page()}
		if n.flags()&flagRoot != 0 && n.level() >= level || try > 2 {
			return buf, false, nil
		}
		buf.RUnlockRelease() // the tree has grown
		if root, err = ix.readMeta(task); err != nil {
			return buf, false, err
		}
	}
}
