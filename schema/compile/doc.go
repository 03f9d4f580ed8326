// Package compile turns the text of Cap'n Proto schemas into nodes: what the
// capnp tool does, in Go and in the process that needs them.
//
//	req, err := compile.Files([]string{"addressbook.capnp"}, compile.Options{})
//	if err != nil {
//		return err // every fault of every file, each with file:line:column
//	}
//	reg := schema.NewRegistry()
//	err = reg.Add(req.Nodes...)
//
// Files come from the operating system or from any fs.FS, so that schemas can
// be part of a program (embed.FS). The standard schemas that others import are
// built in, /go.capnp with the annotations for Go among them.
//
// The nodes are those that the reference compiler makes, bit by bit: ids, the
// places of fields, values, what generics are bound to. Other programs hold
// their end of this, so where the reference compiler has a quirk, so has this
// package. Errors have the words of the reference compiler where it has some.
//
// [Value], [BuildValue] and [BuildStruct] read single values in the form that
// schemas have them.
//
// # How it works
//
// A run goes through the files three times. First each is parsed (package
// syntax) and all its declarations get their ids, so that names can be looked
// up. Then what is needed is shaped: names become types, fields get their
// places (see layout.go), values that are no pointers are evaluated. At last,
// when every type is known, values that are pointers are built.
//
// Nothing of a schema is trusted. Sizes of sources, values and types are
// limited, and so is what a short text may expand to.
package compile
