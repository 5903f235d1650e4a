package prefetch

import "unsafe"

// Bytes asks for so many bytes of memory from p on. It waits for nothing and reads nothing, so it may be asked
// for what another goroutine is changing.
//
//go:noescape
func Bytes(p unsafe.Pointer, bytes uintptr)

//go:noescape
func toWrite(p unsafe.Pointer)
