//go:build !amd64

package prefetch

import "unsafe"

// Bytes would ask for memory ahead; here it is waited for when it is needed.
func Bytes(unsafe.Pointer, uintptr) {}

func toWrite(unsafe.Pointer) {}
