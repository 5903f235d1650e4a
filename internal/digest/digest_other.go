//go:build !amd64

package digest

const together = false

func pair(*[2][64]byte, *[2]Half) { panic("digest: not on this processor") }
