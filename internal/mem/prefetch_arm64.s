//go:build !purego

#include "textflag.h"

// func Prefetch(b []byte)
TEXT ·Prefetch(SB), NOSPLIT|NOFRAME, $0-24
	MOVD b_base+0(FP), R0
	MOVD b_len+8(FP), R1
	ADD R0, R1
	SUB $1, R1
	PRFM (R0), PLDL1KEEP
	PRFM (R1), PLDL1KEEP
	RET

// func PrefetchWrite(b []byte)
TEXT ·PrefetchWrite(SB), NOSPLIT|NOFRAME, $0-24
	MOVD b_base+0(FP), R0
	MOVD b_len+8(FP), R1
	ADD R0, R1
	SUB $1, R1
	PRFM (R0), PSTL1KEEP
	PRFM (R1), PSTL1KEEP
	RET

// func PrefetchLine(l *Line)
TEXT ·PrefetchLine(SB), NOSPLIT|NOFRAME, $0-8
	MOVD l+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// func PrefetchLineWrite(l *Line)
TEXT ·PrefetchLineWrite(SB), NOSPLIT|NOFRAME, $0-8
	MOVD l+0(FP), R0
	PRFM (R0), PSTL1KEEP
	RET
