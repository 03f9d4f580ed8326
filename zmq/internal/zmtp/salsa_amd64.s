//go:build !purego

#include "textflag.h"

// How many blocks a counter is ahead of the first of a pair's two, and how far
// pairs and rounds of six blocks are apart.
DATA pairOf<>+0(SB)/8, $0
DATA pairOf<>+8(SB)/8, $0
DATA pairOf<>+16(SB)/8, $1
DATA pairOf<>+24(SB)/8, $0
GLOBL pairOf<>(SB), RODATA|NOPTR, $32
DATA two<>+0(SB)/8, $2
DATA two<>+8(SB)/8, $0
DATA two<>+16(SB)/8, $2
DATA two<>+24(SB)/8, $0
GLOBL two<>(SB), RODATA|NOPTR, $32
DATA six<>+0(SB)/8, $6
DATA six<>+8(SB)/8, $0
DATA six<>+16(SB)/8, $6
DATA six<>+24(SB)/8, $0
GLOBL six<>(SB), RODATA|NOPTR, $32

// STEP is z ^= (x + y) <<< l, where r is 32 - l; t and u are spoilt.
#define STEP(x, y, z, t, u, l, r) \
	VPADDD x, y, t  \
	VPSLLD $l, t, u \
	VPSRLD $r, t, t \
	VPXOR  u, z, z  \
	VPXOR  t, z, z

// SHUFFLE turns diagonals of columns into diagonals of rows, or back.
#define SHUFFLE(b, c, d, bi, di) \
	VPSHUFD $bi, b, b   \
	VPSHUFD $0x4e, c, c \
	VPSHUFD $di, d, d

// STEPS is the same step of all three pairs.
#define STEPS(x0, y0, z0, x1, y1, z1, x2, y2, z2, l, r) \
	STEP(x0, y0, z0, Y12, Y13, l, r) \
	STEP(x1, y1, z1, Y14, Y15, l, r) \
	STEP(x2, y2, z2, Y12, Y13, l, r)

// WRITE puts two blocks into order, and what is at off(SI), encrypted, to
// off(DI). a, b, c and d are the diagonals, of which each half is one block's.
#define WRITE(a, b, c, d, ctr, off) \
	VPADDD     baseA-224(SP), a, a    \
	VPADDD     baseB-192(SP), b, b    \
	VPADDD     ctr, c, c              \
	VPADDD     baseD-160(SP), d, d    \
	VPBLENDD   $0xaa, d, a, Y12       \
	VPBLENDD   $0xaa, b, c, Y13       \
	VPBLENDD   $0xaa, a, b, Y14       \
	VPBLENDD   $0xaa, c, d, Y15       \
	VPBLENDD   $0xcc, Y13, Y12, a     \
	VPBLENDD   $0xcc, Y12, Y13, c     \
	VPBLENDD   $0xcc, Y15, Y14, b     \
	VPBLENDD   $0xcc, Y14, Y15, d     \
	VPERM2I128 $0x20, b, a, Y12       \
	VPERM2I128 $0x20, d, c, Y13       \
	VPERM2I128 $0x31, b, a, Y14       \
	VPERM2I128 $0x31, d, c, Y15       \
	VPXOR      (off+0)(SI), Y12, Y12  \
	VPXOR      (off+32)(SI), Y13, Y13 \
	VPXOR      (off+64)(SI), Y14, Y14 \
	VPXOR      (off+96)(SI), Y15, Y15 \
	VMOVDQU    Y12, (off+0)(DI)       \
	VMOVDQU    Y13, (off+32)(DI)      \
	VMOVDQU    Y14, (off+64)(DI)      \
	VMOVDQU    Y15, (off+96)(DI)

// func salsaAVX2(dst, src *byte, n int, diagonals *[16]uint32)
//
// The state is kept as its four diagonals, so that the quarter rounds of all
// columns, or of all rows, are one step each. A register has the same diagonal
// of two blocks, and three pairs of blocks are under way at once.
TEXT ·salsaAVX2(SB), NOSPLIT, $224-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), DX
	MOVQ diagonals+24(FP), AX

	VBROADCASTI128 0(AX), Y0
	VMOVDQU        Y0, baseA-224(SP)
	VBROADCASTI128 16(AX), Y1
	VMOVDQU        Y1, baseB-192(SP)
	VBROADCASTI128 48(AX), Y3
	VMOVDQU        Y3, baseD-160(SP)
	VBROADCASTI128 32(AX), Y2
	VPADDD         pairOf<>(SB), Y2, Y2
	VMOVDQU        Y2, ctr0-128(SP)
	VPADDD         two<>(SB), Y2, Y2
	VMOVDQU        Y2, ctr1-96(SP)
	VPADDD         two<>(SB), Y2, Y2
	VMOVDQU        Y2, ctr2-64(SP)

next:
	VMOVDQU baseA-224(SP), Y0
	VMOVDQU baseB-192(SP), Y1
	VMOVDQU ctr0-128(SP), Y2
	VMOVDQU baseD-160(SP), Y3
	VMOVDQA Y0, Y4
	VMOVDQA Y1, Y5
	VMOVDQU ctr1-96(SP), Y6
	VMOVDQA Y3, Y7
	VMOVDQA Y0, Y8
	VMOVDQA Y1, Y9
	VMOVDQU ctr2-64(SP), Y10
	VMOVDQA Y3, Y11
	MOVQ    $10, CX

round:
	STEPS(Y0, Y3, Y1, Y4, Y7, Y5, Y8, Y11, Y9, 7, 25)
	STEPS(Y1, Y0, Y2, Y5, Y4, Y6, Y9, Y8, Y10, 9, 23)
	STEPS(Y2, Y1, Y3, Y6, Y5, Y7, Y10, Y9, Y11, 13, 19)
	STEPS(Y3, Y2, Y0, Y7, Y6, Y4, Y11, Y10, Y8, 18, 14)
	SHUFFLE(Y1, Y2, Y3, 0x93, 0x39)
	SHUFFLE(Y5, Y6, Y7, 0x93, 0x39)
	SHUFFLE(Y9, Y10, Y11, 0x93, 0x39)
	STEPS(Y0, Y1, Y3, Y4, Y5, Y7, Y8, Y9, Y11, 7, 25)
	STEPS(Y3, Y0, Y2, Y7, Y4, Y6, Y11, Y8, Y10, 9, 23)
	STEPS(Y2, Y3, Y1, Y6, Y7, Y5, Y10, Y11, Y9, 13, 19)
	STEPS(Y1, Y2, Y0, Y5, Y6, Y4, Y9, Y10, Y8, 18, 14)
	SHUFFLE(Y1, Y2, Y3, 0x39, 0x93)
	SHUFFLE(Y5, Y6, Y7, 0x39, 0x93)
	SHUFFLE(Y9, Y10, Y11, 0x39, 0x93)
	DECQ CX
	JNZ  round

	WRITE(Y0, Y1, Y2, Y3, ctr0-128(SP), 0)
	WRITE(Y4, Y5, Y6, Y7, ctr1-96(SP), 128)
	WRITE(Y8, Y9, Y10, Y11, ctr2-64(SP), 256)

	VMOVDQU six<>(SB), Y0
	VPADDD  ctr0-128(SP), Y0, Y1
	VPADDD  ctr1-96(SP), Y0, Y2
	VPADDD  ctr2-64(SP), Y0, Y3
	VMOVDQU Y1, ctr0-128(SP)
	VMOVDQU Y2, ctr1-96(SP)
	VMOVDQU Y3, ctr2-64(SP)
	ADDQ    $384, SI
	ADDQ    $384, DI
	SUBQ    $384, DX
	JNZ     next

	VPXOR   Y0, Y0, Y0
	VMOVDQU Y0, baseB-192(SP) // what the key can be told from
	VMOVDQU Y0, baseD-160(SP)
	VMOVDQU Y0, ctr0-128(SP)
	VMOVDQU Y0, ctr1-96(SP)
	VMOVDQU Y0, ctr2-64(SP)
	VZEROUPPER
	RET
