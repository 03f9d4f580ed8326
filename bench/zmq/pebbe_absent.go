//go:build !pebbe

package zmqbench

import "errors"

const pebbeMissing = "built without -tags pebbe, which needs cgo and libzmq's development files"

func pebbeVersion() string { return "" }

func openPebbe(setup) (end, string, error) { return nil, "", errors.New("zmqbench: " + pebbeMissing) }
