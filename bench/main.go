// Command bench measures Fairlead beside its rivals.
//
//	go run . --suite encoding [--quick] [--json] [--case REGEXP] [--who LIST] [--svg DIR]
//
// It runs Fairlead and every rival of the suite in turns, prints a table a
// case (or with --json an object a line), and reports a rival that is not
// installed as missing. README.md tells what each rival does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/bench/byname"
	"github.com/fairlead-go/fairlead/bench/encoding"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/reference"
	rpcbench "github.com/fairlead-go/fairlead/bench/rpc"
	shmbench "github.com/fairlead-go/fairlead/bench/shm"
	zmqbench "github.com/fairlead-go/fairlead/bench/zmq"
)

// suites lists what --suite may name.
var suites = []harness.Suite{
	encoding.Suite(),
	byname.Suite(),
	reference.Suite(),
	zmqbench.Suite(),
	rpcbench.Suite(),
	shmbench.Suite(),
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	started := time.Now()
	if len(args) == 1 && args[0] == encoding.ChildArgument {
		return encoding.ServeChild(stdin, stdout)
	}
	if len(args) > 0 && args[0] == reference.ChildArgument {
		return reference.ServeChild(args[1:], stdin, stdout, os.Stderr)
	}
	if len(args) > 0 && args[0] == zmqbench.ChildArgument {
		return zmqbench.ServeChild(args[1:], stdin, stdout)
	}
	if len(args) > 0 && args[0] == shmbench.ChildArgument {
		return shmbench.ServeChild(args[1:], stdin, stdout)
	}
	if len(args) > 0 && args[0] == rpcbench.ChildArgument {
		return rpcbench.ServeChild(args[1:], stdin, stdout)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	suite := flags.String("suite", "", "the suite to run: "+suiteNames())
	quick := flags.Bool("quick", false, "short rounds, done within a minute")
	asJSON := flags.Bool("json", false, "print one JSON object a line and nothing else")
	pattern := flags.String("case", "", "run the cases that match this `regexp`")
	who := flags.String("who", "", "run only the contestants of this `list`, separated by commas")
	svg := flags.String("svg", "", "also draw a chart a case into this `folder`")
	rounds := flags.Int("rounds", 0, "number of rounds; 0 means as --quick or a full run has it")
	round := flags.Duration("round", 0, "length of a contestant's round; 0 means as --quick or a full run has it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("bench: unexpected argument %q", flags.Arg(0))
	}
	if *rounds < 0 || *round < 0 {
		return fmt.Errorf("bench: --rounds %d and --round %v must not be negative", *rounds, *round)
	}
	opt := harness.Options{Quick: *quick, Who: harness.SplitList(*who), Rounds: *rounds, Round: *round}
	if *pattern != "" {
		re, err := regexp.Compile(*pattern)
		if err != nil {
			return fmt.Errorf("bench: --case: %w", err)
		}
		opt.Case = re
	}
	for _, s := range suites {
		if s.Name == *suite {
			return runSuite(ctx, s, opt, started, *asJSON, *svg, stdout)
		}
	}
	return fmt.Errorf("bench: --suite %q is none of %s", *suite, suiteNames())
}

func runSuite(ctx context.Context, s harness.Suite, opt harness.Options, started time.Time, asJSON bool, svg string, stdout io.Writer) error {
	var all []harness.Row
	encoder := json.NewEncoder(stdout)
	head := func(notes []string) {
		if !asJSON {
			fmt.Fprintf(stdout, "suite %s\n  %s\n\n", s.Name, strings.Join(notes, "\n  "))
		}
	}
	emit := func(rows []harness.Row) error {
		all = append(all, rows...)
		if !asJSON {
			return harness.WriteTable(stdout, rows)
		}
		for _, r := range rows {
			if err := encoder.Encode(r); err != nil {
				return fmt.Errorf("bench: %w", err)
			}
		}
		return nil
	}
	if err := harness.Measure(ctx, s, opt, started, head, emit); err != nil {
		return err
	}
	if svg == "" {
		return nil
	}
	paths, err := harness.WriteCharts(svg, all)
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintf(stdout, "%d charts in %s\n", len(paths), svg)
	}
	return nil
}

func suiteNames() string {
	var names []string
	for _, s := range suites {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
