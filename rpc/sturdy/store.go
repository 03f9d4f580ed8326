package sturdy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fairlead-go/fairlead/rpc"
)

// An Entry is what a reference refers to.
type Entry struct {
	// Proof is the half of the reference's hash that is not its key. It is compared
	// in a time that does not depend on it.
	Proof [16]byte
	// Object is what [Options.Load] builds the object from.
	Object string
	// Owner is whom the reference is sealed for; empty is nobody.
	Owner string
}

// A Store keeps what references refer to. It is called from many goroutines. Its
// errors are for the log: peers are told only that there was one.
type Store interface {
	// Put keeps an entry under a key that is not in use. When it returns nil the
	// entry is as durable as the store makes it. An error that matches
	// [rpc.ErrOverloaded] tells that there is no room.
	Put(ctx context.Context, k Key, e Entry) error
	// Get gives the entry of a key. The error of a key that there is not matches
	// [ErrUnknown].
	Get(ctx context.Context, k Key) (Entry, error)
	// Delete forgets a key. One that there is not is no error.
	Delete(ctx context.Context, k Key) error
}

// ErrUnknown is matched by the error of a reference that refers to nothing, or
// is not for who restores it.
var ErrUnknown = errors.New("sturdy: no such reference")

// defaultMax is how many references a store of this package has, unless told
// otherwise.
const defaultMax = 1 << 16

// errFull gives the error of a store without room.
func errFull(most int) error {
	return fmt.Errorf("%w: %d references are kept, at most %d", rpc.ErrOverloaded, most, most)
}

// Memory is a [Store] that ends with the process. The zero Memory is empty.
type Memory struct {
	// Max is how many entries there may be. Default 65536.
	Max int

	mu      sync.Mutex
	entries map[Key]Entry
}

// Put keeps an entry.
func (m *Memory) Put(_ context.Context, k Key, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := m.Max
	if most == 0 {
		most = defaultMax
	}
	if len(m.entries) >= most {
		return errFull(most)
	}
	if m.entries == nil {
		m.entries = map[Key]Entry{}
	}
	m.entries[k] = e
	return nil
}

// Get gives the entry of a key.
func (m *Memory) Get(_ context.Context, k Key) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[k]
	if !ok {
		return Entry{}, ErrUnknown
	}
	return e, nil
}

// Delete forgets a key.
func (m *Memory) Delete(_ context.Context, k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, k)
	return nil
}
