package schema

import (
	"errors"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// Request is what a schema compiler hands to a code generator: what schema.capnp
// calls CodeGeneratorRequest.
type Request struct {
	// Version is the compiler's, as major, minor and micro; zero if not known.
	// Minor and micro are at most 255.
	Version [3]uint16
	// Nodes are all nodes of the requested files and of what they import.
	Nodes []*Node
	// Files are the files to generate code for.
	Files []RequestedFile
}

// RequestedFile is a file to generate code for.
type RequestedFile struct {
	ID ID
	// Name is the file's name as it was given to the compiler.
	Name string
	// Imports are the files that its types, superclasses, methods and annotations
	// refer to.
	Imports []Import
}

// Import is the import of a file by another.
type Import struct {
	ID ID
	// Name is the name that the importing file uses.
	Name string
}

// ReadRequest reads the CodeGeneratorRequest that is the message's root, which
// may come from anywhere. The Request is a copy that does not need the message
// any more; what is read is well-formed, but only [Registry.Add] tells whether
// it makes sense.
func ReadRequest(msg *segment.Message) (*Request, error) {
	var r reader
	root := msg.Root().Struct()
	v := root.Struct(requestVersionPtr)
	req := &Request{
		Version: [3]uint16{v.Uint16(versionMajor), uint16(v.Uint8(versionMinor)), uint16(v.Uint8(versionMicro))},
	}
	if n := root.List(requestNodesPtr).Len(); n > MaxNodes {
		return nil, invalidf("a request of %d nodes, which is more than %d", n, MaxNodes)
	}
	req.Nodes = readList(&r, root, requestNodesPtr, r.node)
	r.where = nil
	req.Files = readList(&r, root, requestFilesPtr, func(s segment.Struct) RequestedFile {
		return RequestedFile{
			ID:   ID(s.Uint64(fileID)),
			Name: s.Text(fileNamePtr),
			Imports: readList(&r, s, fileImportsPtr, func(s segment.Struct) Import {
				return Import{ID: ID(s.Uint64(importID)), Name: s.Text(importNamePtr)}
			}),
		}
	})
	if r.err == nil {
		r.sources(root, req.Nodes)
	}
	if r.err == nil {
		r.err = msg.Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	return req, nil
}

// sources reads the doc comments into their nodes. Those of unknown nodes are
// passed over; the capnp tool itself writes some with the id 0.
func (r *reader) sources(root segment.Struct, nodes []*Node) {
	byID := make(map[ID]*Node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	for s := range r.list(root, requestSourcePtr).All() {
		n := byID[ID(s.Uint64(sourceID))]
		if n == nil {
			continue
		}
		n.Doc = s.Text(sourceDocPtr)
		members := r.list(s, sourceMembersPtr)
		for i, doc := range n.memberDocs() {
			if i == members.Len() {
				break
			}
			*doc = members.At(i).Text(memberDocPtr)
		}
	}
}

// Build writes the request as the root of msg, which is the CodeGeneratorRequest
// that compilers' plugins read. Faults are kept in the message.
func (q *Request) Build(msg *segment.Message) {
	root := q.build(msg)
	var sourced []*Node
	for _, n := range q.Nodes {
		// The struct of a method is nowhere in the source.
		if n.Scope != 0 || n.Kind == KindFile || n.documented() {
			sourced = append(sourced, n)
		}
	}
	buildList(root, requestSourcePtr, sourceSize, sourced, func(s segment.StructBuilder, n **Node) { (*n).buildSource(s) })
}

// nodeSize is the size of the nodes: as older compilers have it, and their
// plugins expect, unless the places in the source are known.
func (q *Request) nodeSize() segment.Size {
	for _, n := range q.Nodes {
		if n.Start != 0 || n.End != 0 {
			return NodeSize
		}
	}
	return segment.Size{DataWords: NodeSize.DataWords - 1, Ptrs: NodeSize.Ptrs}
}

// build writes all but the doc comments.
func (q *Request) build(msg *segment.Message) segment.StructBuilder {
	root := msg.NewRoot(requestSize)
	if q.Version != [3]uint16{} {
		v := root.NewStruct(requestVersionPtr, versionSize)
		v.SetUint16(versionMajor, q.Version[0])
		v.SetUint8(versionMinor, uint8(q.Version[1]))
		v.SetUint8(versionMicro, uint8(q.Version[2]))
	}
	buildList(root, requestNodesPtr, q.nodeSize(), q.Nodes, func(s segment.StructBuilder, n **Node) { (*n).Build(s) })
	buildList(root, requestFilesPtr, fileSize, q.Files, func(s segment.StructBuilder, f *RequestedFile) {
		s.SetUint64(fileID, uint64(f.ID))
		s.SetText(fileNamePtr, f.Name)
		buildList(s, fileImportsPtr, importSize, f.Imports, func(s segment.StructBuilder, i *Import) {
			s.SetUint64(importID, uint64(i.ID))
			s.SetText(importNamePtr, i.Name)
		})
	})
	return root
}

// Pack gives the request in the packed format, without the doc comments: the
// string that generated code carries. Equal requests have equal strings.
func (q *Request) Pack() (string, error) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	q.build(msg)
	flat, err := msg.Canonical()
	if err != nil {
		return "", fmt.Errorf("schema: packing a request: %w", err)
	}
	whole, err := segment.FromSegments([][]byte{flat})
	if err != nil {
		return "", fmt.Errorf("schema: packing a request: %w", err)
	}
	defer whole.Release()
	packed, err := framing.Append(nil, whole, framing.Packed)
	if err != nil {
		return "", fmt.Errorf("schema: packing a request: %w", err)
	}
	return string(packed), nil
}

// Unpack reads what [Request.Pack] made, or any packed CodeGeneratorRequest. It
// may come from anywhere.
func Unpack(packed string) (*Request, error) {
	d := framing.NewSliceDecoder([]byte(packed), framing.DecoderOptions{Format: framing.Packed})
	msg, err := d.Decode()
	if err != nil {
		return nil, invalidf("unpacking a request: %w", err)
	}
	defer msg.Release()
	// To the end, where the decoder gives its buffer back.
	more := 0
	for err == nil {
		var next *segment.Message
		next, err = d.Decode()
		next.Release()
		more++
	}
	if more > 1 || !errors.Is(err, io.EOF) {
		return nil, invalidf("unpacking a request: %d more messages follow it: %w", more-1, err)
	}
	return ReadRequest(msg)
}
