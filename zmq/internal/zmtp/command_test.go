package zmtp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

func TestCommand(t *testing.T) {
	long := strings.Repeat("A", 255)
	for _, test := range []struct {
		name, body string
		want       string
		data       string
	}{
		{"PING", "\x04PING\x00\x0a", "PING", "\x00\x0a"},
		{"READY", "\x05READY", "READY", ""},
		{"unknown", "\x04JoinG", "Join", "G"},
		{"longest name", "\xff" + long + "x", long, "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := zmtp.ParseCommand([]byte(test.body))
			if err != nil || c.Name != test.want || string(c.Data) != test.data {
				t.Fatalf("got %+v, %v", c, err)
			}
			if got := zmtp.AppendCommand([]byte("x"), c.Name, c.Data); string(got) != "x"+test.body {
				t.Errorf("appended as %q", got)
			}
		})
	}
	for _, test := range []struct{ name, body, text string }{
		{"empty", "", "without a name"},
		{"no name", "\x00PING", "0"},
		{"name cut short", "\x05PING", "5 bytes whose name has 5"},
		{"digit", "\x04PIN1", `"PIN1"`},
		{"zero", "\x04PIN\x00", `"PIN\x00"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := zmtp.ParseCommand([]byte(test.body))
			wantErr(t, err, zmtp.ErrMalformed, test.text)
		})
	}
}

func TestAppendErrorCutsTheReason(t *testing.T) {
	got := zmtp.AppendError(nil, strings.Repeat("x", 300))
	if want := "\x05ERROR\xff" + strings.Repeat("x", 255); string(got) != want {
		t.Errorf("got %q", got)
	}
	if got := zmtp.AppendError(nil, ""); string(got) != "\x05ERROR\x00" {
		t.Errorf("got %q", got)
	}
}

func TestPing(t *testing.T) {
	for _, test := range []struct {
		name    string
		ttl     time.Duration
		context string
		want    string
		read    time.Duration
	}{
		{"nothing", 0, "", "\x04PING\x00\x00", 0},
		{"30 s", 30 * time.Second, "", "\x04PING\x01\x2c", 30 * time.Second},
		{"rounded up", 101 * time.Millisecond, "c", "\x04PING\x00\x02c", 200 * time.Millisecond},
		{"longest", 6553500 * time.Millisecond, "0123456789abcdef", "\x04PING\xff\xff0123456789abcdef", zmtp.MaxTTL},
		{"cut", 3 * time.Hour, "", "\x04PING\xff\xff", zmtp.MaxTTL},
		{"negative", -time.Second, "", "\x04PING\x00\x00", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := zmtp.AppendPing(nil, zmtp.Ping{TTL: test.ttl, Context: []byte(test.context)})
			if string(b) != test.want {
				t.Fatalf("got %q, want %q", b, test.want)
			}
			c, err := zmtp.ParseCommand(b)
			if err != nil {
				t.Fatal(err)
			}
			p, err := zmtp.ParsePing(c.Data)
			if err != nil || p.TTL != test.read || string(p.Context) != test.context {
				t.Fatalf("got %+v, %v", p, err)
			}
			pong, err := zmtp.ParseCommand(zmtp.AppendPong(nil, p.Context))
			if err != nil || pong.Name != "PONG" {
				t.Fatalf("got %+v, %v", pong, err)
			}
			if context, err := zmtp.ParsePong(pong.Data); err != nil || string(context) != test.context {
				t.Errorf("got %q, %v", context, err)
			}
		})
	}
	long := bytes.Repeat([]byte("x"), 17)
	_, err := zmtp.ParsePing(append([]byte{0, 1}, long...))
	wantErr(t, err, zmtp.ErrLimit, "PING context is 17, at most 16")
	_, err = zmtp.ParsePong(long)
	wantErr(t, err, zmtp.ErrLimit, "17")
	for _, short := range []string{"", "\x00"} {
		_, err = zmtp.ParsePing([]byte(short))
		wantErr(t, err, zmtp.ErrMalformed, "PING")
	}
	for name, f := range map[string]func(){
		"ping": func() { zmtp.AppendPing(nil, zmtp.Ping{Context: long}) },
		"pong": func() { zmtp.AppendPong(nil, long) },
		"name": func() { zmtp.AppendCommand(nil, "", nil) },
	} {
		t.Run("panic/"+name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestSubscription(t *testing.T) {
	for _, test := range []struct {
		name    string
		command bool
		body    string
		ok      bool
		cancel  bool
		topic   string
	}{
		{"command", true, "\x09SUBSCRIBEtopic", true, false, "topic"},
		{"command, everything", true, "\x09SUBSCRIBE", true, false, ""},
		{"cancel command", true, "\x06CANCELtopic", true, true, "topic"},
		{"message", false, "\x01topic", true, false, "topic"},
		{"message, everything", false, "\x01", true, false, ""},
		{"cancel message", false, "\x00topic", true, true, "topic"},
		{"other command", true, "\x04PING\x00\x00", false, false, ""},
		{"lower case", true, "\x09subscribe", false, false, ""},
		{"message of the application", false, "\x02hello", false, false, ""},
		{"empty message", false, "", false, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, ok, err := zmtp.ParseSubscription(test.command, []byte(test.body))
			if err != nil || ok != test.ok || s.Cancel != test.cancel || string(s.Topic) != test.topic {
				t.Fatalf("got %+v, %v, %v", s, ok, err)
			}
			if ok {
				if got := zmtp.AppendSubscription(nil, s, test.command); string(got) != test.body {
					t.Errorf("appended as %q", got)
				}
			}
		})
	}
	for _, command := range []bool{true, false} {
		for _, cancel := range []bool{true, false} {
			s := zmtp.Subscription{Cancel: cancel, Topic: make([]byte, zmtp.MaxTopic)}
			if _, ok, err := zmtp.ParseSubscription(command, zmtp.AppendSubscription(nil, s, command)); !ok || err != nil {
				t.Errorf("longest topic: %v, %v", ok, err)
			}
			s.Topic = append(s.Topic, 0)
			_, _, err := zmtp.ParseSubscription(command, zmtp.AppendSubscription(nil, s, command))
			wantErr(t, err, zmtp.ErrLimit, "topic is 1025, at most 1024")
		}
	}
	_, _, err := zmtp.ParseSubscription(true, nil)
	wantErr(t, err, zmtp.ErrMalformed, "")
}
