package schema

import (
	"crypto/md5"
	"encoding/binary"
)

// ChildID gives the id of a declaration that has none of its own in the source:
// the one called name inside the node parent.
func ChildID(parent ID, name string) ID {
	return derive(append(le64(parent), name...))
}

// GroupID gives the id of the group or named union that is field index of the
// struct parent, in the order of [Struct.Fields].
func GroupID(parent ID, index uint16) ID {
	return derive(binary.LittleEndian.AppendUint16(le64(parent), index))
}

// MethodStructID gives the id of the struct that holds a method's parameters or
// results.
func MethodStructID(iface ID, ordinal uint16, results bool) ID {
	b := binary.LittleEndian.AppendUint16(le64(iface), ordinal)
	if results {
		return derive(append(b, 1))
	}
	return derive(append(b, 0))
}

func le64(id ID) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(id)) }

// derive hashes as the capnp tool does, so that both give one declaration one
// id; nothing is secret here, and so MD5 serves.
func derive(b []byte) ID {
	sum := md5.Sum(b)
	return validBit | ID(binary.BigEndian.Uint64(sum[:]))
}

// validBit is set in every id.
const validBit ID = 1 << 63
