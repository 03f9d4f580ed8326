package convert

import (
	"fmt"
	"strings"

	"github.com/fairlead-go/fairlead/framing"
)

// Format is how messages stand in a stream.
type Format string

// The formats, named as the capnp tool names them.
const (
	Binary     Format = "binary"
	Packed     Format = "packed"
	Flat       Format = "flat"
	FlatPacked Format = "flat-packed"
	Canonical  Format = "canonical"
	Text       Format = "text"
	JSON       Format = "json"
)

// Formats lists all formats, with a line about each.
var Formats = []struct {
	Format Format
	About  string
}{
	{Binary, "segments behind a segment table: the standard format"},
	{Packed, "binary, packed: most zero bytes are left out"},
	{Flat, "one segment without a table"},
	{FlatPacked, "flat, packed"},
	{Canonical, "one segment without a table, the only one that says the same"},
	{Text, "values as the schema language writes them"},
	{JSON, "JSON"},
}

// ParseFormat gives the format of a name.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats {
		if string(f.Format) == name {
			return f.Format, nil
		}
	}
	return "", fmt.Errorf("convert: format %q, want one of %s", name, strings.Join(Names(), ", "))
}

// ParsePair gives the formats of FROM:TO.
func ParsePair(pair string) (from, to Format, err error) {
	a, b, ok := strings.Cut(pair, ":")
	if !ok {
		return "", "", fmt.Errorf("convert: conversion %q, want FROM:TO", pair)
	}
	if from, err = ParseFormat(a); err != nil {
		return "", "", err
	}
	to, err = ParseFormat(b)
	return from, to, err
}

// NeedsType tells whether the format can be read and written only by a type.
func (f Format) NeedsType() bool { return f == Text || f == JSON }

// framing gives the format of package framing for all that are not text.
func (f Format) framing() framing.Format {
	switch f {
	case Packed:
		return framing.Packed
	case Flat, Canonical:
		return framing.Flat
	case FlatPacked:
		return framing.FlatPacked
	}
	return framing.Binary
}

// Names gives the names of all formats.
func Names() []string {
	s := make([]string, len(Formats))
	for i, f := range Formats {
		s[i] = string(f.Format)
	}
	return s
}
