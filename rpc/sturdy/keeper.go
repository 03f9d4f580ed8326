package sturdy

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	defaultSaved = 1 << 10
	maxOwner     = 256
	maxObject    = 64 << 10
)

// Options say how a Keeper works. The zero value is useful.
type Options struct {
	// Store keeps the references. Default: a [Memory].
	Store Store
	// Load builds an object again from the text that it was persisted with, as
	// whatever the program serves; the Keeper persists it anew and takes the client
	// over. It is called for one object at a time, and not while that is in use,
	// though its method Shutdown may still run. An error says that it is gone.
	//
	// Without Load an object that was saved is kept until all references to it are
	// dropped, and ends with the Keeper.
	Load func(ctx context.Context, object string) (rpc.Client, error)
	// Owners tells as whom the peer of a connection has proved itself, the name
	// that Self stands for first. Default: what the method Owners() []string of the
	// connection's Peer gives, if it has one, as those of package fairlead do.
	Owners func(*rpc.Conn) []string
	// MaxSaved is how many references a peer can save over one connection, less
	// those that it drops over it. One more fails as overloaded. Default 1024;
	// [rpc.Unlimited] for no limit.
	MaxSaved int
	// Logger is told of the faults of Store and Load, of which peers learn only
	// that there was one. Nil is slog.Default.
	Logger *slog.Logger
}

// A Keeper gives references to objects of this process, and restores the objects
// from them. All methods may be called from any goroutine.
type Keeper struct {
	o       Options
	objects objects
	saved   quotas
}

// NewKeeper makes a Keeper. The caller closes it.
func NewKeeper(o Options) *Keeper {
	if o.Store == nil {
		o.Store = new(Memory)
	}
	if o.MaxSaved == 0 {
		o.MaxSaved = defaultSaved
	}
	if o.Owners == nil {
		o.Owners = proved
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Keeper{o: o}
}

// proved is the default of Options.Owners.
func proved(conn *rpc.Conn) []string {
	if p, ok := conn.Peer().(interface{ Owners() []string }); ok {
		return p.Owners()
	}
	return nil
}

// Persist lets clients save the object behind c, which has to be one that this
// process serves, or what [rpc.Intercept] made; then it is that what is saved.
// object is what it is: the text from which Options.Load builds it, such as a
// name, the key of a record, or a message in bytes, up to 64 KiB. It takes the
// place of the one that had the text before. c stays the caller's.
func (k *Keeper) Persist(c rpc.Client, object string) error {
	if len(object) > maxObject {
		return fmt.Errorf("sturdy: an object that is described by %d bytes, at most %d", len(object), maxObject)
	}
	if err := rpc.HandleSave(c, func(ctx context.Context, call *rpc.Call) error {
		return k.handleSave(ctx, call, object)
	}); err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	k.objects.set(object, c, k.o.Load == nil)
	return nil
}

// Close releases the objects that the Keeper holds. References stay in the store.
func (k *Keeper) Close() { k.objects.release() }

// Save makes a reference to what Options.Load builds from a text, sealed for an
// owner or for [Anyone], as if a client had saved it.
func (k *Keeper) Save(ctx context.Context, object, owner string) (Ref, error) {
	if err := checkOwner(owner); err != nil {
		return nil, err
	}
	if len(object) > maxObject {
		return nil, fmt.Errorf("sturdy: an object that is described by %d bytes, at most %d", len(object), maxObject)
	}
	ref := newRef()
	key, proof := ref.hash()
	if !k.objects.hold(object, key, k.o.Load == nil) {
		return nil, fmt.Errorf("sturdy: object %.64q is not there", object)
	}
	if err := k.o.Store.Put(ctx, key, Entry{proof, object, owner}); err != nil {
		k.objects.unhold(key)
		return nil, fmt.Errorf("sturdy: %w", err)
	}
	return ref, nil
}

// checkOwner refuses what can't be an owner's name.
func checkOwner(owner string) error {
	kind, name, ok := strings.Cut(owner, ":")
	switch {
	case owner == Anyone:
		return nil
	case len(owner) > maxOwner:
		return fmt.Errorf("sturdy: an owner's name of %d bytes, at most %d", len(owner), maxOwner)
	case !ok || kind == "" || name == "":
		return fmt.Errorf("sturdy: an owner %q, want KIND:NAME", owner)
	}
	return nil
}

// Restore gives what a reference refers to, for who is at the other end of conn;
// nil is nobody, who gets what is not sealed. The error of a reference that
// refers to nothing, or not for them, matches [ErrUnknown]. The caller owns the
// client.
func (k *Keeper) Restore(ctx context.Context, conn *rpc.Conn, ref Ref) (rpc.Client, error) {
	_, e, err := k.look(ctx, conn, ref)
	if err != nil {
		return rpc.Client{}, err
	}
	return k.find(ctx, e.Object)
}

// Drop makes a reference refer to nothing, for who is at the other end of conn,
// as in Restore. One that refers to nothing is no error.
func (k *Keeper) Drop(ctx context.Context, conn *rpc.Conn, ref Ref) error {
	key, _, err := k.look(ctx, conn, ref)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil
	case err != nil:
		return err
	}
	if err := k.o.Store.Delete(ctx, key); err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	k.objects.unhold(key)
	k.saved.refund(conn, key)
	return nil
}

// look finds the entry of a reference that conn's peer may use.
func (k *Keeper) look(ctx context.Context, conn *rpc.Conn, ref Ref) (Key, Entry, error) {
	if len(ref) != refSize {
		return Key{}, Entry{}, ErrUnknown
	}
	key, proof := ref.hash()
	e, err := k.o.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return Key{}, Entry{}, fmt.Errorf("sturdy: %w", err)
	}
	if err != nil || subtle.ConstantTimeCompare(proof[:], e.Proof[:]) != 1 || !k.mayUse(conn, e.Owner) {
		return Key{}, Entry{}, ErrUnknown
	}
	return key, e, nil
}

func (k *Keeper) mayUse(conn *rpc.Conn, owner string) bool {
	return owner == Anyone || conn != nil && slices.Contains(k.o.Owners(conn), owner)
}

// find gives the object of a text, built again if it is not there.
func (k *Keeper) find(ctx context.Context, object string) (rpc.Client, error) {
	c, err := k.objects.get(ctx, object, k.load)
	if err == nil && c.IsNull() {
		err = ErrUnknown
	}
	return c, err
}

// load builds an object. It gives none where nothing can.
func (k *Keeper) load(ctx context.Context, object string) (rpc.Client, error) {
	if k.o.Load == nil {
		return rpc.Client{}, nil
	}
	c, err := k.o.Load(ctx, object)
	if err != nil {
		c.Release()
		return rpc.Client{}, fmt.Errorf("sturdy: load: %w", err)
	}
	if err := k.Persist(c, object); err != nil && !c.IsNull() {
		// A promise, another's, or wrapped: it is restored, as it came.
		k.o.Logger.Debug("sturdy: what was loaded can't be saved again", "error", err)
	}
	return c, nil
}

// Dispatch answers the methods of the interface Restorer. It is what
// [rpc.ConnOptions].Restorer is set to.
func (k *Keeper) Dispatch(ctx context.Context, call *rpc.Call) error {
	m := call.Method()
	if m != rpc.RestoreMethod && m != rpc.DropMethod {
		return call.Unimplemented()
	}
	p := call.Params().Ptr(0)
	if p.Kind() != segment.KindList || p.List().ElemSize() != segment.Byte {
		return ErrUnknown
	}
	ref := append(Ref(nil), p.Data()...)
	call.Go() // a store takes its time
	if m == rpc.DropMethod {
		return k.told(call, k.Drop(ctx, call.Conn(), ref))
	}
	c, err := k.Restore(ctx, call.Conn(), ref)
	if err != nil {
		return k.told(call, err)
	}
	rpc.SetClient(call.NewResults(onePtr).Ptr(0), c)
	return nil
}

// Serve gives a capability of the interface Restorer, for programs that hand it
// out themselves. The caller owns it.
func (k *Keeper) Serve() rpc.Client {
	return rpc.Serve(rpc.Server{Interface: rpc.RestoreMethod.Interface, Dispatch: k.Dispatch})
}

// handleSave is the method save of an object.
func (k *Keeper) handleSave(ctx context.Context, call *rpc.Call, object string) error {
	owner := ""
	switch p := call.Params().Ptr(0); {
	case p.Kind() == segment.KindList && p.List().ElemSize() == segment.Byte:
		owner = p.Text()
	case !p.IsNull():
		return errors.New("sturdy: an owner that is no text")
	}
	conn := call.Conn()
	if owner == Self {
		if owner = k.self(conn); owner == Anyone {
			return errors.New("sturdy: it can't be sealed for you, for nothing proves who you are")
		}
	}
	if err := checkOwner(owner); err != nil {
		return err
	}
	call.Go()
	pay, err := k.saved.reserve(conn, k.o.MaxSaved)
	if err != nil {
		return err
	}
	ref, err := k.Save(ctx, object, owner)
	if err != nil {
		pay(nil)
		return k.told(call, err)
	}
	key, _ := ref.hash()
	pay(&key)
	call.NewResults(onePtr).SetData(0, ref)
	return nil
}

// self gives the name that a peer is sealed for by Self.
func (k *Keeper) self(conn *rpc.Conn) string {
	if conn == nil {
		return Anyone
	}
	if all := k.o.Owners(conn); len(all) > 0 {
		return all[0]
	}
	return Anyone
}

// told gives what a peer is told of an error, and the log the rest.
func (k *Keeper) told(call *rpc.Call, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknown):
		return ErrUnknown
	case errors.Is(err, context.Canceled):
		return err
	}
	k.o.Logger.Error("sturdy: a reference could not be served", "method", call.Method().String(), "error", err)
	if errors.Is(err, rpc.ErrOverloaded) {
		return fmt.Errorf("%w: the store of references has no room", rpc.ErrOverloaded)
	}
	return errors.New("sturdy: the reference could not be served")
}
