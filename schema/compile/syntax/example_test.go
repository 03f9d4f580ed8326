package syntax_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

func ExampleParse() {
	src := `@0xd5b5e0c1a4b2f3d1;
struct Point {
  # A place on a plane.
  x @0 :Float64;
  y @1 Float64;
}`
	f, errs := syntax.Parse("point.capnp", []byte(src))
	fmt.Println(errs)
	for _, d := range f.Decls {
		fmt.Printf("%s: %s", d.Name.Text, d.Doc)
		for _, m := range d.Members {
			line, _ := f.Position(m.Name.Span.Start)
			fmt.Printf("line %d: %s\n", line, m.Name.Text)
		}
	}
	// Output:
	// point.capnp:5:8-15: error: Parse error: expected ':', found 'Float64'.
	// Point: A place on a plane.
	// line 4: x
	// line 5: y
}

func ExampleFormat() {
	out, err := syntax.Format("point.capnp", []byte("struct Point{x@0:Float64;# to the right\ny@1:Float64= -1;}"))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(string(out))
	// Output:
	// struct Point {
	//   x @0 :Float64;  # to the right
	//   y @1 :Float64 = -1;
	// }
}

func ExampleValueReader() {
	values := syntax.NewValueReader(strings.NewReader("(x = 1, y = 2)\n(x = 3)  # and so on"))
	for {
		text, err := values.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			break
		}
		f, errs := syntax.ParseValue("stdin", text)
		if err := errs.Err(); err != nil {
			fmt.Println(err)
			continue
		}
		for _, a := range f.Value.Args {
			fmt.Println(values.Offset(), a.Name.Text, a.Value.Bits)
		}
	}
	// Output:
	// 0 x 1
	// 0 y 2
	// 15 x 3
}
