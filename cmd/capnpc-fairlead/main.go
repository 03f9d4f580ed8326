// Command capnpc-fairlead is the plugin by which the capnp tool generates Go
// code for Fairlead: with it in $PATH,
//
//	capnp compile -o fairlead:DIR addressbook.capnp
//
// writes DIR/addressbook.capnp.go. It is not needed where the fairlead command
// is: "fairlead gen" has a compiler of its own.
//
// It reads a CodeGeneratorRequest from the standard input and writes into the
// working folder. The Go packages are told by the schemas' annotations
// $Go.package and $Go.import.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	maxRequest = 1 << 30 // bytes of a request
	maxDepth   = 1 << 10 // of values in it
)

func main() {
	if err := run(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "capnpc-fairlead:", printable(err.Error()))
		os.Exit(1)
	}
}

// printable replaces whatever could control a terminal: errors name what a
// request names.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// run generates what the request in the input asks for. Nothing is written
// unless all of it can be generated.
func run(in io.Reader) error {
	msg, err := framing.NewDecoder(in, framing.DecoderOptions{
		Limits: segment.Limits{MessageBytes: maxRequest, TraversalWords: maxRequest, Depth: maxDepth},
	}).Decode()
	if err != nil {
		return fmt.Errorf("no CodeGeneratorRequest on the standard input: %w", err)
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		return err
	}
	sources := make([][]byte, len(req.Files))
	for i, file := range req.Files {
		if !filepath.IsLocal(filepath.FromSlash(file.Name)) {
			return fmt.Errorf("schema %q lies outside the folder that is written to", file.Name)
		}
		if sources[i], err = codegen.Generate(req, file.ID, codegen.Options{}); err != nil {
			return err
		}
	}
	for i, file := range req.Files {
		name := filepath.FromSlash(file.Name) + ".go"
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, sources[i], 0o644); err != nil {
			return err
		}
	}
	return nil
}
