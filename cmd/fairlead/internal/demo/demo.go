package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/tree"
)

const (
	// DefaultWindow is how many files are under way at once.
	DefaultWindow = 32
	maxWindow     = 1 << 10
)

// Options says what to send, and how to report it.
type Options struct {
	// Dir is the tree. Default: the sources of the Go standard library.
	Dir string
	// Only names the transports to run over. Default: all.
	Only []string
	// JSON prints one object a transport instead of the tables.
	JSON bool
	// MaxFileBytes is the size above which a file is skipped. Default, and at
	// most, [tree.MaxFileBytes].
	MaxFileBytes int64
	// Window is how many files are under way at once, at most 1,024. Each holds
	// an open file. Default [DefaultWindow].
	Window int
	// Worker is the command that runs [Worker], to which the transport and a
	// folder are added.
	Worker []string
	// Progress is where a progress bar is drawn, nil for none.
	Progress io.Writer

	progress *atomic.Int64
}

func (o *Options) check() error {
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.Window < 1 || o.Window > maxWindow {
		return fmt.Errorf("demo: a window of %d files, want 1 to %d", o.Window, maxWindow)
	}
	if o.MaxFileBytes < 0 || o.MaxFileBytes > tree.MaxFileBytes {
		return fmt.Errorf("demo: a largest file of %d bytes, want 1 to %d", o.MaxFileBytes, tree.MaxFileBytes)
	}
	for _, name := range o.Only {
		if _, err := transportNamed(name); err != nil {
			return err
		}
	}
	if len(o.Worker) == 0 {
		return errors.New("demo: no command for the worker")
	}
	if o.Dir == "" {
		dir, err := standardLibrary()
		if err != nil {
			return err
		}
		o.Dir = dir
	}
	return nil
}

// standardLibrary finds the sources that come with the Go installation.
func standardLibrary() (string, error) {
	root := os.Getenv("GOROOT")
	if root == "" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("demo: the go command does not tell where the standard library is, so name a folder: %w", err)
		}
		root = strings.TrimSpace(string(out))
	}
	return filepath.Join(root, "src"), nil
}

// Run sends the tree over each transport and prints the report to out. Files
// that cannot be sent are part of the report. A file that arrived other than it
// was sent, or a transport that fails, is an error, which comes after the report
// of the others.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	list, err := tree.List(ctx, o.Dir)
	if err != nil {
		return err
	}
	var results []*Result
	var faults []error
	for _, t := range Transports {
		if len(o.Only) > 0 && !slices.Contains(o.Only, t.Name) {
			continue
		}
		r, err := runTransport(ctx, t, list, o)
		if ctx.Err() != nil {
			return context.Cause(ctx) // whatever else went wrong went wrong with it
		}
		if err != nil {
			faults = append(faults, err)
		}
		if r == nil {
			continue
		}
		results = append(results, r)
		if o.JSON {
			if err := writeJSON(out, r); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
	}
	if !o.JSON {
		fmt.Fprintf(out, "%s\n\n", printable(list.Root))
		if err := writeTable(out, results); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return errors.Join(faults...)
}

// runTransport starts workers of its own for each transport. The result may
// come with an error, which then tells of files that differ.
func runTransport(ctx context.Context, t Transport, list *tree.Listing, o Options) (*Result, error) {
	workers, err := startChildren(ctx, t, o.Worker)
	if err != nil {
		return nil, err
	}
	o.progress = new(atomic.Int64)
	stop := showProgress(o.Progress, t.Name, len(list.Files), o.progress)
	p := newProducer(t, workers.addrs(), workers[0].token, list, o)
	for _, s := range list.Skips {
		p.result.skip(s.Path, s.Reason)
	}
	r, err := p.run(ctx)
	stop()
	if stopErr := workers.stop(); stopErr != nil {
		// A worker that died is the cause of a connection that broke.
		return r, errors.Join(fmt.Errorf("demo: %s: %w", t.Name, stopErr), err)
	}
	return r, err
}

// showProgress draws a bar from time to time until the function that it returns
// is called.
func showProgress(w io.Writer, name string, total int, done *atomic.Int64) (stop func()) {
	if w == nil {
		return func() {}
	}
	bar := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(fmt.Sprintf("%-7s", name)),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish())
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = bar.Set64(done.Load()) // a terminal that went away shows nothing
			case <-quit:
				_ = bar.Finish()
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}
