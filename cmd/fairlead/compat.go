package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

func newCompatCommand() *cobra.Command {
	var (
		o   compile.Options
		all bool
	)
	cmd := &cobra.Command{
		Use:   "compat OLD NEW",
		Short: "Tell whom the changes of a schema break",
		Long: `Compare two versions of a schema and print the changes that break somebody: who
reads old data with the new schema, who reads new data with the old one, peers that
call each other, or source code that uses the names. Declarations are matched by
their ids, fields by their ordinals.

The exit status is 1 if anything but source code breaks.`,
		Args:              arguments(cobra.ExactArgs(2)),
		ValidArgsFunction: completeSchemas,
		RunE: func(cmd *cobra.Command, names []string) error {
			var (
				versions [2]*loadedSchema
				err      error
			)
			for i, name := range names {
				if versions[i], err = loadSchema(cmd, name, o); err != nil {
					return err
				}
			}
			before, after := versions[0], versions[1]
			if before.file.ID != after.file.ID {
				return fmt.Errorf("compat: %s has id %v and %s has %v: these are not versions of one schema",
					names[0], before.file.ID, names[1], after.file.ID)
			}
			breaks := 0
			for _, c := range schema.Compatible(before.reg, after.reg, before.file.ID) {
				if c.Breaks&^schema.BreaksSource != 0 {
					breaks++
				}
				if all || c.Breaks != 0 {
					fmt.Fprintln(cmd.OutOrStdout(), printable(c.String()))
				}
			}
			if breaks > 0 {
				return errors.New("compat: " + count(breaks, "change") + " that old and new programs don't both understand")
			}
			return nil
		},
	}
	addImportFlags(cmd, &o)
	cmd.Flags().BoolVar(&all, "all", false, "print the changes that break nobody too")
	return cmd
}
