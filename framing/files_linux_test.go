package framing_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

var fileFloods = flag.Int("filefloods", 200, "writes with descriptors of a hostile peer")

// named is an open file whose content is its name. The test closes it.
func named(t testing.TB, name string) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteString(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// namesOf reads what files say, and closes them.
func namesOf(t testing.TB, files []*os.File) (names []string) {
	t.Helper()
	for _, f := range files {
		var b [64]byte
		n, err := f.ReadAt(b[:], 0)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("a received file is open in child processes: %#x, %v", flags, err)
		}
		names = append(names, string(b[:n]))
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	return names
}

// noLeakedFiles checks when the test has ended that it left no descriptor open.
func noLeakedFiles(t *testing.T) {
	t.Helper()
	count := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	closeBoth := func(a, b net.Conn) { _ = a.Close(); _ = b.Close() }
	closeBoth(conns(t, "unix")) // what the runtime opens once
	before := count()
	percent := debug.SetGCPercent(-1) // the collector closes what is lost
	t.Cleanup(func() {
		defer debug.SetGCPercent(percent)
		for range 100 {
			if count() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%d descriptors are open, %d were", count(), before)
	})
}

func TestFilesRideAlong(t *testing.T) {
	for _, o := range []framing.PipeOptions{{}, {ManualFlush: true}} {
		for _, words := range []int{1, 100, 5000, 20_000} {
			t.Run(fmt.Sprintf("%d words, manual %v", words, o.ManualFlush), func(t *testing.T) {
				noLeakedFiles(t)
				a, b := pipes(t, "unix", o)
				one, two := named(t, "one"), named(t, "two")
				with := [][]*os.File{nil, {one}, nil, {one, two, one}, {two}, nil, nil, {one}, {one, two}, nil}
				sent := make(chan error, 1)
				go func() {
					for i, files := range with {
						if err := a.SendFiles(context.Background(), raw(t, uint64(i), 1+i*words/9), files); err != nil {
							sent <- err
							return
						}
					}
					sent <- a.Flush()
				}()
				for i, files := range with {
					msg, got, err := b.RecvFiles(t.Context(), 10)
					if err != nil {
						t.Fatal(err)
					}
					want := raw(t, uint64(i), 1+i*words/9)
					if !same(contents(t, msg), contents(t, want)) {
						t.Errorf("message %d is another", i)
					}
					want.Release()
					msg.Release()
					var names []string
					for _, f := range files {
						names = append(names, f.Name())
					}
					if n := namesOf(t, got); !slices.Equal(n, names) {
						t.Errorf("with message %d came %v, want %v", i, n, names)
					}
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				if s := a.Stats(); s.SentFiles != 8 || s.Sent != 10 {
					t.Errorf("%d files sent with %d messages, want 8 with 10", s.SentFiles, s.Sent)
				}
				if s := b.Stats(); s.ReceivedFiles != 8 {
					t.Errorf("%d files received, want 8", s.ReceivedFiles)
				}
				closeBoth(t, a, b)
			})
		}
	}
}

// Whoever does not ask for files gets none, and whoever asks for some no more.
func TestFilesLimit(t *testing.T) {
	noLeakedFiles(t)
	a, b := pipes(t, "unix", framing.PipeOptions{})
	files := []*os.File{named(t, "one"), named(t, "two"), named(t, "three")}
	if n := a.MaxFiles(); n != 253 {
		t.Errorf("at most %d files, want 253", n)
	}
	for most := -1; most < 5; most++ {
		if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), files); err != nil {
			t.Fatal(err)
		}
		msg, got, err := b.RecvFiles(t.Context(), most)
		if err != nil {
			t.Fatal(err)
		}
		msg.Release()
		if names := namesOf(t, got); len(names) != max(0, min(most, 3)) || most > 0 && names[0] != "one" {
			t.Errorf("of at most %d came %v", most, names)
		}
	}
	if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), files); err != nil {
		t.Fatal(err)
	}
	recvText(t, b) // which takes none
	many := slices.Repeat(files[:1], 253)
	if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), many); err != nil {
		t.Fatal(err)
	}
	msg, got, err := b.RecvFiles(t.Context(), 1<<30)
	if err != nil || len(got) != 253 {
		t.Fatalf("%d files, %v", len(got), err)
	}
	msg.Release()
	namesOf(t, got)
	err = a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), append(many, files[0]))
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "254 files with a message, at most 253") {
		t.Errorf("one too many: %v", err)
	}
	closeBoth(t, a, b)
}

// A file that was closed does not go, and those behind it do not take its place.
func TestClosedFileStays(t *testing.T) {
	noLeakedFiles(t)
	a, b := pipes(t, "unix", framing.PipeOptions{ManualFlush: true})
	one, two, three := named(t, "one"), named(t, "two"), named(t, "three")
	if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), []*os.File{one, two, three}); err != nil {
		t.Fatal(err)
	}
	if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), []*os.File{two}); err != nil {
		t.Fatal(err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{{"one"}, nil} {
		msg, got, err := b.RecvFiles(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		msg.Release()
		if names := namesOf(t, got); !slices.Equal(names, want) {
			t.Errorf("%v came, want %v", names, want)
		}
	}
	closeBoth(t, a, b)
}

func TestFilesElsewhere(t *testing.T) {
	for _, network := range []string{"tcp", "tls", "net.Pipe"} {
		t.Run(network, func(t *testing.T) {
			noLeakedFiles(t)
			a, b := pipes(t, network, framing.PipeOptions{})
			if n := a.MaxFiles(); n != 0 {
				t.Errorf("at most %d files, want none", n)
			}
			err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), []*os.File{named(t, "one")})
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("a file was sent: %v", err)
			}
			if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "none"), nil); err != nil {
				t.Fatal(err)
			}
			msg, files, err := b.RecvFiles(t.Context(), 1)
			if err != nil || files != nil {
				t.Fatalf("%v, %v", files, err)
			}
			msg.Release()
			closeBoth(t, a, b)
		})
	}
}

// TestFilesOfAHostilePeer sends descriptors where none belong.
func TestFilesOfAHostilePeer(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	message := func(seed uint64, words int) []byte { return encode(t, framing.Binary, raw(t, seed, words)) }
	whole, long := message(1, 10), message(2, 100_000)
	for _, c := range []struct {
		name   string
		o      framing.PipeOptions
		writes [][]byte // each with two descriptors, but for those that are bare
		want   []int    // how many come with each message; -1 is an error
		bare   int      // bit i is for write i
	}{
		{"with each message", framing.PipeOptions{}, [][]byte{whole, whole, long}, []int{2, 2, 2}, 0},
		{"with each byte", framing.PipeOptions{}, split(whole, 1), []int{2}, 0},
		{"with each byte of many", framing.PipeOptions{}, split(slices.Repeat(whole, 5), 1), []int{2, 2, 2, 2, 2}, 0},
		{"in the middle", framing.PipeOptions{}, split(long, 5000), []int{2}, 0},
		{"over an end", framing.PipeOptions{}, [][]byte{slices.Concat(whole, whole[:1]), whole[1:]}, []int{0, 2}, 0},
		{"over two ends", framing.PipeOptions{}, [][]byte{slices.Concat(whole, whole, whole[:40]), whole[40:]}, []int{0, 0, 2}, 0},
		{"of several", framing.PipeOptions{}, [][]byte{slices.Concat(whole, whole, whole)}, []int{0, 0, 2}, 0},
		{name: "only in the middle", writes: split(long, 300_000), want: []int{0}, bare: 1},
		{name: "of a faulty one in parts", o: framing.PipeOptions{VerifyOnRecv: true}, writes: append(split(malformed(t, 5000), 2000), whole), want: []int{-1, 0}, bare: -2},
		{"with the end", framing.PipeOptions{}, [][]byte{whole[:50], whole[50:]}, []int{2}, 0},
		{"of what is cut", framing.PipeOptions{}, [][]byte{whole, whole[:50], whole[50:60]}, []int{2, -1}, 0},
		{"of no message", framing.PipeOptions{}, [][]byte{whole, []byte(strings.Repeat("\xff", 80)), whole}, []int{2, -1}, 0},
		{"of one that is too large", framing.PipeOptions{Limits: segment.Limits{MessageBytes: 1000}}, [][]byte{whole, long[:80], long[80:200]}, []int{2, -1}, 0},
		{"of a faulty one", framing.PipeOptions{VerifyOnRecv: true}, [][]byte{malformed(t, 1), message(3, 1), malformed(t, 1), slices.Concat(malformed(t, 1), message(3, 1))}, []int{-1, 2, -1, -1, 2}, 0},
	} {
		for _, most := range []int{0, 1, 2, 100} {
			t.Run(fmt.Sprintf("%s, at most %d", c.name, most), func(t *testing.T) {
				noLeakedFiles(t)
				x, y := conns(t, "unix")
				p := framing.NewPipe(y, c.o)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for i, w := range c.writes {
						var rights []byte
						if c.bare>>i&1 == 0 {
							rights = unix.UnixRights(int(null.Fd()), int(null.Fd()))
						}
						n, _, err := x.(*net.UnixConn).WriteMsgUnix(w, rights, nil)
						if err != nil {
							return // it has read enough
						}
						if _, err := x.Write(w[n:]); err != nil {
							return
						}
					}
					_ = x.(*net.UnixConn).CloseWrite()
				}()
				for i, want := range c.want {
					msg, files, err := p.RecvFiles(t.Context(), most)
					if err == nil {
						msg.Release()
					}
					if (err != nil) != (want < 0) || len(files) != min(max(want, 0), most) {
						t.Errorf("with message %d came %d files, %v; want %d", i, len(files), err, want)
					}
					for _, f := range files {
						_ = f.Close()
					}
				}
				if c.want[len(c.want)-1] >= 0 {
					if _, files, err := p.RecvFiles(t.Context(), most); err != io.EOF || files != nil {
						t.Errorf("at the end: %v, %v", files, err)
					}
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				<-sent
				_ = x.Close()
			})
		}
	}
}

// split cuts b into pieces of n bytes.
func split(b []byte, n int) (pieces [][]byte) {
	for c := range slices.Chunk(b, n) {
		pieces = append(pieces, c)
	}
	return pieces
}

// malformed is a message that Verify finds faulty, as it is on a stream.
func malformed(t *testing.T, words int) []byte {
	b := encode(t, framing.Binary, raw(t, 1, words))
	copy(b[8:], "\x00\x00\x00\x7f\x01\x00\x00\x00") // the root lies far beyond the end
	return b
}

// TestFilesFlood has a peer send many descriptors at random places, to a reader
// that comes and goes.
func TestFilesFlood(t *testing.T) {
	noLeakedFiles(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fds := slices.Repeat([]int{int(null.Fd())}, 253)
	rnd := rand.New(rand.NewPCG(1, 2))
	x, y := conns(t, "unix")
	p := framing.NewPipe(y, framing.PipeOptions{})
	var stream []byte
	for i := range 300 {
		stream = append(stream, encode(t, framing.Binary, raw(t, uint64(i), 1+rnd.IntN(300)))...)
	}
	sent := make(chan error, 1)
	go func() {
		defer x.Close()
		rest := stream
		for range *fileFloods {
			n := min(len(rest), 1+rnd.IntN(2*len(stream) / *fileFloods))
			w, _, err := x.(*net.UnixConn).WriteMsgUnix(rest[:n], unix.UnixRights(fds[:1+rnd.IntN(253)]...), nil)
			if err != nil {
				sent <- err
				return
			}
			if rest = rest[w:]; len(rest) == 0 {
				break
			}
		}
		_, err := x.Write(rest)
		sent <- err
	}()
	got, taken := 0, 0
	for turn := 0; taken < 300; turn++ {
		patience := time.Minute
		if turn%4 == 1 {
			patience = time.Duration(turn%3) * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		most := turn % 7
		var msg *segment.Message
		var files []*os.File
		var err error
		if most == 6 {
			most = 0
			msg, err = p.Recv(ctx)
		} else {
			msg, files, err = p.RecvFiles(ctx, most)
		}
		cancel()
		if len(files) > most {
			t.Errorf("%d files, want %d at most", len(files), most)
		}
		got += len(files)
		for _, f := range files {
			_ = f.Close()
		}
		switch {
		case err == nil:
			msg.Release()
			taken++
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatal(err)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got == 0 {
		t.Error("no file came at all")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// Files that wait to be sent, or have arrived and were not received, are closed
// with the pipe; the sender's own are not.
func TestFilesAtClose(t *testing.T) {
	noLeakedFiles(t)
	one := named(t, "one")
	a, b := pipes(t, "unix", framing.PipeOptions{Linger: -1})
	for range 3 {
		if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), []*os.File{one}); err != nil {
			t.Fatal(err)
		}
	}
	msg, files, err := b.RecvFiles(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	msg.Release()
	closeBoth(t, a, b)
	// Some may wait for a message that has begun.
	x, y := conns(t, "unix")
	p := framing.NewPipe(y, framing.PipeOptions{})
	whole := encode(t, framing.Binary, raw(t, 1, 5))
	for _, piece := range [][]byte{whole, whole[:4]} {
		if _, _, err := x.(*net.UnixConn).WriteMsgUnix(slices.Concat(piece, whole[:4]), unix.UnixRights(int(one.Fd())), nil); err != nil {
			t.Fatal(err)
		}
		if len(piece) > 4 {
			msg, none, err := p.RecvFiles(t.Context(), 1)
			if err != nil || none != nil {
				t.Fatal(none, err)
			}
			msg.Release()
		}
	}
	_ = p.Close()
	_ = x.Close()
	if names := namesOf(t, files); !slices.Equal(names, []string{"one"}) {
		t.Errorf("%v came", names)
	}
	if _, err := one.Stat(); err != nil {
		t.Errorf("the sender's file: %v", err)
	}
}

// Interrupted writes send their files once: long ones in their middle, and short
// ones when there is no room at all.
func TestFilesOfAnInterruptedWrite(t *testing.T) {
	for _, c := range []struct{ words, n int }{{10_000, 20}, {10, 400}} {
		t.Run(fmt.Sprint(c.words, " words"), func(t *testing.T) {
			noLeakedFiles(t)
			one := named(t, "one")
			a, b := pipes(t, "unix", framing.PipeOptions{HighWater: 64 << 20})
			for sent := 0; sent < c.n; {
				msg := raw(t, uint64(sent), c.words)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				err := a.SendFiles(ctx, msg, []*os.File{one})
				cancel()
				if err == nil {
					sent++
				} else if !errors.Is(err, context.DeadlineExceeded) { // else it had ended before
					t.Fatal(err)
				}
			}
			for i := range c.n {
				msg, files, err := b.RecvFiles(t.Context(), 5)
				if err != nil {
					t.Fatal(err)
				}
				msg.Release()
				if names := namesOf(t, files); !slices.Equal(names, []string{"one"}) {
					t.Errorf("with message %d came %v", i, names)
				}
			}
			closeBoth(t, a, b)
		})
	}
}

// fewFiles is set for the process that TestFilesTooManyOnTheirWay starts.
const fewFiles = "FAIRLEAD_TEST_FEW_FILES"

// The kernel lets a user have only so many descriptors on their way. What goes
// beyond stays, and the messages go on.
func TestFilesTooManyOnTheirWay(t *testing.T) {
	if os.Getenv(fewFiles) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestFilesTooManyOnTheirWay$")
		cmd.Env = append(os.Environ(), fewFiles+"=1")
		cmd.Dir = "/"
		if os.Getuid() == 0 {
			// Root may have any number.
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*framing.Pipe
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		ends[i] = framing.NewPipe(c, framing.PipeOptions{})
	}
	a, b := ends[0], ends[1]
	one := named(t, "one")
	const most, n = 30, 100
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := a.SendFiles(t.Context(), text(a.NewMessage(0), 1, "x"), []*os.File{one}); err != nil {
			t.Fatal(err)
		}
	}
	came := 0
	for range n {
		msg, files, err := b.RecvFiles(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		msg.Release()
		came += len(files)
		for _, f := range files {
			_ = f.Close()
		}
	}
	if sent := a.Stats().SentFiles; came < most || came >= n || uint64(came) != sent {
		t.Errorf("%d files came of %d that were sent, want at least %d and not all", came, sent, most)
	}
	closeBoth(t, a, b)
}
