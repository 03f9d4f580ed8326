package zmtp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

const dealerReady = "\x05READY" +
	"\x0bSocket-Type\x00\x00\x00\x06DEALER" +
	"\x08Identity\x00\x00\x00\x00"

func TestMetadata(t *testing.T) {
	b := []byte(dealerReady[6:])
	m, err := zmtp.ParseMetadata(b)
	if err != nil || len(m) != 2 || m.SocketType() != zmtp.Dealer || m.Identity() != nil {
		t.Fatalf("got %+v, %v", m, err)
	}
	if got := zmtp.AppendMetadata(nil, m); !bytes.Equal(got, b) {
		t.Errorf("appended as %q", got)
	}
	b[17] = 'X'
	if m.SocketType() != zmtp.Dealer {
		t.Error("the metadata aliases what it was parsed from")
	}
	for _, name := range []string{"socket-type", "SOCKET-TYPE"} {
		if v, ok := m.Get(name); !ok || string(v) != "DEALER" {
			t.Errorf("%s: %q, %v", name, v, ok)
		}
	}
	if _, ok := m.Get("Resource"); ok {
		t.Error("there is a Resource")
	}
	for n := 1; n < len(b); n++ {
		if _, err := zmtp.ParseMetadata(b[:n]); err == nil && n != 22 {
			t.Errorf("cut at %d: no error", n)
		} else if n != 22 {
			wantErr(t, err, zmtp.ErrMalformed, "")
		}
	}
}

func TestMetadataRefused(t *testing.T) {
	many := ""
	for i := range zmtp.MaxProperties + 1 {
		many += fmt.Sprintf("\x03x%02d\x00\x00\x00\x00", i)
	}
	for _, test := range []struct {
		name, b string
		want    error
		text    string
	}{
		{"no name", "\x00\x00\x00\x00\x00", zmtp.ErrMalformed, `""`},
		{"name cut short", "\x05ab", zmtp.ErrMalformed, "byte 0 of 3 is cut short: its name has 5 bytes"},
		{"no size", "\x02ab\x00\x00\x00", zmtp.ErrMalformed, "cut short"},
		{"value cut short", "\x02ab\x00\x00\x00\x03xy", zmtp.ErrMalformed, "its value has 3 bytes"},
		{"2^32-1 bytes", "\x02ab\xff\xff\xff\xffxy", zmtp.ErrMalformed, "4294967295"},
		{"2^31-1 bytes", "\x02ab\x7f\xff\xff\xff", zmtp.ErrMalformed, "2147483647"},
		{"space in the name", "\x02a \x00\x00\x00\x00", zmtp.ErrMalformed, `"a "`},
		{"twice", "\x02ab\x00\x00\x00\x00\x02AB\x00\x00\x00\x00", zmtp.ErrMalformed, "AB is there twice"},
		{"too many", many, zmtp.ErrLimit, "at most 64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := zmtp.ParseMetadata([]byte(test.b))
			wantErr(t, err, test.want, test.text)
			if m != nil {
				t.Errorf("%+v beside an error", m)
			}
		})
	}
	if m, err := zmtp.ParseMetadata([]byte(many[:len(many)-8])); err != nil || len(m) != zmtp.MaxProperties {
		t.Errorf("as many as are allowed: %d, %v", len(m), err)
	}
}

// Each row of RFC 37's table of who may talk to whom.
func TestSocketTypes(t *testing.T) {
	table := map[zmtp.SocketType]string{
		"REQ": "REP ROUTER", "REP": "REQ DEALER", "DEALER": "REP DEALER ROUTER", "ROUTER": "REQ DEALER ROUTER",
		"PUB": "SUB XSUB", "XPUB": "SUB XSUB", "SUB": "PUB XPUB", "XSUB": "PUB XPUB",
		"PUSH": "PULL", "PULL": "PUSH", "PAIR": "PAIR", "CLIENT": "SERVER", "SERVER": "CLIENT",
		"RADIO": "DISH", "DISH": "RADIO", "SCATTER": "GATHER", "GATHER": "SCATTER", "PEER": "PEER", "CHANNEL": "CHANNEL",
	}
	for a, partners := range table {
		if !a.Valid() {
			t.Errorf("%s is not valid", a)
		}
		for b := range table {
			want := strings.Contains(" "+partners+" ", " "+string(b)+" ")
			if got := a.Compatible(b); got != want {
				t.Errorf("%s and %s: %v", a, b, got)
			}
			if a.Compatible(b) != b.Compatible(a) {
				t.Errorf("%s and %s: not mutual", a, b)
			}
		}
	}
	for _, s := range []zmtp.SocketType{"", "STREAM", "dealer"} {
		if s.Valid() || s.Compatible(zmtp.Dealer) {
			t.Errorf("%q is valid", s)
		}
	}
}
