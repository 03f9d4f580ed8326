//go:build !purego

#include "funcdata.h"
#include "textflag.h"

// Limits that sums are compared with, 32 bits a lane: the sum is in the low half
// of each quadword, and the high half is chosen so that it never compares true.
// A sum counts 255 for each zero byte of a word. In a group it is 16 times the
// sum of a word and once that of the word behind it.
DATA rawStart<>+0(SB)/8, $0x0000000000000100 // sum < 256: no zero byte, then at most one
GLOBL rawStart<>(SB), RODATA|NOPTR, $8
DATA zeroStart<>+0(SB)/8, $0x0000000100008778 // sum = 255·(16·8 + 8): two zero words
GLOBL zeroStart<>(SB), RODATA|NOPTR, $8
DATA rawLimit<>+0(SB)/8, $0x7fffffff000000ff // sum > 255: more than one zero byte
GLOBL rawLimit<>(SB), RODATA|NOPTR, $8

// EMIT packs the word at off(SI). Its tag is the low byte of AX; R10 points to
// byteMasks, R11 to packedSizes.
#define EMIT(off) \
	MOVBLZX AL, CX                 \
	MOVQ    off(SI), BX            \
	SHRL    $8, AX                 \
	PEXTQ   (R10)(CX*8), BX, BX    \
	MOVB    CX, (DI)               \
	MOVQ    BX, 1(DI)              \
	MOVB    $0, 9(DI)              \
	MOVBLZX (R11)(CX*1), CX        \
	ADDQ    CX, DI

// NONZERO sets t to 0x80 in each byte where w is not zero; R12 is low7, R13 is
// high1.
#define NONZERO(w, t) \
	MOVQ w, t   \
	ANDQ R12, t \
	ADDQ R12, t \
	ORQ  w, t   \
	ANDQ R13, t

// func packBMI2(dst, src *byte, n, soft int) (nd, ns int)
TEXT ·packBMI2(SB), NOSPLIT, $0-48
	MOVQ         dst+0(FP), DI
	MOVQ         src+8(FP), SI
	MOVQ         n+16(FP), DX
	MOVQ         soft+24(FP), R8
	ADDQ         SI, DX      // end of the input
	ADDQ         SI, R8      // start no word here or later
	LEAQ         -40(DX), R9 // last start of a group
	LEAQ         ·byteMasks(SB), R10
	LEAQ         ·packedSizes(SB), R11
	MOVQ         $0x7f7f7f7f7f7f7f7f, R12
	MOVQ         $0x8080808080808080, R13
	VPXOR        Y15, Y15, Y15
	VPBROADCASTQ rawStart<>(SB), Y14
	VPBROADCASTQ zeroStart<>(SB), Y13
	VPBROADCASTQ rawLimit<>(SB), Y12

	// Groups of four words in which no run begins. Sums of zero bytes of each
	// word and of the one behind it, side by side in one number, tell both
	// kinds of run.
group:
	CMPQ      SI, R9
	JA        word
	CMPQ      SI, R8
	JAE       done
	VPCMPEQB  (SI), Y15, Y0
	VPCMPEQB  8(SI), Y15, Y1
	VPMOVMSKB Y0, AX
	VPSADBW   Y15, Y0, Y0
	VPSADBW   Y15, Y1, Y1
	VPSLLQ    $4, Y0, Y0
	VPADDD    Y1, Y0, Y0
	VPCMPGTD  Y0, Y14, Y1
	VPCMPEQD  Y0, Y13, Y0
	VPOR      Y0, Y1, Y0
	NOTL      AX
	VPTEST    Y0, Y0
	JNE       word
	EMIT(0)
	EMIT(8)
	EMIT(16)
	EMIT(24)
	ADDQ $32, SI
	JMP  group

	// One word at a time, until a run has been packed.
word:
	CMPQ SI, R8
	JAE  done
	MOVQ (SI), BX
	NONZERO(BX, AX)
wordNext:
	PEXTQ   R13, AX, CX
	MOVQ    AX, R14
	SHRQ    $7, R14
	MOVQ    AX, R15
	SUBQ    R14, R15
	ORQ     AX, R15
	PEXTQ   R15, BX, R15
	MOVB    CX, (DI)
	MOVQ    R15, 1(DI)
	MOVB    $0, 9(DI)
	MOVBLZX (R11)(CX*1), CX
	ADDQ    CX, DI
	ADDQ    $8, SI
	CMPQ    SI, DX
	JAE     done
	MOVQ    BX, R15
	MOVQ    AX, CX
	MOVQ    (SI), BX
	ORQ     BX, R15
	JEQ     zeros
	NONZERO(BX, AX)

	// Both words have at most one zero byte, and the first has none?
	XORQ R13, CX
	MOVQ AX, R14
	XORQ R13, R14
	LEAQ -1(R14), R15
	ANDQ R14, R15
	ORQ  R15, CX
	JEQ  raw
	CMPQ SI, R8
	JB   wordNext
	JMP  done

	// A run of zero words begins at SI; its count byte is behind DI.
zeros:
	LEAQ    2040(SI), CX
	CMPQ    CX, DX
	CMOVQHI DX, CX // end of the run, at most
	MOVQ    SI, R14
	LEAQ    -32(CX), R15
zeros4:
	CMPQ    SI, R15
	JA      zeros1
	VMOVDQU (SI), Y0
	VPTEST  Y0, Y0
	JNE     zeros1
	ADDQ    $32, SI
	JMP     zeros4
zeros1:
	CMPQ SI, CX
	JAE  zerosEnd
	CMPQ (SI), $0
	JNE  zerosEnd
	ADDQ $8, SI
	JMP  zeros1
zerosEnd:
	MOVQ SI, CX
	SUBQ R14, CX
	SHRQ $3, CX
	MOVB CX, -1(DI)
	CMPQ SI, DX
	JB   group
	JMP  done

	// A run of raw words begins at SI; its count byte is behind DI.
raw:
	LEAQ    2040(SI), CX
	CMPQ    CX, DX
	CMOVQHI DX, CX
	MOVQ    SI, R14
	MOVQ    DI, BX
	LEAQ    -32(CX), R15
raw4:
	CMPQ      SI, R15
	JA        raw1
	VMOVDQU   (SI), Y0
	VPCMPEQB  Y0, Y15, Y1
	VMOVDQU   Y0, (DI)
	VPSADBW   Y15, Y1, Y1
	VPCMPGTD  Y12, Y1, Y1
	VPMOVMSKB Y1, AX
	TESTL     AX, AX
	JNE       raw4End
	ADDQ      $32, SI
	ADDQ      $32, DI
	JMP       raw4
raw4End:
	BSFL AX, AX // the bit number is the byte offset of the word
	ADDQ AX, SI
	ADDQ AX, DI
	JMP  rawEnd
raw1:
	CMPQ SI, CX
	JAE  rawEnd
	MOVQ (SI), R15
	NONZERO(R15, AX)
	XORQ  R13, AX
	MOVQ  R15, (DI)
	LEAQ  -1(AX), R15
	TESTQ AX, R15
	JNE   rawEnd
	ADDQ  $8, SI
	ADDQ  $8, DI
	JMP   raw1
rawEnd:
	MOVQ SI, CX
	SUBQ R14, CX
	SHRQ $3, CX
	MOVB CX, -1(BX)
	CMPQ SI, DX
	JB   group

done:
	VZEROUPPER
	SUBQ       dst+0(FP), DI
	MOVQ       DI, nd+32(FP)
	SUBQ       src+8(FP), SI
	MOVQ       SI, ns+40(FP)
	RET

// The numbers from 0 to 63, a byte each.
DATA iota<>+0(SB)/8, $0x0706050403020100
DATA iota<>+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA iota<>+16(SB)/8, $0x1716151413121110
DATA iota<>+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA iota<>+32(SB)/8, $0x2726252423222120
DATA iota<>+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA iota<>+48(SB)/8, $0x3736353433323130
DATA iota<>+56(SB)/8, $0x3f3e3d3c3b3a3938
GLOBL iota<>(SB), RODATA|NOPTR, $64

// LENGTHS tells for each of the 64 bytes at off(SI)(BX) how far behind it the
// next tag is, should it be a tag; 0x80 more says that a run follows. Z28 is
// iota, Z29 is 80, Z30 is 01 and Z31 is ff in each byte.
#define LENGTHS(off, len) \
	VMOVDQU8  off(SI)(BX*1), Z1       \
	VMOVDQU8  (off+9)(SI)(BX*1), Z2   \
	VPOPCNTB  Z1, len                 \
	VPTESTNMB Z1, Z1, K1              \
	VPCMPEQB  Z31, Z1, K2             \
	VMOVDQU8  (off+1)(SI)(BX*1), K1, Z2 \
	KORQ      K1, K2, K2              \
	VPTESTMB  Z2, Z2, K2, K3          \
	VPADDB    Z30, len, len           \
	VPADDB    Z30, len, K2, len       \
	VPADDB    Z29, len, K3, len

// TWICE makes jumps over twice as many words, for 64 bytes, from the jumps of
// these and of the 64 bytes behind them.
#define TWICE(jump, behind, twice) \
	VPADDB   jump, Z28, twice      \
	VPERMI2B behind, jump, twice   \
	VPADDUSB jump, twice, twice

// Tables of jumps, at R15: over one word, for 640 bytes from SI on, over two, for
// 576, and over four, for 512.
#define JUMP1 0
#define JUMP2 640
#define JUMP4 1216
#define JUMPS 512
#define READS 704 // no more than these are read for one set of tables

// EXPAND unpacks the word whose tag is at(SI). It needs AX.
#define EXPAND(at, off) \
	MOVBLZX (SI)(at*1), AX         \
	MOVQ    1(SI)(at*1), at        \
	PDEPQ   (R10)(AX*8), at, at    \
	MOVQ    at, off(DI)

// func unpackBMI2(dst, src *byte, dn, sn, narrow int) (nd, ns, run int)
//
// SI points behind the current tag, which is in AX. The next tag is taken from
// the eight bytes that are in a register anyway, rather than loaded: the way
// from one tag to the next is what the loop waits for. That is also why tags
// 00 and ff are told apart by branches: a prediction shortens the way.
//
// After the first narrow words it goes on with tables of jumps, which need
// AVX-512, unless narrow is 0.
TEXT ·unpackBMI2(SB), 0, $1792-64
	NO_LOCAL_POINTERS
	MOVQ    dst+0(FP), DI
	MOVQ    src+8(FP), SI
	MOVQ    dn+16(FP), R9
	MOVQ    sn+24(FP), R8
	MOVQ    narrow+32(FP), R15
	LEAQ    -10(SI)(R8*1), R8 // last SI with a word, a count and a tag in front
	LEAQ    -8(DI)(R9*1), R9  // last place for a word
	LEAQ    -22(R8), R13      // last SI, behind a raw run's next tag, with 4 words and a tag in front
	LEAQ    -24(R9), R14      // last place for 4 words
	LEAQ    ·byteMasks(SB), R10
	MOVBLZX (SI), AX
	INCQ    SI
	VPXOR   Y0, Y0, Y0

word:
	CMPQ    SI, R8
	JA      full
	CMPQ    DI, R9
	JA      full
	DECQ    R15
	JEQ     wide
	MOVQ    (SI), BX
	POPCNTL AX, CX
	PDEPQ   (R10)(AX*8), BX, DX
	LEAL    1(AX), R11
	MOVQ    DX, (DI)
	ADDQ    $8, DI
	TESTB   $0xfe, R11
	JEQ     special
	LEAQ    1(SI)(CX*1), SI
	SHLL    $3, CX
	SHRXQ   CX, BX, BX
	MOVBLZX BX, AX
	JMP     word

	// Tag 00 or ff: take the count, and go on with the tag behind it if the
	// count is 0.
special:
	TESTL   AX, AX
	JNE     raw
	MOVBLZX BX, CX
	TESTL   CX, CX
	JNE     zeros
	MOVBLZX 1(SI), AX
	ADDQ    $2, SI
	JMP     word

raw:
	MOVBLZX 8(SI), CX
	TESTL   CX, CX
	JNE     rawRun
	MOVBLZX 9(SI), AX
	ADDQ    $10, SI
	JMP     word

	// CX zero words are to follow. They are stored here, in steps of 32 bytes,
	// if there is room for what the last step stores too much.
zeros:
	INCQ SI
	LEAQ (DI)(CX*8), R12
	LEAQ -8(R12), R11 // the last step stores 24 bytes too many at most
	CMPQ R11, R14
	JA   zerosOut
zeros4:
	VMOVDQU Y0, (DI)
	ADDQ    $32, DI
	CMPQ    DI, R12
	JB      zeros4
	MOVQ    R12, DI
	MOVBLZX (SI), AX
	INCQ    SI
	JMP     word
zerosOut:
	MOVQ CX, AX
	JMP  end

	// CX raw words are to follow. Up to four are copied here if both sides
	// have room for four; longer copies are left to the caller.
rawRun:
	ADDQ    $10, SI
	CMPL    CX, $4
	JA      rawOut
	CMPQ    DI, R14
	JA      rawOut
	CMPQ    SI, R13
	JA      rawOut
	VMOVDQU -1(SI), Y1
	VMOVDQU Y1, (DI)
	LEAQ    (DI)(CX*8), DI
	LEAQ    (SI)(CX*8), SI
	MOVBLZX -1(SI), AX
	JMP     word
rawOut:
	DECQ SI
	MOVQ CX, AX
	NEGQ AX
	JMP  end

	// No room: the tag in AX is not used.
full:
	DECQ SI
	XORL AX, AX

end:
	VZEROUPPER
	SUBQ       dst+0(FP), DI
	MOVQ       DI, nd+40(FP)
	SUBQ       src+8(FP), SI
	MOVQ       SI, ns+48(FP)
	MOVQ       AX, run+56(FP)
	RET

	// From here on SI points to the first byte that there are tables for, and R11
	// is where the current tag is, from there. What a byte would lead to if it were
	// a tag does not depend on the tags in front of it, and so the tables are made
	// without waiting; then four words cost one step of the way from tag to tag.
	//
	// If the source changes, tags may not fit the tables any more. The tables keep
	// R11 in bounds, and room for four words is looked for again and again.
wide:
	DECQ         SI
	LEAQ         63(SP), R15
	ANDQ         $~63, R15
	XORL         R11, R11
	VMOVDQU8     iota<>(SB), Z28
	MOVL         $0x80, AX
	VPBROADCASTB AX, Z29
	MOVL         $1, AX
	VPBROADCASTB AX, Z30
	VPTERNLOGD   $0xff, Z31, Z31, Z31

tables:
	ADDQ    R11, SI
	LEAQ    (READS-10)(SI), AX
	CMPQ    AX, R8
	JA      narrow
	CMPQ    DI, R14
	JA      narrow
	XORL    R11, R11
	XORL    BX, BX
	LENGTHS(0, Z4)
	LENGTHS(64, Z5)
	VMOVDQU8 Z4, JUMP1(R15)
	VMOVDQU8 Z5, (JUMP1+64)(R15)
	TWICE(Z4, Z5, Z7)
	VMOVDQU8 Z7, JUMP2(R15)
tables64:
	LENGTHS(128, Z6)
	VMOVDQU8 Z6, (JUMP1+128)(R15)(BX*1)
	TWICE(Z5, Z6, Z8)
	VMOVDQU8 Z8, (JUMP2+64)(R15)(BX*1)
	TWICE(Z7, Z8, Z9)
	VMOVDQU8 Z9, JUMP4(R15)(BX*1)
	VMOVDQA64 Z6, Z5
	VMOVDQA64 Z8, Z7
	ADDQ     $64, BX
	CMPQ     BX, $JUMPS
	JB       tables64

four:
	CMPQ    R11, $JUMPS
	JAE     tables
	CMPQ    DI, R14
	JA      leave
	MOVBLZX JUMP4(R15)(R11*1), DX
	TESTL   $0x80, DX
	JNE     single
	MOVBLZX JUMP1(R15)(R11*1), CX
	MOVBLZX JUMP2(R15)(R11*1), BX
	ADDQ    R11, DX
	ADDQ    R11, CX
	ADDQ    R11, BX
	MOVBLZX JUMP1(R15)(BX*1), R12
	ADDQ    BX, R12
	EXPAND(R11, 0)
	EXPAND(CX, 8)
	EXPAND(BX, 16)
	EXPAND(R12, 24)
	MOVQ    DX, R11
	ADDQ    $32, DI
	JMP     four

	// One of the next four words is followed by a run, and there is room for four.
single:
	MOVBLZX (SI)(R11*1), AX
	MOVQ    1(SI)(R11*1), BX
	MOVBLZX JUMP1(R15)(R11*1), CX
	PDEPQ   (R10)(AX*8), BX, DX
	MOVQ    DX, (DI)
	ADDQ    $8, DI
	TESTL   $0x80, CX
	JNE     run
	ADDQ    CX, R11
	JMP     single

run:
	TESTL   AX, AX
	JNE     wideRaw
	MOVBLZX BX, CX
	ADDQ    $2, R11
	TESTL   CX, CX
	JEQ     four // the source has changed
	LEAQ    (DI)(CX*8), R12
	LEAQ    -8(R12), AX // as above
	CMPQ    AX, R14
	JA      wideZerosOut
wideZeros4:
	VMOVDQU Y0, (DI)
	ADDQ    $32, DI
	CMPQ    DI, R12
	JB      wideZeros4
	MOVQ    R12, DI
	JMP     four
wideZerosOut:
	MOVQ CX, AX
	ADDQ R11, SI
	JMP  end

wideRaw:
	MOVBLZX 9(SI)(R11*1), CX
	ADDQ    $10, R11
	CMPL    CX, $4
	JA      wideRawOut
	CMPQ    DI, R14
	JA      wideRawOut
	VMOVDQU (SI)(R11*1), Y1
	VMOVDQU Y1, (DI)
	LEAQ    (DI)(CX*8), DI
	LEAQ    (R11)(CX*8), R11
	JMP     four
wideRawOut:
	MOVQ CX, AX
	NEGQ AX
	ADDQ R11, SI
	JMP  end

	// Near the end of either side the rest goes word by word.
leave:
	ADDQ R11, SI
narrow:
	MOVQ    $-1, R15
	MOVBLZX (SI), AX
	INCQ    SI
	JMP     word

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL  leaf+0(FP), AX
	MOVL  sub+4(FP), CX
	CPUID
	MOVL  AX, a+8(FP)
	MOVL  BX, b+12(FP)
	MOVL  CX, c+16(FP)
	MOVL  DX, d+20(FP)
	RET

// func xgetbv0() uint32
TEXT ·xgetbv0(SB), NOSPLIT, $0-4
	XORL   CX, CX
	XGETBV
	MOVL   AX, ret+0(FP)
	RET
