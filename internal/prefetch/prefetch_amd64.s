#include "textflag.h"

// func Bytes(p unsafe.Pointer, bytes uintptr)
TEXT ·Bytes(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ bytes+8(FP), BX
	ADDQ AX, BX
	ANDQ $~63, AX // of lines of 64 bytes
line:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	CMPQ AX, BX
	JB   line
	RET

// func toWrite(p unsafe.Pointer)
TEXT ·toWrite(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	// PREFETCHW (AX), which the assembler has no name for. To a processor that does not know it, it is no operation.
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	RET
