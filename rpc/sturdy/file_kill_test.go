package sturdy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The variable that makes the test's program a writer that is going to be killed.
const killedWriter = "FAIRLEAD_STURDY_KILL_FILE"

func init() {
	if path := os.Getenv(killedWriter); path != "" {
		writeUntilKilled(path)
	}
}

// stays tells whether the writer does not delete entry i, which it does after it
// has put the next.
func stays(i int) bool { return i%50 == 0 }

// writeUntilKilled tells of each change when it is done.
func writeUntilKilled(path string) {
	f, err := OpenFile(path, FileOptions{})
	for i := 0; err == nil; i++ {
		k, e := entryOf(i)
		if err = f.Put(context.Background(), k, e); err == nil && i > 0 && !stays(i-1) {
			k, _ = entryOf(i - 1)
			err = f.Delete(context.Background(), k)
		}
		fmt.Println(i)
	}
	fmt.Println(err)
	os.Exit(1)
}

// A process that is killed leaves all that it has said is there, can be replaced at
// once, and nothing has to be cleaned up.
func TestFileKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "refs")
	for _, atLeast := range []int{1, 5, spareLines/2 + 40} { // the last behind a rewrite
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), killedWriter+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := 0
		for lines := bufio.NewScanner(out); lines.Scan(); done++ {
			if lines.Text() != fmt.Sprint(done) {
				t.Fatalf("the writer says %s", lines.Text())
			}
			if done+1 == atLeast {
				_ = cmd.Process.Kill() // and takes what it has said meanwhile
			}
		}
		_ = cmd.Wait()
		f := openFile(t, path, FileOptions{})
		for i := range done {
			k, want := entryOf(i)
			e, err := f.Get(t.Context(), k)
			switch {
			case !stays(i) && i == done-1: // it may be deleted by now
			case !stays(i) && !errors.Is(err, ErrUnknown):
				t.Errorf("of %d, entry %d was deleted and is there: %v", done, i, err)
			case stays(i) && (err != nil || e != want):
				t.Errorf("of %d, entry %d: %v, %v", done, i, e, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
