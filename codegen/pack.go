package codegen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
)

// pack gives the schema that the generated code carries: the nodes of its file
// and all that these need, without what would change although no declaration
// did: comments, places in the source, the folders of files, the compiler's
// version.
func (g *generator) pack() (string, error) {
	c := &closure{model: g.model, has: map[schema.ID]bool{}}
	c.tree(g.file.node)
	for len(c.todo) > 0 {
		n := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		c.refer(n)
	}
	req := &schema.Request{}
	for _, n := range g.nodes {
		if c.has[n.ID] {
			own := *n
			own.Start, own.End = 0, 0
			own.DisplayName = inNoFolder(n.DisplayName)
			own.PrefixLen = max(0, n.PrefixLen-len(n.DisplayName)+len(own.DisplayName))
			req.Nodes = append(req.Nodes, &own)
		}
	}
	slices.SortFunc(req.Nodes, func(a, b *schema.Node) int { return cmp.Compare(a.ID, b.ID) })
	for _, f := range g.req.Files {
		if f.ID == g.file.node.ID {
			f.Name = inNoFolder(f.Name)
			req.Files = append(req.Files, f)
		}
	}
	packed, err := req.Pack()
	if err != nil {
		return "", fmt.Errorf("codegen: %s: %w", g.file.node.DisplayName, err)
	}
	return packed, nil
}

// inNoFolder leaves the folder of the file out of a display name, folder/file:path.
func inNoFolder(name string) string {
	file, decl, declared := strings.Cut(name, ":")
	file = file[strings.LastIndexByte(file, '/')+1:]
	if declared {
		return file + ":" + decl
	}
	return file
}

// closure is a set of nodes that grows by what its nodes refer to.
type closure struct {
	*model
	has  map[schema.ID]bool
	todo []*schema.Node
}

// add adds a node and the scopes around it.
func (c *closure) add(id schema.ID) {
	for n := c.byID[id]; n != nil && !c.has[n.ID]; n = c.byID[n.Scope] {
		c.has[n.ID] = true
		c.todo = append(c.todo, n)
	}
}

// tree adds a node and all that is declared inside it.
func (c *closure) tree(n *schema.Node) {
	c.add(n.ID)
	for _, nested := range n.Nested {
		if in := c.byID[nested.ID]; in != nil && !c.has[nested.ID] {
			c.tree(in)
		}
	}
}

// refer adds what a node refers to.
func (c *closure) refer(n *schema.Node) {
	switch n.Kind {
	case schema.KindStruct:
		for i := range n.Struct.Fields {
			f := &n.Struct.Fields[i]
			c.add(f.Group)
			c.typ(&f.Type)
		}
	case schema.KindInterface:
		for _, m := range n.Interface.Methods {
			c.add(m.Params)
			c.brand(m.ParamBrand)
			c.add(m.Results)
			c.brand(m.ResultBrand)
		}
		for _, s := range n.Interface.Extends {
			c.add(s.ID)
			c.brand(s.Brand)
		}
	case schema.KindConst:
		c.typ(&n.Const.Type)
	case schema.KindAnnotation:
		c.typ(&n.Declared.Type)
	}
}

func (c *closure) typ(t *schema.Type) {
	for ; t != nil; t = t.Elem {
		c.add(t.ID)
		c.add(t.Scope)
		c.brand(t.Brand)
	}
}

func (c *closure) brand(b schema.Brand) {
	for _, s := range b {
		c.add(s.Scope)
		for _, t := range s.Bind {
			c.typ(t)
		}
	}
}
