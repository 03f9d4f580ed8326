package encoding

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/bench/cpp"
	"github.com/fairlead-go/fairlead/bench/harness"
)

// ChildArgument is the one argument that makes this program serve its own
// contestants to a parent, which is another build of the same program.
const ChildArgument = "child-encoding"

const modulePath = "github.com/fairlead-go/fairlead/bench"

// ServeChild carries out a parent's commands until in ends.
func ServeChild(in io.Reader, out io.Writer) error {
	cases, err := localCases(func(who string) bool { return strings.HasPrefix(who, harness.Base) })
	if err != nil {
		return err
	}
	return harness.Serve(in, out, runtime.Version(), cases)
}

// seat is a contestant of a child process under the name that it has there.
type seat struct {
	who, as string
	actions []string // the actions that it takes part in, nil for all
}

func (s seat) joins(action string) bool {
	return s.actions == nil || slices.Contains(s.actions, action)
}

// twin is another build of Fairlead that takes part in the same run.
type twin struct {
	tags  string // build tags
	seats []seat
}

// cppSeats are the C++ process's contestants. The one that keeps its root is
// the measure; the other has a receiver's cost of making a reader for each
// message, and exists for reading and unpacking only.
var cppSeats = []seat{
	{who: "capnp-c++", as: "held"},
	{who: "capnp-c++-new", as: "new", actions: []string{"read", "unpack"}},
}

// wanted tells whether the options select any of the seats.
func wanted(seats []seat, opt harness.Options) bool {
	return slices.ContainsFunc(seats, func(s seat) bool { return opt.WantsWho(s.who) })
}

// process is a child, or the reason why there is none.
type process struct {
	child   *harness.Child
	version string
	missing string
}

func startProcess(cmd *exec.Cmd) (process, error) {
	child, err := harness.StartChild(cmd)
	if err != nil {
		return process{}, err
	}
	version, err := child.Version()
	if err != nil {
		return process{}, errors.Join(err, child.Close())
	}
	return process{child: child, version: version}, nil
}

func startCPP(ctx context.Context) (process, error) {
	program, err := cpp.Encoding(ctx)
	switch {
	case errors.Is(err, cpp.ErrMissing):
		return process{missing: err.Error()}, nil
	case err != nil:
		return process{}, err
	}
	return startProcess(exec.Command(program))
}

// startTwin builds this program with the twin's tags and starts it. It needs
// the go command and the module's sources, that is to be run with `go run .`
// or from the module's folder.
func startTwin(ctx context.Context, t twin) (process, error) {
	dir, why := moduleDir(ctx)
	if why != "" {
		return process{missing: why}, nil
	}
	cache, err := harness.CacheDir()
	if err != nil {
		return process{}, err
	}
	// Another run may be starting the same program, so that it must not be
	// overwritten in place; go's own build cache makes this fast.
	build, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return process{}, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(build)
	program := filepath.Join(build, "twin")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", t.tags, "-o", program, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return process{}, fmt.Errorf("bench: build with -tags %s: %w: %s", t.tags, err, strings.TrimSpace(string(out)))
	}
	return startProcess(exec.Command(program, ChildArgument))
}

// moduleDir finds this module's folder, or says why it cannot.
func moduleDir(ctx context.Context) (dir, why string) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", "the go command, which builds it, is not installed"
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", modulePath).Output()
	if err != nil {
		return "", "the folder of the module " + modulePath + ", from which it is built, is not the working directory"
	}
	return strings.TrimSpace(string(out)), ""
}
