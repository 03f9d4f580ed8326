package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

func newCompileCommand() *cobra.Command {
	var (
		o       compile.Options
		outputs []string
	)
	cmd := &cobra.Command{
		Use:   "compile SCHEMA...",
		Short: "Compile schemas and hand them to a plugin that generates code",
		Long: `Compile schemas, and hand them to the plugins of other languages to generate code.

The plugin of a language is the program capnpc-LANG in $PATH, which gets a
CodeGeneratorRequest on its standard input and runs in DIR; a LANG with a slash
is the program itself. "-o-" writes the request to the standard output. Without
-o the schemas are only checked. Go code is made by "fairlead gen".`,
		Args:              arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeSchemas,
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, out := range outputs {
				if _, dir := splitOutput(out); dir != "" {
					if err := isFolder(dir); err != nil {
						return misuse(cmd, fmt.Errorf("compile: --output %s: %w", out, err))
					}
				}
			}
			req, err := compileFiles(cmd, names, o)
			if err != nil {
				return err
			}
			req.Version = languageVersion
			request, err := marshal(req)
			if err != nil {
				return err
			}
			var all error
			for _, out := range outputs {
				all = errors.Join(all, runPlugin(cmd, out, request))
			}
			return all
		},
	}
	addImportFlags(cmd, &o)
	f := cmd.Flags()
	f.StringArrayVarP(&outputs, "output", "o", nil, "`LANG[:DIR]` to generate code for, into DIR; repeatable")
	f.StringArrayVar(&o.SrcPrefixes, "src-prefix", nil, "leave `PREFIX` out of the names of the files that are generated; repeatable")
	return cmd
}

// languageVersion is the version of the capnp tool whose language and requests
// these are. Plugins are told, and some warn if it is not their own.
var languageVersion = [3]uint16{1, 0, 0}

func marshal(req *schema.Request) ([]byte, error) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	req.Build(msg)
	return framing.Marshal(msg)
}

// splitOutput splits LANG[:DIR], where LANG may be a path that begins with the
// letter of a drive.
func splitOutput(output string) (lang, dir string) {
	lang, dir, _ = strings.Cut(output, ":")
	if len(lang) == 1 && (strings.HasPrefix(dir, "/") || strings.HasPrefix(dir, `\`)) {
		path, rest, found := strings.Cut(dir, ":")
		if found || runtime.GOOS == "windows" {
			return lang + ":" + path, rest
		}
	}
	return lang, dir
}

// runPlugin hands a request to the plugin that output, LANG[:DIR], names.
func runPlugin(cmd *cobra.Command, output string, request []byte) error {
	lang, dir := splitOutput(output)
	if lang == "-" {
		_, err := cmd.OutOrStdout().Write(request)
		return err
	}
	program := "capnpc-" + lang
	if strings.ContainsRune(lang, filepath.Separator) || strings.Contains(lang, "/") {
		program = lang
	}
	path, err := exec.LookPath(program)
	if err == nil {
		path, err = filepath.Abs(path) // DIR is another folder
	}
	if err != nil {
		return fmt.Errorf("compile: no plugin for %q: %w", lang, err)
	}
	plugin := exec.CommandContext(cmd.Context(), path)
	plugin.Dir = dir
	plugin.Stdin = bytes.NewReader(request)
	plugin.Stdout, plugin.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := plugin.Run(); err != nil {
		return fmt.Errorf("compile: plugin %s: %w", program, err)
	}
	return nil
}
