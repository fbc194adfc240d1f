package recovery

import "manifold/engine/txn"

var waitNo = txn.Wait{NoWait: true}
