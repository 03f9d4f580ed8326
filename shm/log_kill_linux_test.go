package shm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

var logKills = flag.Int("log.kills", 25, "how often a process that appends to a log is killed at a random instant")

// logPoints are the steps that a process is killed in, each the nth time that it
// comes there.
var logPoints = []string{
	"locked", "end set back", "recovered", "extended", "begun", "flushed", "marked", "opened",
	"filled", "headed", "committed", "rung", "closing",
}

// TestLogKilled lets a process append to a log, kills it, and looks that what it
// was told to be appended is there once, and nothing half; then the next process
// goes on with what it left.
func TestLogKilled(t *testing.T) {
	needSharedMemory(t)
	if path := os.Getenv("FAIRLEAD_TEST_LOG"); path != "" {
		appendUntilKilled(path)
	}
	t.Run("at a point", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		follow := &follower{}
		for _, nth := range []int{1, 2, 40} {
			for _, point := range logPoints {
				switch {
				case (point == "flushed" || point == "marked") && nth == 40:
					continue // a disk takes its time
				case point == "begun" && nth > 1:
					continue // a log begins once
				case point == "begun":
					follow.stop()
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
				killed(t, follow, path, point, nth, 0)
			}
		}
		follow.stop()
	})
	t.Run("at any instant", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		follow := &follower{}
		defer follow.stop()
		for range *logKills {
			killed(t, follow, path, "", 0, rand.N(5*time.Millisecond))
		}
	})
}

// follower reads a log over the lives of its writers.
type follower struct {
	r    *LogReader
	next uint64
}

func (f *follower) stop() {
	if f.r != nil {
		_ = f.r.Close()
	}
	*f = follower{}
}

// killed runs one process until it is killed, and checks what it leaves.
func killed(t *testing.T, follow *follower, path, point string, nth int, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLogKilled$")
	cmd.Env = append(os.Environ(), "FAIRLEAD_TEST_LOG="+path, "FAIRLEAD_TEST_POINT="+point, "FAIRLEAD_TEST_NTH="+strconv.Itoa(nth))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged, first, reports := uint64(0), uint64(0), 0
	in := bufio.NewReader(out)
	for {
		var b [8]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			break
		}
		acknowledged = binary.LittleEndian.Uint64(b[:])
		if reports++; reports == 1 {
			first = acknowledged // what it found
			if point == "" {
				time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			}
		}
	}
	err = cmd.Wait()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("point %q: the process ended by itself: %v\n%s", point, err, &stderr)
	}
	if _, err := os.Stat(path); err != nil {
		return // killed before there was a file
	}
	// Until somebody opens it again the log is as the dead process left it.
	r, err := ReadLog(path, LogReaderOptions{Copy: true})
	if err != nil {
		if point == "begun" || point == "extended" || point == "recovered" || point == "locked" {
			return // it did not come to having a header
		}
		t.Fatalf("point %q: %v", point, err)
	}
	defer r.Close()
	last := uint64(0)
	for {
		msg, err := r.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err == nil {
			err = checkNumbered(msg, last+1)
			msg.Release()
		}
		if err != nil {
			t.Fatalf("point %q: message %d: %v", point, last+1, err)
		}
		last++
	}
	if last < acknowledged || reports > 0 && last > acknowledged+1 {
		t.Fatalf("point %q: %d messages, %d acknowledged, %d before", point, last, acknowledged, first)
	}
	if follow.r == nil {
		if follow.r, err = ReadLog(path, LogReaderOptions{}); err != nil {
			t.Fatal(err)
		}
		follow.next = 1
	}
	expect(t, follow.r, follow.next, last+1)
	follow.next = last + 1
}

// appendUntilKilled is the other process. It tells what it found, and then the
// number of each message that was appended.
func appendUntilKilled(path string) {
	point := os.Getenv("FAIRLEAD_TEST_POINT")
	nth, _ := strconv.Atoi(os.Getenv("FAIRLEAD_TEST_NTH"))
	atLogStep = func(step string) {
		if step != point {
			return
		}
		if nth--; nth == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	err := func() error {
		tell := func(n uint64) error {
			return binary.Write(os.Stdout, binary.LittleEndian, n)
		}
		for { // so that each point comes as often as is asked
			l, err := OpenLog(path, LogOptions{MaxBytes: 1 << 26})
			if err != nil {
				return err
			}
			if l.stats.Torn != 0 {
				return fmt.Errorf("%d bytes torn", l.stats.Torn)
			}
			n := l.seq
			if err := tell(n); err != nil {
				return err
			}
			for range 20 {
				n++
				var inTheWay *segment.Message
				if n%7 == 0 {
					inTheWay = numbered(l.NewMessage(0), n+1000)
				}
				err := l.Append(numbered(l.NewMessage(0), n))
				inTheWay.Release()
				if err := errors.Join(err, tell(n)); err != nil {
					return err
				}
			}
			if point == "flushed" || point == "marked" {
				if err := l.Sync(); err != nil {
					return err
				}
			}
			if err := l.Close(); err != nil {
				return err
			}
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
