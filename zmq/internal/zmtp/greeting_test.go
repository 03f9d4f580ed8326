package zmtp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// greetingOf is the greeting of RFC 37's worked example, in its parts.
func greetingOf(mechanism string, asServer byte) []byte {
	b := append([]byte{0xff}, make([]byte, 8)...)
	b = append(b, 0x7f, 3, 1)
	b = append(b, mechanism...)
	b = append(b, make([]byte, 20-len(mechanism))...)
	return append(append(b, asServer), make([]byte, 31)...)
}

func TestGreetingBytes(t *testing.T) {
	for _, test := range []struct {
		mechanism string
		asServer  bool
		want      []byte
	}{
		{"NULL", false, greetingOf("NULL", 0)},
		{"PLAIN", true, greetingOf("PLAIN", 1)},
		{"CURVE", false, greetingOf("CURVE", 0)},
		{"ABCDEFGHIJ0123456-_.", false, greetingOf("ABCDEFGHIJ0123456-_.", 0)},
	} {
		t.Run(test.mechanism, func(t *testing.T) {
			g := zmtp.Greeting{Major: 3, Minor: 1, Mechanism: test.mechanism, AsServer: test.asServer}
			b := zmtp.AppendGreeting([]byte("x"), g)
			if !bytes.Equal(b[1:], test.want) {
				t.Fatalf("got % x, want % x", b[1:], test.want)
			}
			for n := range b[1:] {
				if _, got, err := zmtp.ParseGreeting(b[1:][:n]); got != 0 || err != nil {
					t.Fatalf("%d bytes: n %d, error %v", n, got, err)
				}
			}
			got, n, err := zmtp.ParseGreeting(append(b[1:], "more"...))
			if err != nil || n != zmtp.GreetingSize || got != g {
				t.Fatalf("got %+v, %d, %v", got, n, err)
			}
		})
	}
}

func TestGreetingOfLibzmq(t *testing.T) {
	// libzmq puts the length of its routing id plus one in the padding, for
	// peers of ZMTP 1.0.
	b := greetingOf("NULL", 0)
	b[8] = 3
	if g, n, err := zmtp.ParseGreeting(b); err != nil || n != 64 || g.Mechanism != "NULL" {
		t.Fatalf("got %+v, %d, %v", g, n, err)
	}
}

func TestGreetingRefused(t *testing.T) {
	change := func(at int, v ...byte) []byte {
		b := greetingOf("NULL", 0)
		copy(b[at:], v)
		return b
	}
	for _, test := range []struct {
		name string
		b    []byte
		need int // bytes after which it has to be seen
		want error
		text string
	}{
		{"ZMTP 1.0, short identity", []byte{1, 0}, 1, zmtp.ErrVersion, "0x01"},
		{"HTTP", []byte("GET / HTTP/1.1"), 1, zmtp.ErrVersion, "0x47"},
		{"ZMTP 1.0, long identity", append([]byte{0xff}, 0, 0, 0, 0, 0, 0, 1, 0, 0), 10, zmtp.ErrVersion, "byte 9 is 0x00"},
		{"odd signature", change(9, 0x7d), 10, zmtp.ErrVersion, "0x7d"},
		{"revision 0", change(10, 0), 11, zmtp.ErrVersion, "revision 0"},
		{"ZMTP 2.0", change(10, 1), 11, zmtp.ErrVersion, "2.0"},
		{"ZMTP 2.1", change(10, 2), 11, zmtp.ErrVersion, "revision 2"},
		{"no mechanism", change(12, 0, 0, 0, 0), 64, zmtp.ErrMalformed, `""`},
		{"lower case", change(12, 'n'), 64, zmtp.ErrMalformed, `"nULL"`},
		{"zero inside", change(13, 0), 64, zmtp.ErrMalformed, `"N\x00LL"`},
		{"as-server 2", change(32, 2), 64, zmtp.ErrMalformed, "0x02"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, n, err := zmtp.ParseGreeting(test.b[:test.need-1]); n != 0 || err != nil {
				t.Fatalf("one byte earlier: %d, %v", n, err)
			}
			_, _, err := zmtp.ParseGreeting(test.b[:test.need])
			wantErr(t, err, test.want, test.text)
		})
	}
}

func TestGreetingBitFlips(t *testing.T) {
	b := greetingOf("CURVE", 1)
	for bit := range len(b) * 8 {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		g, n, err := zmtp.ParseGreeting(c)
		known(t, err)
		if err == nil && (n != 64 || g.Major < 3) {
			t.Errorf("bit %d: %+v, %d", bit, g, n)
		}
	}
}

func TestNegotiate(t *testing.T) {
	g := func(major, minor byte, mechanism string, asServer bool) zmtp.Greeting {
		return zmtp.Greeting{Major: major, Minor: minor, Mechanism: mechanism, AsServer: asServer}
	}
	for _, test := range []struct {
		name        string
		local, peer zmtp.Greeting
		minor       byte
		want        error
		text        string
	}{
		{"equal", g(3, 1, "NULL", false), g(3, 1, "NULL", false), 1, nil, ""},
		{"older peer", g(3, 1, "NULL", false), g(3, 0, "NULL", false), 0, nil, ""},
		{"newer minor", g(3, 1, "NULL", false), g(3, 2, "NULL", false), 1, nil, ""},
		{"newer major", g(3, 1, "NULL", false), g(4, 0, "NULL", false), 1, nil, ""},
		{"local older", g(3, 0, "NULL", false), g(3, 1, "NULL", false), 0, nil, ""},
		{"2.0", g(3, 1, "NULL", false), g(2, 0, "NULL", false), 0, zmtp.ErrVersion, "2.0"},
		{"downgrade to NULL", g(3, 1, "CURVE", true), g(3, 1, "NULL", false), 0, zmtp.ErrMechanism, "NULL"},
		{"other mechanism", g(3, 1, "PLAIN", true), g(3, 1, "GSSAPI", false), 0, zmtp.ErrMechanism, "GSSAPI"},
		{"client and server", g(3, 1, "CURVE", false), g(3, 1, "CURVE", true), 1, nil, ""},
		{"libzmq never claims to be a server", g(3, 1, "CURVE", false), g(3, 1, "CURVE", false), 1, nil, ""},
		{"two servers", g(3, 1, "CURVE", true), g(3, 1, "CURVE", true), 0, zmtp.ErrMechanism, "CURVE servers"},
		{"NULL has no servers", g(3, 1, "NULL", true), g(3, 1, "NULL", true), 1, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			minor, err := zmtp.Negotiate(test.local, test.peer)
			if test.want != nil {
				wantErr(t, err, test.want, test.text)
			} else if err != nil || minor != test.minor {
				t.Fatalf("got 3.%d, %v", minor, err)
			}
		})
	}
}

func TestAppendGreetingPanics(t *testing.T) {
	for _, name := range []string{"", "null", strings.Repeat("A", 21)} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			zmtp.AppendGreeting(nil, zmtp.Greeting{Mechanism: name})
		})
	}
}
