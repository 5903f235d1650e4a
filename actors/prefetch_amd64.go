package actors

import "unsafe"

// prefetch asks for so many bytes of memory from p on. It waits for nothing and reads nothing, so it may be asked
// for what another goroutine is changing.
//
//go:noescape
func prefetch(p unsafe.Pointer, bytes uintptr)
