// Package schema has the shapes of the benchmark messages in the languages of
// all contestants, and the code generated from them in its subfolders.
package schema

import _ "embed" // the C++ contestant compiles the schema at run time

//go:generate sh generate.sh
//go:generate go -C ../.. run ./cmd/fairlead gen --package fairleadgen -o bench/schema/fairleadgen/bench.capnp.go bench/schema/bench.capnp
//go:generate go -C ../.. run ./cmd/fairlead gen -o bench/schema/carsales/carsales.capnp.go bench/schema/carsales.capnp
//go:generate go -C ../.. run ./cmd/fairlead gen -o bench/schema/catrank/catrank.capnp.go bench/schema/catrank.capnp
//go:generate go -C ../.. run ./cmd/fairlead gen -o bench/schema/eval/eval.capnp.go bench/schema/eval.capnp

// Capnp is the source of bench.capnp.
//
//go:embed bench.capnp
var Capnp []byte

// The sources of the reference suite's schemas.
var (
	//go:embed carsales.capnp
	CarSales []byte
	//go:embed catrank.capnp
	CatRank []byte
	//go:embed eval.capnp
	Eval []byte
)
