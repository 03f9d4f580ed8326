package reference

import (
	"math"
	"slices"

	"github.com/fairlead-go/fairlead/bench/schema/carsales"
	"github.com/fairlead-go/fairlead/bench/schema/eval"
)

// plainProgram is a program whose requests and answers are plain Go values,
// used again: what it takes is not the messages' but the program's own. It is
// also the model that the others are checked against.
type plainProgram interface {
	restart()
	// iterate asks and answers once, and gives what was expected.
	iterate() (expected uint64, ok bool)
	// digest hashes the last answer as program.digest does.
	digest(h *hash)
}

func passPlain(p plainProgram, n int, probe *probe) error {
	for range n {
		expected, ok := p.iterate()
		if !ok {
			return errAnswer
		}
		if probe != nil && probe.hashing {
			probe.values.number(expected)
			p.digest(&probe.values)
		}
	}
	return nil
}

type plainWheel struct {
	diameter    uint16
	airPressure float32
	snowTires   bool
}

type plainCar struct {
	make, model                 string
	color                       carsales.Color
	seats, doors                uint8
	wheels                      [4]plainWheel
	length, width, height       uint16
	weight                      uint32
	horsepower                  uint16
	cylinders                   uint8
	cc                          uint32
	usesGas, usesElectric       bool
	fuelCapacity, fuelLevel     float32
	powerWindows, powerSteering bool
	cruiseControl, navSystem    bool
	cupHolders                  uint8
}

type plainCarSales struct {
	random
	cars  [200]plainCar
	total uint64
}

func (p *plainCarSales) restart() { p.random = seeded() }

func (p *plainCarSales) iterate() (uint64, bool) {
	r := p.next()
	cars := p.cars[:r.w%200]
	var expected uint64
	for i := range cars {
		r = cars[i].fill(r)
		expected += cars[i].worth()
	}
	p.random = r
	p.total = 0
	for i := range cars {
		p.total += cars[i].worth()
	}
	return expected, p.total == expected
}

func (p *plainCarSales) digest(h *hash) { h.number(p.total) }

func (c *plainCar) fill(r random) random {
	r = r.next()
	c.make = makes[r.w%uint32(len(makes))]
	r = r.next()
	c.model = models[r.w%uint32(len(models))]
	r = r.next()
	c.color = carsales.Color(r.w % uint32(carsales.ColorSilver+1))
	r = r.next()
	c.seats = uint8(2 + r.w%6)
	r = r.next()
	c.doors = uint8(2 + r.w%3)
	for i := range c.wheels {
		wheel := &c.wheels[i]
		r = r.next()
		wheel.diameter = uint16(25 + r.w%15)
		r = r.next()
		wheel.airPressure = float32(30 + r.real(20))
		r = r.next()
		wheel.snowTires = r.w%16 == 0
	}
	r = r.next()
	c.length = uint16(170 + r.w%150)
	r = r.next()
	c.width = uint16(48 + r.w%36)
	r = r.next()
	c.height = uint16(54 + r.w%48)
	c.weight = uint32(c.length) * uint32(c.width) * uint32(c.height) / 200
	r = r.next()
	c.horsepower = uint16(100 * (r.w % 400))
	r = r.next()
	c.cylinders = uint8(4 + 2*(r.w%3))
	r = r.next()
	c.cc = 800 + r.w%10000
	c.usesGas = true
	r = r.next()
	c.usesElectric = r.w%2 != 0
	r = r.next()
	c.fuelCapacity = float32(10 + r.real(30))
	r = r.next()
	c.fuelLevel = float32(r.real(float64(c.fuelCapacity)))
	r = r.next()
	c.powerWindows = r.w%2 != 0
	r = r.next()
	c.powerSteering = r.w%2 != 0
	r = r.next()
	c.cruiseControl = r.w%2 != 0
	r = r.next()
	c.cupHolders = uint8(r.w % 12)
	r = r.next()
	c.navSystem = r.w%2 != 0
	return r
}

func (c *plainCar) worth() uint64 {
	sum := uint64(c.seats)*200 + uint64(c.doors)*350
	for i := range c.wheels {
		diameter := uint64(c.wheels[i].diameter)
		sum += diameter*diameter + one(c.wheels[i].snowTires)*100
	}
	sum += uint64(c.length) * uint64(c.width) * uint64(c.height) / 50
	sum += uint64(c.horsepower)*40 + one(c.usesElectric)*(3000+one(c.usesGas)*2000)
	sum += one(c.powerWindows)*100 + one(c.powerSteering)*200 + one(c.cruiseControl)*400 + one(c.navSystem)*2000
	return sum + uint64(c.cupHolders)*25
}

type plainResult struct {
	url, snippet []byte
	score        float64
}

func (to *plainResult) set(score float64, url, snippet []byte) {
	to.score = score
	to.url = append(to.url[:0], url...)
	to.snippet = append(to.snippet[:0], snippet...)
}

type plainRanking struct {
	random
	order
	scratch           [snippetRoom]byte
	requests, answers [1000]plainResult
}

func (p *plainRanking) restart() { p.random = seeded() }

func (p *plainRanking) iterate() (uint64, bool) {
	r := p.next()
	requests := p.requests[:r.w%1000]
	var expected uint64
	for i := range requests {
		result := &requests[i]
		r = r.next()
		result.url = append(result.url[:0], urlPrefix...)
		result.url = slices.Grow(result.url, 99)[:len(urlPrefix)+int(r.w%100)]
		r = letters(result.url[len(urlPrefix):], r)
		var snippet []byte
		var cat, dog bool
		snippet, cat, dog, r = sentence(&p.scratch, r)
		if cat && !dog {
			expected++
		}
		result.score = float64(1000 - i)
		result.snippet = append(result.snippet[:0], snippet...)
	}
	p.random = r
	p.reset(len(requests))
	for i := range requests {
		p.add(rescore(requests[i].score, requests[i].snippet))
	}
	p.sort()
	for i := range requests {
		index := p.index(i)
		p.answers[i].set(p.scores[index], requests[index].url, requests[index].snippet)
	}
	var good uint64
	for good < uint64(len(p.ranks)) && p.answers[good].score > 1001 {
		good++
	}
	return expected, good == expected
}

func (p *plainRanking) digest(h *hash) {
	h.number(uint64(len(p.ranks)))
	for i := range p.ranks {
		h.number(math.Float64bits(p.answers[i].score))
		h.text(p.answers[i].url)
		h.text(p.answers[i].snippet)
	}
}

type plainExpression struct {
	op          eval.Operation
	left, right plainOperand
}

type plainOperand struct {
	expression *plainExpression // nil for a value
	value      int32
}

type plainExpressions struct {
	random
	nodes  []plainExpression // a node is never moved while it is in use
	used   int
	answer int32
}

func (p *plainExpressions) restart() { p.random = seeded() }

func (p *plainExpressions) iterate() (uint64, bool) {
	p.used = 0
	root, expected := p.grow(0)
	p.answer = root.evaluate()
	return uint64(int64(expected)), p.answer == expected
}

func (p *plainExpressions) digest(h *hash) { h.number(uint64(int64(p.answer))) }

// node gives an expression to be overwritten.
func (p *plainExpressions) node() *plainExpression {
	if p.used == len(p.nodes) {
		p.nodes = make([]plainExpression, 2*len(p.nodes)+64)
		p.used = 0
	}
	p.used++
	return &p.nodes[p.used-1]
}

func (p *plainExpressions) grow(depth uint32) (*plainExpression, int32) {
	e := p.node()
	p.random = p.next()
	e.op = eval.Operation(p.w % uint32(eval.OperationModulus+1))
	left := p.operand(&e.left, depth)
	right := p.operand(&e.right, depth)
	return e, compute(e.op, left, right)
}

func (p *plainExpressions) operand(o *plainOperand, depth uint32) (value int32) {
	p.random = p.next()
	if p.w%8 >= depth {
		o.expression, value = p.grow(depth + 1)
		return value
	}
	p.random = p.next()
	o.expression, o.value = nil, int32(p.w%128+1)
	return o.value
}

func (e *plainExpression) evaluate() int32 {
	return compute(e.op, e.left.get(), e.right.get())
}

func (o *plainOperand) get() int32 {
	if o.expression != nil {
		return o.expression.evaluate()
	}
	return o.value
}
