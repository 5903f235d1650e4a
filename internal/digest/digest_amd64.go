package digest

// together: the processor has instructions for SHA-256. They wait for each other most of the time, so that two texts
// take hardly longer than one; crypto/sha256 takes one, and as long again around it.
var together = hasSHA()

// hasSHA asks the processor (CPUID) for SHA, SSSE3 and SSE 4.1.
func hasSHA() bool

// pair takes the halves of two texts, each of which is one block.
//
//go:noescape
func pair(blocks *[2][64]byte, out *[2]Half)
