package compile

import (
	"io/fs"

	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// Error is a fault of a schema and where it is.
type Error = syntax.Error

// Errors are all faults that were found, sorted by file and place. As an error,
// it has a line for each.
type Errors = syntax.Errors

// The limits of one run. A source that is beyond one of them is an error.
const (
	maxFiles      = 257      // beside the requested ones, that is 256 imports of one file
	maxNodes      = 100_000  // declarations with an id, in all files together
	maxChain      = 256      // aliases and constants that lead from one to the next
	maxValueWords = 4 << 20  // 8-byte words of all values together
	valueWords    = 64       // what counts for a value beside its contents
	maxEmbedBytes = 16 << 20 // of all embedded files together
)

// Aliases and generics can make of a few names types of any size. So that this
// stays in proportion, types may have a few parts for each name in the source:
// freeSteps, and one for each stepBytes of text.
const (
	freeSteps = 1 << 18
	stepBytes = 4
)

// Options says where schemas are found. The zero value reads files of the
// operating system.
type Options struct {
	// ImportPaths are the folders in which an import that starts with a slash is
	// looked for, in this order.
	ImportPaths []string
	// FS is where files are read from, and ImportPaths and names lead into; nil
	// stands for the operating system's files. An import that leaves it is an
	// error.
	FS fs.FS
	// NoStandardImports keeps to ImportPaths. Otherwise what is not found there is
	// looked for in /usr/local/include and /usr/include (unless FS is set), and
	// then among the standard schemas that are built in: /capnp/c++.capnp and
	// its siblings, and /go.capnp.
	NoStandardImports bool
	// SrcPrefixes are folders that are left out at the start of file names in the
	// result. The longest one counts.
	SrcPrefixes []string
	// RandomIDs gives a file that has no id a random one. Otherwise that is an
	// error, for the ids of all that it declares follow from it.
	RandomIDs bool
}
