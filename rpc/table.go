package rpc

import "github.com/fairlead-go/fairlead/segment"

// A table holds the capabilities of a message.
type table struct {
	clients []Client
	first   [1]Client // so that one takes no further memory
}

// newTable gives a table with room for n capabilities.
func newTable(n int) *table {
	t := new(table)
	if t.clients = t.first[:0]; n > len(t.first) {
		t.clients = make([]Client, 0, n)
	}
	return t
}

func tableOf(m *segment.Message) *table {
	if m == nil {
		return nil
	}
	t, _ := m.CapTable().(*table)
	return t
}

func addTo(m *segment.Message, c Client) uint32 {
	t := tableOf(m)
	if t == nil {
		t = newTable(1)
		m.SetCapTable(t)
	}
	t.clients = append(t.clients, c)
	lend(c)
	return uint32(len(t.clients) - 1)
}

// Copy puts a capability into the table of another message.
func (t *table) Copy(index uint32, dst *segment.Message) uint32 {
	return addTo(dst, t.at(index).Retain())
}

// Release gives back all capabilities.
func (t *table) Release() {
	for _, c := range t.clients {
		unlend(c)
		c.Release()
	}
	t.clients = nil
}

func (t *table) at(index uint32) Client {
	if t == nil || uint64(index) >= uint64(len(t.clients)) {
		n := 0
		if t != nil {
			n = len(t.clients)
		}
		return Broken(exceptionf(Failed, "capability %d of a message that has %d", index, n))
	}
	return t.clients[index]
}

// ReadClient gives the capability that p refers to. It is lent by the message;
// Retain makes it one's own. It is null if p is, and a capability that is not
// there is broken.
func ReadClient(p segment.Ptr) Client {
	if p.IsNull() {
		return Client{}
	}
	index, ok := p.Capability()
	if !ok {
		return Broken(exceptionf(Failed, "a pointer to something else than a capability"))
	}
	return tableOf(p.Message()).at(index)
}

// SetClient makes p refer to the capability c and takes it over: it is released
// with the message. A null c makes p null.
func SetClient(p segment.PtrBuilder, c Client) {
	m := p.Message()
	if m == nil || c.t == nil {
		p.Clear()
		c.Release()
		return
	}
	if in, isOpen := c.innermost(); !isOpen && in.t != nil && in.t != c.t {
		in.Retain() // what it was resolved from is not needed any more
		c.Release()
		c = in
	}
	p.SetCapability(addTo(m, c))
}

// capability is what generated code makes of a Client.
type capability interface{ ~struct{ Client } }

// Clients reads a list of capabilities of one interface.
type Clients[T capability] struct{ l segment.Ptrs }

// ReadClients reads the list of capabilities that p refers to.
func ReadClients[T capability](p segment.Ptr) Clients[T] { return Clients[T]{p.Ptrs()} }

// Len gives the number of capabilities.
func (c Clients[T]) Len() int { return c.l.Len() }

// At gives capability i as ReadClient does.
func (c Clients[T]) At(i int) T { return T(struct{ Client }{ReadClient(c.l.At(i))}) }

// ClientsBuilder builds a list of capabilities of one interface.
type ClientsBuilder[T capability] struct{ l segment.PtrsBuilder }

// NewClients makes p refer to a new list of n null capabilities.
func NewClients[T capability](p segment.PtrBuilder, n int) ClientsBuilder[T] {
	return ClientsBuilder[T]{p.NewPtrs(n)}
}

// EditClients builds on the list that p refers to.
func EditClients[T capability](p segment.PtrBuilder) ClientsBuilder[T] {
	return ClientsBuilder[T]{p.Ptrs()}
}

// Len gives the number of capabilities.
func (c ClientsBuilder[T]) Len() int { return c.l.Len() }

// Set takes the capability v over as element i.
func (c ClientsBuilder[T]) Set(i int, v T) { SetClient(c.l.At(i), struct{ Client }(v).Client) }
