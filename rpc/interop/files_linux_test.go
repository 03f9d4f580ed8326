package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
)

// handle has a file whose content is its name.
type handle struct {
	interop.HandleUnimplemented
	f *os.File
}

func serveHandle(name string) (interop.Handle, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return interop.Handle{}, err
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err = f.WriteString(name); err != nil {
		_ = f.Close()
		return interop.Handle{}, err
	}
	return interop.ServeHandle(handle{f: f}), nil
}

func (h handle) Name(_ context.Context, call interop.HandleNameCall) error {
	call.Results().SetName(h.f.Name())
	return nil
}

func (h handle) AttachedFile() *os.File { return h.f }
func (h handle) Shutdown()              { _ = h.f.Close() }

func openFiles() (int, error) {
	all, err := os.ReadDir("/proc/self/fd")
	return len(all), err
}

// content reads the file of a handle; empty if it has none.
func content(ctx context.Context, h interop.Handle) (string, error) {
	f, err := h.AttachedFile(ctx)
	if errors.Is(err, rpc.ErrNoFile) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b [64]byte
	n, err := f.ReadAt(b[:], 0)
	if err == io.EOF {
		err = nil
	}
	return string(b[:n]), err
}

type drawer struct{ interop.DrawerUnimplemented }

func (drawer) Open(_ context.Context, call interop.DrawerOpenCall) error {
	h, err := serveHandle(call.Params().Name())
	if err == nil {
		call.Results().SetHandle(h)
		call.Results().SetPadding(call.Params().Padding())
	}
	return err
}

func (drawer) Later(_ context.Context, call interop.DrawerLaterCall) error {
	name := call.Params().Name()
	p, f := rpc.NewPromise()
	time.AfterFunc(5*time.Millisecond, func() {
		h, err := serveHandle(name)
		if err != nil {
			f.Reject(err)
		} else {
			f.Resolve(h.Client)
		}
	})
	call.Results().SetHandle(interop.NewHandle(p))
	return nil
}

func (drawer) Read(ctx context.Context, call interop.DrawerReadCall) error {
	s, err := content(ctx, call.Params().Handle())
	if s != "" {
		call.Results().SetContent(s)
	}
	return err
}

func (drawer) Echo(_ context.Context, call interop.DrawerEchoCall) error {
	call.Results().SetHandle(call.Params().Handle().Retain())
	return nil
}

func (drawer) Many(_ context.Context, call interop.DrawerManyCall) error {
	list := call.Results().NewHandles(int(call.Params().Count()))
	for i := range list.Len() {
		h, err := serveHandle(fmt.Sprint(i))
		if err != nil {
			return err
		}
		list.Set(i, h)
	}
	return nil
}

func (drawer) Opened(_ context.Context, call interop.DrawerOpenedCall) error {
	n, err := openFiles()
	call.Results().SetFiles(uint32(n))
	return err
}

// ourDrawer serves a drawer that takes so many files with a message.
func ourDrawer(t *testing.T, most int) (address string) {
	t.Helper()
	ln, err := net.Listen("unix", socket(t))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conn := rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{ManualFlush: true}),
				rpc.ConnOptions{Bootstrap: interop.ServeDrawer(drawer{}).Client, Limits: rpc.Limits{Files: most}})
			all.Go(func() { <-conn.Done(); _ = conn.Close() })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); all.Wait() })
	return ln.Addr().String()
}

// tryDrawer is what the C++ client does too, with a server that takes descriptors
// if the other side does: theirs.
func tryDrawer(t *testing.T, conn *rpc.Conn, most, theirs int) {
	t.Helper()
	ctx := within(t)
	d := interop.NewDrawer(conn.Bootstrap())
	defer d.Release()
	expect := func(h interop.Handle, name string) {
		t.Helper()
		want := name
		if most == 0 {
			want = ""
		}
		if got, err := content(ctx, h); err != nil || got != want {
			t.Errorf("the file %q, %v, want %q", got, err, want)
		}
		f := h.Name(ctx, nil)
		defer f.Release()
		if res, err := f.Wait(ctx); err != nil || res.Name() != name {
			t.Errorf("the name %q, %v, want %q", res.Name(), err, name)
		}
	}
	read := func(h rpc.Client, padding int, want string) {
		t.Helper()
		if theirs == 0 {
			want = ""
		}
		f := d.Read(ctx, func(p interop.DrawerReadParamsBuilder) {
			p.SetHandle(interop.NewHandle(h))
			p.NewPadding(padding)
		})
		defer f.Release()
		if res, err := f.Wait(ctx); err != nil || res.Content() != want {
			t.Errorf("the other side reads %q, %v, want %q", res.Content(), err, want)
		}
	}
	open := func(name string, padding int) interop.DrawerOpenFuture {
		return d.Open(ctx, func(p interop.DrawerOpenParamsBuilder) {
			p.SetName(name)
			p.NewPadding(padding)
		})
	}
	own := func(name string) rpc.Client {
		h, err := serveHandle(name)
		if err != nil {
			t.Fatal(err)
		}
		return h.Client
	}
	for _, padding := range []int{0, 1000, 100_000, 3_000_000} {
		f := open("opened", padding)
		expect(f.Handle(), "opened")
		if res, err := f.Wait(ctx); err != nil || len(res.Padding()) != padding {
			t.Errorf("%d bytes came back, %v, want %d", len(res.Padding()), err, padding)
		}
		f.Release()
		read(own("written"), padding, "written")
	}
	later := d.Later(ctx, func(p interop.DrawerLaterParamsBuilder) { p.SetName("later") })
	expect(later.Handle(), "later")
	later.Release()

	p, fulfil := rpc.NewPromise()
	time.AfterFunc(5*time.Millisecond, func() { fulfil.Resolve(own("soon")) })
	read(p, 10, "soon")

	echo := d.Echo(ctx, func(p interop.DrawerEchoParamsBuilder) { p.SetHandle(interop.NewHandle(own("own"))) })
	if got, err := content(ctx, echo.Handle()); err != nil || got != "own" {
		t.Errorf("home came %q, %v", got, err)
	}
	echo.Release()

	many := d.Many(ctx, func(p interop.DrawerManyParamsBuilder) { p.SetCount(6) })
	res, err := many.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		want := ""
		if i < most {
			want = fmt.Sprint(i)
		}
		if got, err := content(ctx, res.Handles().At(i)); err != nil || got != want {
			t.Errorf("of handle %d the file %q, %v, want %q", i, got, err, want)
		}
	}
	many.Release()

	var all []interop.DrawerOpenFuture
	for i := range 100 {
		all = append(all, open(fmt.Sprint(i), i*97))
	}
	for i, f := range all {
		expect(f.Handle(), fmt.Sprint(i))
		f.Release()
	}
}

var fileLimits = []int{0, 1, 4}

// Our client with descriptors of the C++ server, and the other way.
func TestFilesOfCpp(t *testing.T) {
	for _, most := range fileLimits {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			address, _ := cppProgram(t, "unix", "files", "serve", fmt.Sprint(most))
			before, err := openFiles()
			if err != nil {
				t.Fatal(err)
			}
			theirs := func(conn *rpc.Conn) uint32 {
				d := interop.NewDrawer(conn.Bootstrap())
				defer d.Release()
				f := d.Opened(within(t), nil)
				defer f.Release()
				res, err := f.Wait(within(t))
				if err != nil {
					t.Fatal(err)
				}
				return res.Files()
			}
			conn := connect(t, "unix", address, rpc.ConnOptions{Limits: rpc.Limits{Files: most}})
			n := theirs(conn)
			for range 3 {
				tryDrawer(t, conn, most, most)
			}
			if now := theirs(conn); now > n {
				t.Errorf("%d descriptors are open there, %d were", now, n)
			}
			if now := conn.Stats().HeldFiles; now != 0 {
				t.Errorf("%d files are held", now)
			}
			_ = conn.Close()
			if now, err := openFiles(); err != nil || now > before {
				t.Errorf("%d descriptors are open, %d were, %v", now, before, err)
			}
		})
	}
}

// Their client with our server.
func TestFilesForCpp(t *testing.T) {
	for _, most := range fileLimits[1:] {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			address := ourDrawer(t, most)
			cmd := exec.CommandContext(within(t), peer(t, "files"), "client", fmt.Sprint(most), "unix:"+address)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ok files\n" {
				t.Errorf("the C++ client: %v\n%s", err, out)
			}
			cmd = exec.CommandContext(within(t), peer(t, "files"), "client", "0", "unix:"+address)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ok files\n" {
				t.Errorf("the C++ client that takes none: %v\n%s", err, out)
			}
			conn := connect(t, "unix", address, rpc.ConnOptions{Limits: rpc.Limits{Files: most}})
			tryDrawer(t, conn, most, most)
			_ = conn.Close()
		})
	}
}
