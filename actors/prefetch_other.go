//go:build !amd64

package actors

import "unsafe"

// prefetch would ask for memory ahead; here it is waited for when it is needed.
func prefetch(unsafe.Pointer, uintptr) {}
