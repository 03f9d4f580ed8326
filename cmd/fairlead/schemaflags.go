package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

// addImportFlags adds the flags of all commands that read schemas.
func addImportFlags(cmd *cobra.Command, o *compile.Options) {
	cmd.Flags().StringArrayVarP(&o.ImportPaths, "import-path", "I", nil, "look for imports that start with / in `DIR` too")
	cmd.Flags().BoolVar(&o.NoStandardImports, "no-standard-import", false, "look for them only there, not among the standard schemas")
	_ = cmd.MarkFlagDirname("import-path") // fails only for a flag that does not exist
}

// completeSchemas completes the names of schema files.
func completeSchemas(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"capnp"}, cobra.ShellCompDirectiveFilterFileExt
}

func checkImportFlags(cmd *cobra.Command, o compile.Options) error {
	for _, dir := range o.ImportPaths {
		if err := isFolder(dir); err != nil {
			return misuse(cmd, fmt.Errorf("%s: --import-path: %w", cmd.Name(), err))
		}
	}
	return nil
}

// compileFiles compiles schemas.
func compileFiles(cmd *cobra.Command, names []string, o compile.Options) (*schema.Request, error) {
	if err := checkImportFlags(cmd, o); err != nil {
		return nil, err
	}
	req, err := compile.Files(names, o)
	return req, tellFaults(cmd, err)
}

func isFolder(name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", name)
	}
	return err
}

// tellFaults prints the faults of a schema as lines to standard error, the form
// that editors jump to, and gives an error that counts them. Every other error
// stays as it is.
func tellFaults(cmd *cobra.Command, err error) error {
	var faults compile.Errors
	if !errors.As(err, &faults) {
		return err
	}
	for _, f := range faults {
		fmt.Fprintln(cmd.ErrOrStderr(), printable(f.Error()))
	}
	return fmt.Errorf("%s: %s", cmd.Name(), count(len(faults), "error"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
