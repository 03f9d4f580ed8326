package zmq_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

var (
	kills   = flag.Int("kills", 10, "how often TestKilledPeers kills its peer")
	stalled = flag.Int("stalled", 1000, "how many handshakes TestStalledHandshakesFromAChild leaves open")
)

// The roles of a child process.
const roleVariable = "FAIRLEAD_ZMQ_TEST_ROLE"

func init() {
	switch role, arg, _ := strings.Cut(os.Getenv(roleVariable), " "); role {
	case "flood":
		flood(arg)
	case "stall":
		stall(arg)
	}
}

// flood sends numbered messages until it is killed.
func flood(arg string) {
	generation, endpoint, _ := strings.Cut(arg, " ")
	push := zmq.NewPush()
	if err := push.Connect(endpoint); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	large := make([]byte, 20_000)
	for i := 0; ; i++ {
		body := large[:i%3*10_000]
		if push.Send(context.Background(), []byte(generation), []byte(strconv.Itoa(i)), body, []byte("end")) != nil {
			os.Exit(1)
		}
	}
}

// stall leaves connections open after part of a greeting.
func stall(arg string) {
	count, addr, _ := strings.Cut(arg, " ")
	n, _ := strconv.Atoi(count)
	var all []net.Conn
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break // out of descriptors or ports
		}
		_, _ = c.Write(greeting()[:15])
		all = append(all, c)
	}
	fmt.Println("stalled", len(all))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// child starts this program in a role.
func child(t testing.TB, format string, args ...any) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+fmt.Sprintf(format, args...))
	return cmd
}

// TestKilledPeers kills a peer under load and starts it again, over and over: of
// each life what arrives is in order, without gaps, and whole.
func TestKilledPeers(t *testing.T) {
	pull := open(t, zmq.Pull)
	endpoint := bind(t, pull, "ipc://"+filepath.Join(t.TempDir(), "s"))
	next := map[string]int{}
	take := func() string {
		m := recv(t, pull)
		if len(m) != 4 || m[3] != "end" || len(m[2]) != next[m[0]]%3*10_000 || m[1] != strconv.Itoa(next[m[0]]) {
			t.Fatalf("received %.60q with %d frames, want number %d", m, len(m), next[m[0]])
		}
		next[m[0]]++
		return m[0]
	}
	descriptors := func() int {
		l, _ := os.ReadDir("/proc/self/fd")
		return len(l)
	}
	before := descriptors()
	for i := range *kills {
		generation := fmt.Sprint("g", i)
		cmd := child(t, "flood %s %s", generation, endpoint)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 100; {
			if take() == generation {
				n++
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for pull.Stats().Peers > 0 || pull.Stats().Unread > 0 {
		if pull.Stats().Unread > 0 {
			take()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	until(t, "no descriptor is left over", func() bool { return descriptors() <= before })
}

// TestStalledHandshakesFromAChild has a child process leave handshakes open,
// while an honest client connects.
func TestStalledHandshakesFromAChild(t *testing.T) {
	pull := open(t, zmq.Pull)
	endpoint := bind(t, pull, "tcp://127.0.0.1:*")
	cmd := child(t, "stall %d %s", *stalled, strings.TrimPrefix(endpoint, "tcp://"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	honest(t, pull, endpoint) // while they come
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.TrimSpace(line))
	began := time.Now()
	honest(t, pull, endpoint) // while they stay
	t.Logf("an honest client was served after %v", time.Since(began))
	if n := pull.Stats().Peers; n > 2 {
		t.Errorf("%d peers", n)
	}
}
