//go:build purego

package encoding

// fairleadNoasmWorks is empty: this build has no assembly to turn off.
func fairleadNoasmWorks(shape, []byte) works { return nil }
