package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

func newGenCommand() *cobra.Command {
	var (
		o       compile.Options
		pkg     string
		imports []string
		output  string
	)
	cmd := &cobra.Command{
		Use:   "gen SCHEMA...",
		Short: "Generate Go code from schemas",
		Long: `Generate Go code from schemas, one file for each, named SCHEMA.go.

The Go package of a schema is told by its annotations $Go.package("name") and
$Go.import("path") of /go.capnp, or by flags. A line such as

  //go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen addressbook.capnp

in a Go file has "go generate" do it.`,
		Args:              arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeSchemas,
		RunE: func(cmd *cobra.Command, names []string) error {
			opt := codegen.Options{Package: codegen.Package{Name: pkg}, Imports: map[string]codegen.Package{}}
			for _, flag := range imports {
				name, path, ok := strings.Cut(flag, "=")
				if !ok || name == "" || path == "" {
					return misuse(cmd, fmt.Errorf("gen: --import %q, want SCHEMA=GO/PACKAGE", flag))
				}
				opt.Imports[name] = codegen.Package{Path: path}
			}
			into, err := outputs(names, output)
			if err != nil {
				return misuse(cmd, err)
			}
			req, err := compileFiles(cmd, names, o)
			if err != nil {
				return err
			}
			return generate(cmd.OutOrStdout(), req, opt, into)
		},
	}
	addImportFlags(cmd, &o)
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "write to this `PATH`: a folder, or with one schema a file, - being the standard output (default: beside the schema)")
	f.StringVar(&pkg, "package", "", "the `NAME` of the Go package, before what $Go.package says")
	f.StringArrayVar(&imports, "import", nil, "the Go package of a schema that is imported, as `SCHEMA=PATH`")
	return cmd
}

// outputs gives the file to write for each schema.
func outputs(names []string, output string) ([]string, error) {
	into := make([]string, len(names))
	info, err := os.Stat(output)
	folder := err == nil && info.IsDir() || strings.HasSuffix(output, string(filepath.Separator))
	for i, name := range names {
		switch {
		case output == "":
			into[i] = name + ".go"
		case folder:
			into[i] = filepath.Join(output, filepath.Base(name)+".go")
		case len(names) == 1:
			into[i] = output
		default:
			return nil, fmt.Errorf("gen: --output %s is no folder, and there are %d schemas", output, len(names))
		}
	}
	return into, nil
}

// generate writes the code of all requested files, each into the file that into
// names at the same place. Nothing is written unless all of it can be generated.
func generate(stdout io.Writer, req *schema.Request, o codegen.Options, into []string) error {
	sources := make([][]byte, len(req.Files))
	for i, file := range req.Files {
		var err error
		if sources[i], err = codegen.Generate(req, file.ID, o); err != nil {
			return err
		}
	}
	var all error
	for i, name := range into {
		all = errors.Join(all, writeFile(stdout, name, func(w io.Writer) error {
			_, err := w.Write(sources[i])
			return err
		}))
	}
	return all
}
