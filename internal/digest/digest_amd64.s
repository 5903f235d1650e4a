#include "textflag.h"

// Two blocks at once, with the instructions for SHA-256 (Intel, "SHA Extensions", 2013): of each four rounds first those of
// one, then those of the other, which need not wait for the first. A state lies in two registers, as the instructions want it: words A, B, E and F, and C, D, G and H.

DATA constants<>+0(SB)/8, $0x71374491428a2f98
DATA constants<>+8(SB)/8, $0xe9b5dba5b5c0fbcf
DATA constants<>+16(SB)/8, $0x59f111f13956c25b
DATA constants<>+24(SB)/8, $0xab1c5ed5923f82a4
DATA constants<>+32(SB)/8, $0x12835b01d807aa98
DATA constants<>+40(SB)/8, $0x550c7dc3243185be
DATA constants<>+48(SB)/8, $0x80deb1fe72be5d74
DATA constants<>+56(SB)/8, $0xc19bf1749bdc06a7
DATA constants<>+64(SB)/8, $0xefbe4786e49b69c1
DATA constants<>+72(SB)/8, $0x240ca1cc0fc19dc6
DATA constants<>+80(SB)/8, $0x4a7484aa2de92c6f
DATA constants<>+88(SB)/8, $0x76f988da5cb0a9dc
DATA constants<>+96(SB)/8, $0xa831c66d983e5152
DATA constants<>+104(SB)/8, $0xbf597fc7b00327c8
DATA constants<>+112(SB)/8, $0xd5a79147c6e00bf3
DATA constants<>+120(SB)/8, $0x1429296706ca6351
DATA constants<>+128(SB)/8, $0x2e1b213827b70a85
DATA constants<>+136(SB)/8, $0x53380d134d2c6dfc
DATA constants<>+144(SB)/8, $0x766a0abb650a7354
DATA constants<>+152(SB)/8, $0x92722c8581c2c92e
DATA constants<>+160(SB)/8, $0xa81a664ba2bfe8a1
DATA constants<>+168(SB)/8, $0xc76c51a3c24b8b70
DATA constants<>+176(SB)/8, $0xd6990624d192e819
DATA constants<>+184(SB)/8, $0x106aa070f40e3585
DATA constants<>+192(SB)/8, $0x1e376c0819a4c116
DATA constants<>+200(SB)/8, $0x34b0bcb52748774c
DATA constants<>+208(SB)/8, $0x4ed8aa4a391c0cb3
DATA constants<>+216(SB)/8, $0x682e6ff35b9cca4f
DATA constants<>+224(SB)/8, $0x78a5636f748f82ee
DATA constants<>+232(SB)/8, $0x8cc7020884c87814
DATA constants<>+240(SB)/8, $0xa4506ceb90befffa
DATA constants<>+248(SB)/8, $0xc67178f2bef9a3f7
GLOBL constants<>(SB), RODATA|NOPTR, $256

// What a state begins with.
DATA begin<>+0(SB)/8, $0x510e527f9b05688c
DATA begin<>+8(SB)/8, $0x6a09e667bb67ae85
DATA begin<>+16(SB)/8, $0x1f83d9ab5be0cd19
DATA begin<>+24(SB)/8, $0x3c6ef372a54ff53a
GLOBL begin<>(SB), RODATA|NOPTR, $32

// The bytes of each of four words turned round, and those of all sixteen.
DATA turn<>+0(SB)/8, $0x0405060700010203
DATA turn<>+8(SB)/8, $0x0c0d0e0f08090a0b
DATA turn<>+16(SB)/8, $0x08090a0b0c0d0e0f
DATA turn<>+24(SB)/8, $0x0001020304050607
GLOBL turn<>(SB), RODATA|NOPTR, $32

#define LOAD(at, w) \
	MOVOU  at(SI), w; \
	PSHUFB X14, w

// Four rounds, of which the second two need what comes between.
#define ROUNDS1(k, w, abef, cdgh) \
	MOVO        w, X0; \
	PADDD       k(AX), X0; \
	SHA256RNDS2 X0, abef, cdgh

#define ROUNDS2(abef, cdgh) \
	PSHUFD      $0x0e, X0, X0; \
	SHA256RNDS2 X0, cdgh, abef

// The words of the next four rounds, from those of these and of the ones before.
#define NEXT(before, w, next) \
	MOVO       w, X7; \
	PALIGNR    $4, before, X7; \
	PADDD      X7, next; \
	SHA256MSG2 w, next

// func pair(blocks *[2][64]byte, out *[2]Half)
TEXT ·pair(SB), NOSPLIT, $0-16
	MOVQ blocks+0(FP), SI
	MOVQ out+8(FP), DI
	LEAQ constants<>(SB), AX
	MOVOU turn<>+0(SB), X14
	MOVOU begin<>+0(SB), X1
	MOVOU begin<>+16(SB), X2
	MOVO  X1, X8
	MOVO  X2, X9

	LOAD(0, X3)
	ROUNDS1(0, X3, X1, X2)
	ROUNDS2(X1, X2)
	LOAD(64, X10)
	ROUNDS1(0, X10, X8, X9)
	ROUNDS2(X8, X9)

	LOAD(16, X4)
	ROUNDS1(16, X4, X1, X2)
	ROUNDS2(X1, X2)
	SHA256MSG1 X4, X3
	LOAD(80, X11)
	ROUNDS1(16, X11, X8, X9)
	ROUNDS2(X8, X9)
	SHA256MSG1 X11, X10

	LOAD(32, X5)
	ROUNDS1(32, X5, X1, X2)
	ROUNDS2(X1, X2)
	SHA256MSG1 X5, X4
	LOAD(96, X12)
	ROUNDS1(32, X12, X8, X9)
	ROUNDS2(X8, X9)
	SHA256MSG1 X12, X11

	LOAD(48, X6)
	ROUNDS1(48, X6, X1, X2)
	NEXT(X5, X6, X3)
	ROUNDS2(X1, X2)
	SHA256MSG1 X6, X5
	LOAD(112, X13)
	ROUNDS1(48, X13, X8, X9)
	NEXT(X12, X13, X10)
	ROUNDS2(X8, X9)
	SHA256MSG1 X13, X12

	ROUNDS1(64, X3, X1, X2)
	NEXT(X6, X3, X4)
	ROUNDS2(X1, X2)
	SHA256MSG1 X3, X6
	ROUNDS1(64, X10, X8, X9)
	NEXT(X13, X10, X11)
	ROUNDS2(X8, X9)
	SHA256MSG1 X10, X13

	ROUNDS1(80, X4, X1, X2)
	NEXT(X3, X4, X5)
	ROUNDS2(X1, X2)
	SHA256MSG1 X4, X3
	ROUNDS1(80, X11, X8, X9)
	NEXT(X10, X11, X12)
	ROUNDS2(X8, X9)
	SHA256MSG1 X11, X10

	ROUNDS1(96, X5, X1, X2)
	NEXT(X4, X5, X6)
	ROUNDS2(X1, X2)
	SHA256MSG1 X5, X4
	ROUNDS1(96, X12, X8, X9)
	NEXT(X11, X12, X13)
	ROUNDS2(X8, X9)
	SHA256MSG1 X12, X11

	ROUNDS1(112, X6, X1, X2)
	NEXT(X5, X6, X3)
	ROUNDS2(X1, X2)
	SHA256MSG1 X6, X5
	ROUNDS1(112, X13, X8, X9)
	NEXT(X12, X13, X10)
	ROUNDS2(X8, X9)
	SHA256MSG1 X13, X12

	ROUNDS1(128, X3, X1, X2)
	NEXT(X6, X3, X4)
	ROUNDS2(X1, X2)
	SHA256MSG1 X3, X6
	ROUNDS1(128, X10, X8, X9)
	NEXT(X13, X10, X11)
	ROUNDS2(X8, X9)
	SHA256MSG1 X10, X13

	ROUNDS1(144, X4, X1, X2)
	NEXT(X3, X4, X5)
	ROUNDS2(X1, X2)
	SHA256MSG1 X4, X3
	ROUNDS1(144, X11, X8, X9)
	NEXT(X10, X11, X12)
	ROUNDS2(X8, X9)
	SHA256MSG1 X11, X10

	ROUNDS1(160, X5, X1, X2)
	NEXT(X4, X5, X6)
	ROUNDS2(X1, X2)
	SHA256MSG1 X5, X4
	ROUNDS1(160, X12, X8, X9)
	NEXT(X11, X12, X13)
	ROUNDS2(X8, X9)
	SHA256MSG1 X12, X11

	ROUNDS1(176, X6, X1, X2)
	NEXT(X5, X6, X3)
	ROUNDS2(X1, X2)
	SHA256MSG1 X6, X5
	ROUNDS1(176, X13, X8, X9)
	NEXT(X12, X13, X10)
	ROUNDS2(X8, X9)
	SHA256MSG1 X13, X12

	ROUNDS1(192, X3, X1, X2)
	NEXT(X6, X3, X4)
	ROUNDS2(X1, X2)
	SHA256MSG1 X3, X6
	ROUNDS1(192, X10, X8, X9)
	NEXT(X13, X10, X11)
	ROUNDS2(X8, X9)
	SHA256MSG1 X10, X13

	ROUNDS1(208, X4, X1, X2)
	NEXT(X3, X4, X5)
	ROUNDS2(X1, X2)
	ROUNDS1(208, X11, X8, X9)
	NEXT(X10, X11, X12)
	ROUNDS2(X8, X9)

	ROUNDS1(224, X5, X1, X2)
	NEXT(X4, X5, X6)
	ROUNDS2(X1, X2)
	ROUNDS1(224, X12, X8, X9)
	NEXT(X11, X12, X13)
	ROUNDS2(X8, X9)

	ROUNDS1(240, X6, X1, X2)
	ROUNDS2(X1, X2)
	ROUNDS1(240, X13, X8, X9)
	ROUNDS2(X8, X9)

	MOVOU begin<>+0(SB), X3
	MOVOU begin<>+16(SB), X4
	MOVOU turn<>+16(SB), X5
	PADDD      X3, X1
	PADDD      X4, X2
	PUNPCKHQDQ X1, X2
	PSHUFB     X5, X2
	MOVOU      X2, 0(DI)
	PADDD      X3, X8
	PADDD      X4, X9
	PUNPCKHQDQ X8, X9
	PSHUFB     X5, X9
	MOVOU      X9, 16(DI)
	RET

// func hasSHA() bool
TEXT ·hasSHA(SB), NOSPLIT, $0-1
	MOVB $0, ret+0(FP)
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JB   done
	MOVL $1, AX
	XORL CX, CX
	CPUID
	ANDL $0x00080200, CX // SSE 4.1 and SSSE3
	CMPL CX, $0x00080200
	JNE  done
	MOVL $7, AX
	XORL CX, CX
	CPUID
	BTL  $29, BX // SHA
	JCC  done
	MOVB $1, ret+0(FP)

done:
	RET
