//go:build !cgo

package tigerbeetle

import "errors"

// ErrNoCgo is what Open answers in a binary that was built without cgo.
var ErrNoCgo = errors.New("tigerbeetle: this binary was built without cgo and has no TigerBeetle client; rebuild it with CGO_ENABLED=1 and a C compiler")

// Open fails: TigerBeetle's client library is linked through cgo.
func Open(Options) (*Ledger, error) { return nil, ErrNoCgo }
