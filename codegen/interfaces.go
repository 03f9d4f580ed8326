package codegen

import (
	"fmt"

	"github.com/fairlead-go/fairlead/schema"
)

// context names context.Context.
func (g *generator) context() string { return g.std("context") + ".Context" }

// offered is a method that an interface has, of its own or inherited, under the
// name that it has there.
type offered struct {
	*methodGen
	name string // of the client's and of the server's method
	file *file
	decl *decl // of the interface that declares it
}

// maxInherited is how many methods an interface may have with all that it
// inherits: each is written out in it.
const maxInherited = 1 << 12

// offers lists the methods of an interface and then those of its superclasses,
// each once.
func (g *generator) offers(d *decl) ([]offered, error) {
	var all []offered
	names := methodScope(clientMethods...)
	seen := map[schema.ID]bool{}
	todo := []schema.ID{d.node.ID}
	for len(todo) > 0 {
		id := todo[0]
		todo = todo[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		f, from, err := g.find(id, schema.KindInterface)
		if err != nil {
			return nil, err
		}
		for i := range from.methods {
			m := &from.methods[i]
			all = append(all, offered{m, names.take(m.name), f, from})
		}
		if len(all) > maxInherited {
			return nil, fmt.Errorf("codegen: %s has more than %d methods with those that it inherits", d.node.DisplayName, maxInherited)
		}
		for _, s := range from.node.Interface.Extends {
			todo = append(todo, s.ID)
		}
	}
	return all, nil
}

// iface writes the client and the server of an interface.
func (g *generator) iface(d *decl) error {
	methods, err := g.offers(d)
	if err != nil {
		return err
	}
	client := g.rpc("Client")
	g.doc(d.name+" is a client of the interface "+schemaName(d.node)+", and "+d.under+" makes one of any capability.", d.node.Doc, d.node.Annotations)
	g.printf("type %s struct{ %s }\n\n", d.name, client)
	g.printf("func %s(c %s) %s { return %s{c} }\n", d.under, client, d.name, d.name)
	g.printf("func (c %s) Retain() %s { return %s{c.Client.Retain()} }\n\n", d.name, d.name, d.name)
	for _, m := range methods {
		if m.decl == d {
			g.clientMethod(d, m)
		} else {
			g.inherited(d, m)
		}
	}
	for i := range d.methods {
		g.promised(&d.methods[i])
	}
	g.serverSide(d, methods)
	return nil
}

// fill is the parameter of a client's method that sets its parameters.
func (g *generator) fill(m *methodGen) string {
	_, builder := g.structNames(m.Params)
	return fmt.Sprintf("(ctx %s, fill func(%s))", g.context(), builder)
}

// answer is what a client's method returns.
func (g *generator) answer(m offered) string {
	if m.Results == schema.StreamResultID {
		return "error"
	}
	return g.qualify(m.file, m.future)
}

func (g *generator) clientMethod(d *decl, m offered) {
	_, params := g.structNames(m.Params)
	fill := g.fill(m.methodGen)
	if g.err != nil {
		return
	}
	what := m.name + " calls the method " + m.Method.Name
	send := "return " + m.future + "{r.Send()}"
	if m.Results == schema.StreamResultID {
		what += ", which streams: it waits while too much is on its way"
		send = "return r.Stream(ctx)"
	}
	g.doc(fmt.Sprintf("%s @%d.", what, m.ordinal), m.Doc, m.Annotations)
	g.printf("func (c %s) %s%s %s {\n", d.name, m.name, fill, g.answer(m))
	g.printf("r := c.NewCall(ctx, %s{Interface: %s, Ordinal: %d}, %s)\n", g.rpc("Method"), d.typeID, m.ordinal, g.size(g.byID[m.Params]))
	g.printf("if fill != nil {\nfill(%s(r.Params()))\n}\n%s\n}\n\n", params, send)
}

// inherited writes a method that a superclass's client has.
func (g *generator) inherited(d *decl, m offered) {
	g.printf("// %s calls the method of %s.\n", m.name, schemaName(m.decl.node))
	g.printf("func (c %s) %s%s %s { return %s(c.Client).%s(ctx, fill) }\n\n",
		d.name, m.name, g.fill(m.methodGen), g.answer(m), g.qualify(m.file, m.decl.under), m.methodGen.name)
}

// promised writes the types of a method's call as its caller and its handler
// see it.
func (g *generator) promised(m *methodGen) {
	params, _ := g.structNames(m.Params)
	streams := m.Results == schema.StreamResultID
	if streams {
		g.printf("// %s is a call of %s, valid until its handler returns.\n", m.call, m.Method.Name)
	} else {
		g.printf("// %s is the answer to %s. %s is the call, valid until its handler returns.\n", m.future, m.Method.Name, m.call)
		g.printf("type %s struct{ %s }\n", m.future, g.rpc("Future"))
	}
	g.printf("type %s struct{ *%s }\n\n", m.call, g.rpc("Call"))
	g.printf("func (c %s) Params() %s { return %s(c.Call.Params()) }\n", m.call, params, params)
	if !streams {
		reader, builder := g.structNames(m.Results)
		if g.err != nil {
			return
		}
		g.printf("func (c %s) Results() %s { return %s(c.NewResults(%s)) }\n", m.call, builder, builder, g.size(g.byID[m.Results]))
		g.printf("func (f %s) Wait(ctx %s) (%s, error) {\ns, err := f.Future.Wait(ctx)\nreturn %s(s), err\n}\n", m.future, g.context(), reader, reader)
		g.pipeline(m)
	}
	g.printf("\n")
}

// maxPipelined bounds the capabilities that an answer has methods for: how many
// there are, and how many pointers deep.
const (
	maxPipelined     = 64
	maxPipelineDepth = 4
)

// pipeline writes the methods that give capabilities of an answer before it is
// there, those in structs inside the results under the names of all fields on
// the way to them.
func (g *generator) pipeline(m *methodGen) {
	names := methodScope("Client", "Done", "Future", "Release", "Wait")
	count := 0
	on := map[schema.ID]bool{}
	var walk func(id schema.ID, name, path string, depth int)
	walk = func(id schema.ID, name, path string, depth int) {
		_, d, err := g.find(id, schema.KindStruct)
		if err != nil || on[id] || depth > maxPipelineDepth {
			return // a group that is only in a request's list, or a type inside itself
		}
		on[id] = true
		defer delete(on, id)
		for i := range d.fields {
			f := &d.fields[i]
			at := fmt.Sprintf("%s, %d", path, f.Offset)[len(", ")*b2i(path == ""):]
			switch {
			case f.IsGroup():
				walk(f.Group, name+f.base, path, depth)
			case f.Type.Kind == schema.StructType:
				walk(f.Type.ID, name+f.base, at, depth+1)
			case isCapability(&f.Type) && count < maxPipelined:
				count++
				t, wrap := g.capability(&f.Type)
				g.printf("func (f %s) %s() %s { return %s }\n", m.future, names.take(name+f.base), t, fmt.Sprintf(wrap, "f.Client("+at+")"))
			}
		}
	}
	walk(m.Results, "", "", 1)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// serverSide writes what a program implements to serve the interface.
func (g *generator) serverSide(d *decl, methods []offered) {
	ctx := g.context()
	g.printf("// %s is an object to serve. Its Shutdown(), if it has one, is called when nobody holds it.\n", d.server)
	g.printf("// %s implements no method: embed it to implement some.\n", d.unimplement)
	g.printf("type %s interface {\n", d.server)
	for _, m := range methods {
		g.printf("%s(ctx %s, call %s) error\n", m.name, ctx, g.qualify(m.file, m.call))
	}
	g.printf("}\ntype %s struct{}\n\n", d.unimplement)
	for _, m := range methods {
		g.printf("func (%s) %s(_ %s, call %s) error { return call.Unimplemented() }\n", d.unimplement, m.name, ctx, g.qualify(m.file, m.call))
	}
	g.printf("\n// %s makes a capability of s. The caller owns it.\n", d.serve)
	g.printf("func %s(s %s) %s {\n", d.serve, d.server, d.name)
	g.printf("return %s{%s(%s{Object: s, Interface: %s, Schema: %s, ", d.name, g.rpc("Serve"), g.rpc("Server"), d.typeID, g.schemaName)
	g.printf("Dispatch: func(ctx %s, call *%s) error {\nswitch call.Method() {\n", ctx, g.rpc("Call"))
	for _, m := range methods {
		run := fmt.Sprintf("s.%s(ctx, %s{Call: call})", m.name, g.qualify(m.file, m.call))
		if m.Results == schema.StreamResultID {
			run = "call.Streamed(" + run + ")"
		}
		g.printf("case %s{Interface: %s, Ordinal: %d}:\nreturn %s\n", g.rpc("Method"), g.qualify(m.file, m.decl.typeID), m.ordinal, run)
	}
	g.printf("}\nreturn call.Unimplemented()\n}})}\n}\n\n")
}

// isCapability tells whether a type is that of capabilities.
func isCapability(t *schema.Type) bool {
	return t.Kind == schema.InterfaceType || t.Kind == schema.AnyPointer && t.Any == schema.AnyCapability
}

// capability gives the Go type of capabilities, and the expression that makes
// one of a rpc.Client, which %s stands for.
func (g *generator) capability(t *schema.Type) (goType, wrap string) {
	if t.Kind != schema.InterfaceType {
		return g.rpc("Client"), "%s"
	}
	f, d, err := g.find(t.ID, schema.KindInterface)
	if err != nil {
		g.fail(err)
		return "_", "%s"
	}
	return g.qualify(f, d.name), g.qualify(f, d.under) + "(%s)"
}
