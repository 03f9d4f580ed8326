package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/internal/everyurl"
	"github.com/fairlead-go/fairlead/examples/upload/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func TestUpload(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine")
	content := noise(3<<20 + 5)
	if err := os.WriteFile(mine, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var dir string
	everyurl.Test(t, run, func(url string) []string {
		dir = t.TempDir()
		return []string{"serve", url, dir}
	}, func(t *testing.T, url string) {
		var want strings.Builder
		for _, n := range []int{1 << 20, 2 << 20, 3 << 20, len(content)} {
			fmt.Fprintf(&want, "theirs: %d of %d bytes\n", n, len(content))
		}
		if got := everyurl.Run(t, run, "send", url, mine, "theirs"); got != want.String() {
			t.Errorf("the progress is\n%swant\n%s", got, &want)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "theirs")); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes have arrived, %v", len(got), err)
		}
		for name, want := range map[string]string{"theirs": "there is a file", "../outside": "escapes"} {
			err := run(t.Context(), []string{"send", url, mine, name}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("to send %s gives %v, want an error with %q", name, err, want)
			}
		}
	})
}

// An upload that breaks off leaves nothing behind.
func TestBreaksOff(t *testing.T) {
	everyurl.GivesBack(t)
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	to := upload.ServeUploads(uploads{root})
	wrong := errors.New("wrong")
	r := io.MultiReader(bytes.NewReader(noise(2<<20)), iotest.ErrReader(wrong))
	if err := send(t.Context(), to, "half", r, func(uint64) {}); !errors.Is(err, wrong) {
		t.Errorf("error %v, want that of reading", err)
	}
	to.Release()
	everyurl.Eventually(t, func() bool {
		left, err := os.ReadDir(root.Name())
		if err != nil {
			t.Fatal(err)
		}
		return len(left) == 0
	})
}

// So does that of a client that is gone without a word.
func TestClientIsGone(t *testing.T) {
	dir := t.TempDir()
	url, stop := everyurl.Start(t, run, "serve", "tcp://127.0.0.1:0", dir)
	defer stop()
	conn, err := fairlead.DialRPC(t.Context(), url, fairlead.Options{})
	if err != nil {
		t.Fatal(err)
	}
	to := upload.NewUploads(conn.Bootstrap())
	begin := to.Begin(t.Context(), func(p upload.UploadsBeginParamsBuilder) { p.SetName("half") })
	if err := begin.File().Write(t.Context(), func(p upload.WriterWriteParamsBuilder) { p.SetBytes(noise(5)) }); err != nil {
		t.Fatal(err)
	}
	if err := begin.File().WaitStreaming(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := func() int {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	everyurl.Eventually(t, func() bool { return files() == 1 })
	conn.Close() // and nothing was released
	everyurl.Eventually(t, func() bool { return files() == 0 })
}
