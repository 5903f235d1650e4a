// Package prefetch asks for memory before it is needed. Where much memory is read at random, waiting for it takes
// longer than what is reckoned; asked for together, lines arrive together.
package prefetch

import "unsafe"

// Of asks for what a pointer points to.
func Of[T any](p *T) { Bytes(unsafe.Pointer(p), unsafe.Sizeof(*p)) }

// ToWrite asks for the line of memory in which what is pointed to begins, to be written: another processor that has it gives it up,
// which otherwise is waited for when it is written.
func ToWrite[T any](p *T) { toWrite(unsafe.Pointer(p)) }

// Line asks for the line of memory in which what is pointed to begins.
func Line[T any](p *T) { Bytes(unsafe.Pointer(p), 1) }
