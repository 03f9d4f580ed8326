package regions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead-go/fairlead/shm"
)

func TestList(t *testing.T) {
	folder, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	ln, err := shm.Listen(filepath.Join(folder, "s"), shm.Options{})
	if errors.Is(err, shm.ErrUnsupported) {
		t.Skip("SKIPPED:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx := context.Background()
	here, err := shm.Dial(ctx, ln.Path(), shm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	m := here.NewMessage(1000)
	m.RootBuilder().SetData(make([]byte, 1000))
	if err := here.Send(ctx, m); err != nil {
		t.Fatal(err)
	}
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	var mine []Rate
	for _, r := range new(Watch).Look(all, all[0].Since.Add(1)) {
		if r.Owner == os.Getpid() {
			mine = append(mine, r)
		}
	}
	if len(mine) != 2 || mine[0].Sent+mine[1].Sent != 1 || mine[0].Waiting+mine[1].Waiting != 1 || mine[0].Command == "" {
		t.Errorf("%+v, want the two ends, one of which has sent a message that waits", mine)
	}
	if err := errors.Join(here.Close(), there.Close()); err != nil {
		t.Fatal(err)
	}
	if all, err = List(); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Owner == os.Getpid() {
			t.Errorf("after Close there is %+v", r)
		}
	}
}
