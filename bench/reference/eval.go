package reference

import (
	"math"

	"github.com/fairlead-go/fairlead/bench/schema/eval"
	"github.com/fairlead-go/fairlead/segment"
)

// expressions asks for the value of a tree of arithmetic.
type expressions struct{ random }

func (p *expressions) restart() { p.random = seeded() }

func (p *expressions) request(msg *segment.Message) uint64 {
	var value int32
	value, p.random = grow(eval.NewRootExpression(msg), 0, p.random)
	return uint64(int64(value))
}

func (p *expressions) respond(request, response *segment.Message) {
	result := eval.NewRootEvaluationResult(response)
	result.SetValue(evaluate(eval.RootExpression(request)))
}

func (p *expressions) accept(response *segment.Message, expected uint64) bool {
	return uint64(int64(eval.RootEvaluationResult(response).Value())) == expected
}

func (p *expressions) digest(h *hash, response *segment.Message) {
	h.number(uint64(int64(eval.RootEvaluationResult(response).Value())))
}

// grow makes a random tree, and gives its value.
func grow(exp eval.ExpressionBuilder, depth uint32, r random) (int32, random) {
	r = r.next()
	op := eval.Operation(r.w % uint32(eval.OperationModulus+1))
	exp.SetOp(op)
	var left, right int32
	r = r.next()
	if r.w%8 < depth {
		r = r.next()
		left = int32(r.w%128 + 1)
		exp.Left().SetValue(left)
	} else {
		left, r = grow(exp.Left().NewExpression(), depth+1, r)
	}
	r = r.next()
	if r.w%8 < depth {
		r = r.next()
		right = int32(r.w%128 + 1)
		exp.Right().SetValue(right)
	} else {
		right, r = grow(exp.Right().NewExpression(), depth+1, r)
	}
	return compute(op, left, right), r
}

func evaluate(exp eval.Expression) int32 {
	var left, right int32
	if l := exp.Left(); l.Which() == eval.ExpressionLeftValue {
		left = l.Value()
	} else {
		left = evaluate(l.Expression())
	}
	if r := exp.Right(); r.Which() == eval.ExpressionRightValue {
		right = r.Value()
	} else {
		right = evaluate(r.Expression())
	}
	return compute(exp.Op(), left, right)
}

// compute is the benchmark's arithmetic, in which what has no value has the
// greatest one. Nothing foretells the operation, so that all five results are
// cheaper than a branch for each.
func compute(op eval.Operation, a, b int32) int32 {
	quotient, rest := int32(math.MaxInt32), int32(math.MaxInt32)
	if b != 0 && (a != math.MinInt32 || b != -1) {
		quotient, rest = a/b, a%b
	}
	results := [8]int32{a + b, a - b, a * b, quotient, rest}
	return results[op&7]
}
