package zmq_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq"
)

// pairs are who talks to whom: ours, theirs.
var pairs = [][2]zmq.Type{
	{zmq.Pair, zmq.Pair},
	{zmq.Push, zmq.Pull},
	{zmq.Pull, zmq.Push},
	{zmq.Pub, zmq.Sub},
	{zmq.Pub, zmq.XSub},
	{zmq.XPub, zmq.Sub},
	{zmq.XPub, zmq.XSub},
	{zmq.Sub, zmq.Pub},
	{zmq.Sub, zmq.XPub},
	{zmq.XSub, zmq.Pub},
	{zmq.XSub, zmq.XPub},
	{zmq.Req, zmq.Rep},
	{zmq.Req, zmq.Router},
	{zmq.Rep, zmq.Req},
	{zmq.Rep, zmq.Dealer},
	{zmq.Dealer, zmq.Dealer},
	{zmq.Dealer, zmq.Router},
	{zmq.Dealer, zmq.Rep},
	{zmq.Router, zmq.Req},
	{zmq.Router, zmq.Dealer},
	{zmq.Router, zmq.Router},
}

// messages are what each pair exchanges.
func messages() [][]string {
	size := func(n int) string { return strings.Repeat("s", n) }
	return [][]string{
		{"hello"},
		{"a", "", "b", ""},
		{size(1), size(255), size(256), size(65536)},
		{size(1 << 20)},
		{""},
	}
}

// TestInterop exchanges messages with libzmq: every pair of types, with each of
// both sides bound, over tcp and ipc.
func TestInterop(t *testing.T) {
	py := startPython(t)
	n := 0
	for _, pair := range pairs {
		for _, transport := range []string{"tcp", "ipc"} {
			for _, weBind := range []bool{true, false} {
				n++
				name := fmt.Sprintf("s%d", n)
				t.Run(fmt.Sprintf("%v-%v/%s/we bind %v", pair[0], pair[1], transport, weBind), func(t *testing.T) {
					py.t = t
					interop(t, py, name, pair, transport, weBind)
				})
			}
		}
	}
	py.t = t
}

func interop(t *testing.T, py *python, name string, pair [2]zmq.Type, transport string, weBind bool) {
	ours, theirs := pair[0], pair[1]
	o := zmq.Options{}
	if ours == zmq.Router || ours == zmq.Dealer || ours == zmq.Req {
		o.RoutingID = []byte("ours")
	}
	s := open(t, ours, o)
	py.do("new %s %v", name, theirs)
	defer py.do("close %s", name)
	if theirs == zmq.Router || theirs == zmq.Dealer || theirs == zmq.Req {
		py.do("opt %s ROUTING_ID s:theirs", name)
	}
	if ours == zmq.Sub {
		if err := s.Subscribe(""); err != nil {
			t.Fatal(err)
		}
	}
	if theirs == zmq.Sub {
		py.do("opt %s SUBSCRIBE s:", name)
	}
	endpoint := "tcp://127.0.0.1:*"
	if transport == "ipc" {
		endpoint = "ipc://" + filepath.Join(t.TempDir(), "s")
	}
	if weBind {
		py.do("connect %s %s", name, bind(t, s, endpoint))
	} else {
		connect(t, s, py.do("bind %s %s", name, endpoint))
	}

	toUs := func(m []string, lead []string, cut int) {
		t.Helper()
		py.do("send %s %s", name, hexFrames(append(lead, m...)...))
		got := recv(t, s)
		if len(got) < cut || !equal(got[cut:], m) {
			t.Fatalf("received %.100q, want %.100q behind %d frames", got, m, cut)
		}
	}
	toThem := func(m []string, lead []string, cut string) {
		t.Helper()
		send(t, s, append(lead, m...)...)
		if got := py.do("recv %s", name); got != strings.TrimPrefix(cut+" "+hexFrames(m...), " ") {
			t.Fatalf("they received %.100q, want %.100q", got, hexFrames(m...))
		}
	}
	// libzmq subscribes when the program next uses its socket.
	seen := func() bool {
		py.do("poll %s 1", name)
		return zmq.Subscriptions(s) == 1
	}
	id := hexFrames("ours")
	switch {
	case ours == zmq.XPub:
		if theirs == zmq.XSub {
			py.do("send %s 01", name)
		}
		until(t, "a subscription", seen)
		want(t, s, "\x01")
	case theirs == zmq.XPub:
		if ours == zmq.XSub {
			send(t, s, "\x01")
		}
		if got := py.do("recv %s", name); got != "01" {
			t.Fatalf("they received %q, want a subscription", got)
		}
	case theirs == zmq.XSub:
		py.do("send %s 01", name)
		until(t, "a subscription", seen)
	case ours == zmq.Pub:
		until(t, "a subscription", seen)
	case theirs == zmq.Pub:
		// Nobody can see when it has the subscription.
		if ours == zmq.XSub {
			send(t, s, "\x01")
		}
		first := make(chan []string)
		go func() {
			frames, _ := s.Recv(within(t))
			first <- texts(frames)
		}()
		for waiting := true; waiting; {
			py.do("send %s 7a", name)
			select {
			case <-first:
				waiting = false
			default:
				py.do("exec import time; time.sleep(0.01)")
			}
		}
		for drained := false; !drained; {
			py.do("send %s 656e64", name)
			for got := []string{""}; got[0] != "end"; {
				got = recv(t, s)
			}
			drained = true
		}
	case ours == zmq.Router && theirs == zmq.Router:
		// Neither can send before the other's routing id is known.
		until(t, "a routing id", func() bool { return zmq.Routes(s) == 1 })
		send(t, s, "theirs", "knock")
		if got := py.do("recv %s", name); got != hexFrames("ours", "knock") {
			t.Fatalf("they received %q", got)
		}
	}
	for _, m := range messages() {
		switch pair {
		case [2]zmq.Type{zmq.Req, zmq.Rep}:
			toThem(m, nil, "")
			toUs(m, nil, 0)
		case [2]zmq.Type{zmq.Rep, zmq.Req}, [2]zmq.Type{zmq.Rep, zmq.Dealer}:
			lead := []string{}
			if theirs == zmq.Dealer {
				lead = []string{"x", ""}
			}
			toUs(m, lead, 0)
			toThem(m, nil, strings.TrimSuffix(hexFrames(lead...), " "))
		case [2]zmq.Type{zmq.Req, zmq.Router}:
			toThem(m, nil, id+" -")
			toUs(m, []string{"ours", ""}, 0)
		case [2]zmq.Type{zmq.Dealer, zmq.Router}:
			toThem(m, nil, id)
			toUs(m, []string{"ours"}, 0)
		case [2]zmq.Type{zmq.Dealer, zmq.Rep}:
			toThem(m, []string{"e", ""}, "")
			toUs(m, nil, 2)
		case [2]zmq.Type{zmq.Router, zmq.Req}:
			toUs(m, nil, 2)
			toThem(m, []string{"theirs", ""}, "")
		case [2]zmq.Type{zmq.Router, zmq.Dealer}:
			toUs(m, nil, 1)
			toThem(m, []string{"theirs"}, "")
		case [2]zmq.Type{zmq.Router, zmq.Router}:
			toUs(m, []string{"ours"}, 1)
			toThem(m, []string{"theirs"}, id)
		case [2]zmq.Type{zmq.Pair, zmq.Pair}, [2]zmq.Type{zmq.Dealer, zmq.Dealer}:
			toUs(m, nil, 0)
			toThem(m, nil, "")
		default:
			switch ours {
			case zmq.Push, zmq.Pub, zmq.XPub:
				toThem(m, nil, "")
			default:
				toUs(m, nil, 0)
			}
			if ours == zmq.XPub && theirs == zmq.XSub && m[0] != "" && m[0] != "\x01" {
				toUs(m, nil, 0)
			}
			if ours == zmq.XSub && theirs == zmq.XPub && m[0] != "" {
				toThem(m, nil, "")
			}
		}
	}
}

// TestInteropStream sends many small messages both ways, which leave together.
func TestInteropStream(t *testing.T) {
	py := startPython(t)
	const n = 50_000
	pull, push := open(t, zmq.Pull), open(t, zmq.Push)
	py.do("new out PUSH")
	py.do("connect out %s", bind(t, pull, "tcp://127.0.0.1:*"))
	py.start("flood out %d %s", n, hexFrames("", "abc"))
	for i := range n {
		want(t, pull, fmt.Sprint(i), "", "abc")
	}
	py.finish()
	py.do("new in PULL")
	connect(t, push, py.do("bind in tcp://127.0.0.1:*"))
	py.start("count in %d", n)
	for i := range n {
		send(t, push, fmt.Sprint(i), "", "abc")
	}
	if got := py.finish(); got != fmt.Sprint(n) {
		t.Errorf("they received %s messages, want %d", got, n)
	}
}
