package codegen_test

import (
	"fmt"
	"strings"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/schema/compile"
)

func ExampleGenerate() {
	req, err := compile.Source("point.capnp", []byte(`@0xc4c3f0a5b1d2e396;
struct Point {
  x @0 :Float64;
  # To the right.
}`), compile.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	src, err := codegen.Generate(req, req.Files[0].ID, codegen.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, field, _ := strings.Cut(string(src), "\n\n// X ")
	field, _, _ = strings.Cut(field, "\n\n")
	fmt.Println("// X " + field)
	// Output:
	// // X is the field x @0.
	// // To the right.
	// func (s Point) X() float64            { return segment.Struct(s).Float64(0) }
	// func (s PointBuilder) SetX(v float64) { segment.StructBuilder(s).SetFloat64(0, v) }
}
