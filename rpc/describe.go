package rpc

import "github.com/fairlead-go/fairlead/segment"

// DescribeMethod is a method that every object has beside its own: it tells which
// interface the object implements, and what is known of its schema. In the language
// of schemas it is
//
//	interface Described @0xa2968f4fc8f917e6 {
//	  describe @0 () -> (interface :UInt64, schema :Data);
//	}
//
// where schema is a packed CodeGeneratorRequest that has the interface of that id
// and all that it needs. So a program can call what it has no schema of: see
// package rpc/dynrpc.
var DescribeMethod = Method{Interface: 0xa2968f4fc8f917e6, Ordinal: 0}

var describeSize = segment.Size{DataWords: 1, Ptrs: 1}

// Describe answers [DescribeMethod] with an interface and its schema. Package rpc
// does it for a Server that has a Schema; one without gets the call itself. The
// call is unimplemented for peers of a connection that hides schemas.
func (c *Call) Describe(id uint64, schema string) error {
	if conn := c.Conn(); schema == "" || conn != nil && conn.hides {
		return c.Unimplemented()
	}
	res := c.NewResults(describeSize)
	res.SetUint64(0, id)
	copy(res.NewData(0, len(schema)), schema)
	return nil
}

// Described reads the results of [DescribeMethod], which lie in their message.
func Described(results segment.Struct) (id uint64, schema []byte) {
	return results.Uint64(0), results.Data(0)
}
