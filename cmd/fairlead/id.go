package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/schema"
)

func newIDCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "id",
		Short: "Make a new id for a schema",
		Long: `Make a new, random id of 64 bits: a schema file starts with one, and types that
are to keep their id when they are renamed or moved have one of their own.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var b [8]byte
			rand.Read(b[:]) // does not fail
			_, err := fmt.Fprintln(cmd.OutOrStdout(), schema.ID(binary.LittleEndian.Uint64(b[:])|1<<63))
			return err
		},
	}
}
