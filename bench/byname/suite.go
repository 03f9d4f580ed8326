// Package byname is the suite "schema": compiling a schema, as a whole process
// beside the capnp tool, and values by name beside generated code.
package byname

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// Suite returns the schema suite.
func Suite() harness.Suite { return harness.Suite{Name: "schema", Open: open} }

func open(ctx context.Context, opt harness.Options) (*harness.Opened, error) {
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return nil, err
	}
	cleanUp := func() error { return os.RemoveAll(dir) }
	var cases []harness.Case
	if opt.WantsCase(compileCase) {
		c, err := compiling(ctx, dir, opt)
		if err != nil {
			return nil, errors.Join(err, cleanUp())
		}
		cases = append(cases, c)
	}
	values, err := values()
	if err != nil {
		return nil, errors.Join(err, cleanUp())
	}
	return &harness.Opened{Cases: append(cases, values...), Notes: notes(ctx), Close: cleanUp}, nil
}

// published are pycapnp's rates of book2, measured by its users on a machine of
// this kind; it is not installed by this program.
const (
	pycapnpBuilds = 137_750
	pycapnpReads  = 68_700
)

func notes(ctx context.Context) []string {
	return []string{
		fmt.Sprintf("%s %s/%s, GOMAXPROCS %d", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0)),
		"capnp-tool: " + toolVersion(ctx),
		compileCase + ": whole processes that read a schema of 10,000 lines and write the request for code generators",
		"dynamic/*: book2 of the encoding suite; floor is the same with generated code",
		fmt.Sprintf("pycapnp is not run here; published: %d builds/s (%d ns) and %d full reads/s (%d ns) of book2",
			pycapnpBuilds, int(1e9)/pycapnpBuilds, pycapnpReads, int(1e9)/pycapnpReads),
	}
}

func sourceFile(dir string) string { return filepath.Join(dir, "large.capnp") }
