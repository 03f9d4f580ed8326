//go:build !purego

#include "textflag.h"

// func Prefetch(b []byte)
TEXT ·Prefetch(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ b_base+0(FP), AX
	MOVQ b_len+8(FP), CX
	PREFETCHT0 (AX)
	PREFETCHT0 -1(AX)(CX*1)
	RET

// The assembler does not know PREFETCHW.

// func PrefetchWrite(b []byte)
TEXT ·PrefetchWrite(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ b_base+0(FP), AX
	MOVQ b_len+8(FP), CX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08 // PREFETCHW (AX)
	LEAQ -1(AX)(CX*1), AX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	RET

// func PrefetchLine(l *Line)
TEXT ·PrefetchLine(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ l+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func PrefetchLineWrite(l *Line)
TEXT ·PrefetchLineWrite(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ l+0(FP), AX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	RET
