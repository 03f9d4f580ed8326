// Command inline uses the elements of generic lists as generated code does. A
// test looks at what the compiler inlines here.
package main

import "github.com/fairlead-go/fairlead/segment"

type point segment.Struct

func (p point) x() int32 { return segment.Struct(p).Int32(0) }

type pointBuilder segment.StructBuilder

func (b pointBuilder) setX(v int32) { segment.StructBuilder(b).SetInt32(0, v) }

func (p point) label() []byte { return segment.Struct(p).TextBytes(1) }

func (b pointBuilder) setLabel(v string) { segment.StructBuilder(b).SetText(1, v) }

func (b pointBuilder) newRest(n int) segment.StructsBuilder[pointBuilder] {
	return segment.NewStructsIn[pointBuilder](segment.StructBuilder(b), 2, segment.Size{DataWords: 1, Ptrs: 3}, n)
}

func copyLabel(from point, to pointBuilder) {
	to.newRest(1).At(0).setLabel(string(from.label()))
}

func sum(l segment.Structs[point], n segment.Numbers[int32]) (total int32) {
	for i := range l.Len() {
		total += l.At(i).x()
	}
	for i := range n.Len() {
		total += n.At(i)
	}
	return total
}

func fill(l segment.StructsBuilder[pointBuilder], n segment.NumbersBuilder[int32]) {
	for i := range l.Len() {
		l.At(i).setX(n.At(i))
	}
}

func main() {
	copyLabel(point{}, pointBuilder{})
	fill(segment.StructsBuilder[pointBuilder]{}, segment.NumbersBuilder[int32]{})
	println(sum(segment.Structs[point]{}, segment.Numbers[int32]{}))
}
