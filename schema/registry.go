package schema

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// Registry holds nodes by their ids: the world that a program knows. All methods
// may be called from any goroutine. Nodes are never changed or taken away; a
// newer version of a node may take its place.
//
// A node may refer to nodes that the registry does not have, as when a peer sends
// only the few that matter. What is known of such a node is remembered (of which
// kind it is, what it is declared in), and a node that is added later has to
// agree. Until then [Registry.Node] does not find it, and who reads a message by
// its schema treats an unknown struct as AnyStruct, an unknown enum as its
// numbers and an unknown interface as Capability; an unknown group has no
// fields.
type Registry struct {
	mu    sync.RWMutex
	nodes map[ID]*Node
	wants map[ID]want // of ids that nodes refer to, whether they are there or not
}

// want is what a node has to be like for the sake of those that refer to it.
type want struct {
	by   *Node // who refers to it, and as what, for errors
	as   string
	kind Kind
	// any is set if it is of any kind.
	any bool
	// group is set if it is a group, and scope is what it is declared in, 0 if
	// that does not matter.
	group bool
	scope ID
	// A struct has at least the size of its groups.
	dataWords, ptrs uint16
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	return &Registry{nodes: map[ID]*Node{}, wants: map[ID]want{}}
}

// Node finds a node by its id.
func (r *Registry) Node(id ID) (*Node, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, ok := r.nodes[id]
	return n, ok
}

// Len is the number of nodes.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.nodes)
}

// Nodes iterates over the nodes that are there when it is called, ordered by
// their ids.
func (r *Registry) Nodes() iter.Seq[*Node] {
	r.mu.RLock()
	all := slices.Collect(maps.Values(r.nodes))
	r.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Values(all)
}

// Add adds nodes, which may come from anywhere, and which must not be changed
// afterwards. They are checked one by one and against each other: that fields
// lie within their struct, names and discriminants are unique, ids are of the
// kind that they are used for, values are of their types, groups, scopes and
// superclasses form no loops. The first fault is an error that matches
// [ErrInvalid] and names the node; then none of the nodes is added.
//
// Adding a node again does nothing. Where the registry has another version of a
// node, the newer of the two stays if a reader of it can read what was written
// with the other; if neither is, that is an error.
func (r *Registry) Add(nodes ...*Node) error {
	for _, n := range nodes {
		if err := n.check(); err != nil {
			return invalidf("node %v (%q): %w", n.ID, n.DisplayName, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := addition{reg: r, nodes: make(map[ID]*Node, len(nodes)), wants: map[ID]want{}}
	for _, n := range nodes {
		if err := a.add(n); err != nil {
			return invalidf("node %v (%q): %w", n.ID, n.DisplayName, err)
		}
	}
	if err := a.settle(); err != nil {
		return invalidf("%w", err)
	}
	maps.Copy(r.nodes, a.nodes)
	maps.Copy(r.wants, a.wants)
	return nil
}

// addition is what a call of Add is about to add to a registry.
type addition struct {
	reg   *Registry
	nodes map[ID]*Node
	wants map[ID]want
	fresh int // how many of nodes the registry has in no version
}

func (a *addition) node(id ID) *Node {
	if n := a.nodes[id]; n != nil {
		return n
	}
	return a.reg.nodes[id]
}

func (a *addition) wanted(id ID) (want, bool) {
	if w, ok := a.wants[id]; ok {
		return w, true
	}
	w, ok := a.reg.wants[id]
	return w, ok
}

// add takes n in, if it is better than what is there.
func (a *addition) add(n *Node) error {
	old := a.node(n.ID)
	if old == nil {
		if a.fresh++; len(a.reg.nodes)+a.fresh > MaxNodes {
			return fmt.Errorf("the registry would have more than %d nodes", MaxNodes)
		}
	} else {
		newer, err := a.supersedes(old, n)
		if err != nil || !newer {
			return err
		}
	}
	a.nodes[n.ID] = n
	return a.refer(n)
}

// supersedes tells whether n is to take the place of old: whether it is newer,
// or says no less and something else.
func (a *addition) supersedes(old, n *Node) (bool, error) {
	if old == n {
		return false, nil
	}
	d := difference{node: a.node}
	d.compare(old, n)
	switch {
	case d.broken != "":
		return false, fmt.Errorf("not compatible with the version that is there: %s", d.broken)
	case d.newer && d.older:
		return false, fmt.Errorf("not compatible with the version that is there: each has something that the other lacks")
	case d.newer || d.older:
		return d.newer, nil
	}
	same, err := equal(old, n)
	return !same, err
}

// equal tells whether two nodes say the same.
func equal(a, b *Node) (bool, error) {
	x, err := a.canonical()
	if err != nil {
		return false, err
	}
	y, err := b.canonical()
	return string(x) == string(y), err
}

// canonical gives the node as canonical bytes.
func (n *Node) canonical() ([]byte, error) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	n.Build(msg.NewRoot(NodeSize))
	return msg.Canonical()
}

// refer notes what n wants of the nodes that it refers to.
func (a *addition) refer(n *Node) error {
	if s := n.Struct; s != nil && s.IsGroup {
		w := want{kind: KindStruct, dataWords: s.DataWords, ptrs: s.Ptrs}
		if err := a.want(n, n.Scope, "scope", w); err != nil {
			return err
		}
	}
	for _, c := range n.Nested {
		if err := a.want(n, c.ID, "nested node "+c.Name, want{any: true, scope: n.ID}); err != nil {
			return err
		}
	}
	var err error
	n.references(func(id ID, kind Kind, what string) {
		if err == nil {
			err = a.want(n, id, what, want{kind: kind})
		}
	})
	if n.Struct == nil {
		return err
	}
	for i := range n.Struct.Fields {
		if f := &n.Struct.Fields[i]; err == nil && f.IsGroup() {
			err = a.want(n, f.Group, "field "+f.Name, want{kind: KindStruct, group: true, scope: n.ID})
		}
	}
	return err
}

// want adds to what id has to be like.
func (a *addition) want(n *Node, id ID, what string, w want) error {
	w.by, w.as = n, what
	have, ok := a.wanted(id)
	if !ok {
		a.wants[id] = w
		return nil
	}
	switch {
	case !have.any && !w.any && have.kind != w.kind:
		return fmt.Errorf("%s: %v is used as %v, and as %v by %v", what, id, w.kind, have.kind, &have)
	case have.scope != 0 && w.scope != 0 && have.scope != w.scope:
		return fmt.Errorf("%s: %v is declared here, and in %v by %v", what, id, have.scope, &have)
	}
	if have.any {
		have.any, have.kind = w.any, w.kind
	}
	if have.scope == 0 {
		have.scope = w.scope
	}
	have.group = have.group || w.group
	have.dataWords, have.ptrs = max(have.dataWords, w.dataWords), max(have.ptrs, w.ptrs)
	a.wants[id] = have
	return nil
}

// settle checks the nodes against what is wanted of them, after all are there.
func (a *addition) settle() error {
	// In an order of its own, so that the same nodes give the same error.
	ids := slices.Sorted(maps.Keys(a.nodes))
	for _, id := range ids {
		if err := a.scopes(a.nodes[id]); err != nil {
			return err
		}
	}
	if err := a.superclasses(ids); err != nil {
		return err
	}
	// What is new may be wanted by what was there, and the other way round.
	for id := range a.wants {
		if _, ok := a.nodes[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		n := a.node(id)
		w, ok := a.wanted(id)
		if n == nil || !ok {
			continue
		}
		if err := w.check(n); err != nil {
			return fmt.Errorf("node %v (%q): %w, for %v", id, n.DisplayName, err, &w)
		}
	}
	a.enlarge(ids)
	return nil
}

// String names who wants it.
func (w *want) String() string {
	return fmt.Sprintf("node %v (%q): %s", w.by.ID, w.by.DisplayName, w.as)
}

// check tells how n is not as it is wanted.
func (w *want) check(n *Node) error {
	switch {
	case !w.any && n.Kind != w.kind:
		return fmt.Errorf("kind %v where %v is needed", n.Kind, w.kind)
	case w.scope != 0 && n.Scope != w.scope:
		return fmt.Errorf("declared in %v and not in %v", n.Scope, w.scope)
	case w.group && !n.Struct.IsGroup:
		return fmt.Errorf("a struct where a group is needed")
	}
	return nil
}

// enlarge gives structs the size of their groups, so that who makes room for the
// struct can write to all of it. They differ only where versions are mixed.
func (a *addition) enlarge(ids []ID) {
	for len(ids) > 0 {
		id := ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		n := a.node(id)
		w, ok := a.wanted(id)
		if n == nil || !ok || n.Struct == nil || w.dataWords <= n.Struct.DataWords && w.ptrs <= n.Struct.Ptrs {
			continue
		}
		larger, body := *n, *n.Struct
		body.DataWords, body.Ptrs = max(body.DataWords, w.dataWords), max(body.Ptrs, w.ptrs)
		body.ListEncoding = uint16(segment.Composite)
		larger.Struct = &body
		a.nodes[id] = &larger
		if body.IsGroup {
			// Its own scope has the wants of a larger group now. It is a struct, as
			// was checked.
			up, _ := a.wanted(n.Scope)
			up.dataWords, up.ptrs = max(up.dataWords, body.DataWords), max(up.ptrs, body.Ptrs)
			a.wants[n.Scope] = up
			ids = append(ids, n.Scope)
		}
	}
}

// scopes checks that the scopes around n come to an end.
func (a *addition) scopes(n *Node) error {
	at := n
	for depth := 0; at != nil && at.Scope != 0; depth++ {
		if depth == MaxDepth {
			return fmt.Errorf("node %v (%q): more than %d scopes around it, or a loop of them", n.ID, n.DisplayName, MaxDepth)
		}
		at = a.node(at.Scope)
	}
	return nil
}

// superclasses checks that no interface extends itself.
func (a *addition) superclasses(ids []ID) error {
	const entered, left = 1, 2
	state := map[ID]int{}
	var visit func(id ID, depth int) error
	visit = func(id ID, depth int) error {
		n := a.node(id)
		if n == nil || n.Interface == nil || state[id] == left {
			return nil
		}
		if state[id] == entered {
			return fmt.Errorf("node %v (%q): an interface that extends itself", id, n.DisplayName)
		}
		if depth == MaxDepth {
			return fmt.Errorf("node %v (%q): extended over more than %d interfaces", id, n.DisplayName, MaxDepth)
		}
		state[id] = entered
		for _, super := range n.Interface.Extends {
			if err := visit(super.ID, depth+1); err != nil {
				return err
			}
		}
		state[id] = left
		return nil
	}
	for _, id := range ids {
		if err := visit(id, 0); err != nil {
			return err
		}
	}
	return nil
}
