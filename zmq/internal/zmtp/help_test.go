package zmtp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// says returns the metadata of a socket of that type.
func says(kind zmtp.SocketType, identity string) zmtp.Metadata {
	return zmtp.Metadata{
		{Name: zmtp.PropSocketType, Value: []byte(kind)},
		{Name: zmtp.PropIdentity, Value: []byte(identity)},
	}
}

// must returns v or ends the test's program.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	serverKeys = zmtp.GenerateKeyPair()
	clientKeys = zmtp.GenerateKeyPair()
)

// pair is a mechanism with both its sides, as a test makes them.
type pair struct {
	name           string
	client, server func() zmtp.Mechanism
}

// pairs returns the mechanisms. The client is a DEALER "me", the server a ROUTER.
func pairs() []pair {
	client, server := says(zmtp.Dealer, "me"), says(zmtp.Router, "")
	return []pair{
		{
			zmtp.NULL,
			func() zmtp.Mechanism { return must(zmtp.NewNULL(client)) },
			func() zmtp.Mechanism { return must(zmtp.NewNULL(server)) },
		},
		{
			zmtp.PLAIN,
			func() zmtp.Mechanism { return must(zmtp.NewPLAINClient("admin", "secret", client)) },
			func() zmtp.Mechanism {
				return must(zmtp.NewPLAINServer(zmtp.AllowUsers(map[string]string{"admin": "secret"}), server))
			},
		},
		{
			zmtp.CURVE,
			func() zmtp.Mechanism { return must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), client)) },
			func() zmtp.Mechanism {
				return must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowKeys(clientKeys.Public()), server))
			},
		},
	}
}

// step is a command on its way: who is to get it, in the state it is in then.
type step struct {
	to   zmtp.Mechanism // a copy from before the command
	body []byte
}

// shake runs a handshake to its end and returns what was delivered. It stops at
// the first error and returns it with the side that had it.
func shake(client, server zmtp.Mechanism) (steps []step, at zmtp.Mechanism, err error) {
	type parcel struct {
		to, from zmtp.Mechanism
		body     []byte
	}
	var queue []parcel
	finished := 0
	put := func(from, to zmtp.Mechanism, in []byte) error {
		out, done, err := from.Next(in)
		if out != nil {
			queue = append(queue, parcel{to, from, out})
		}
		if done {
			finished++
		}
		return err
	}
	if err := put(client, server, nil); err != nil {
		return nil, client, err
	}
	if err := put(server, client, nil); err != nil {
		return nil, server, err
	}
	var failed error
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		steps = append(steps, step{zmtp.Clone(p.to), p.body})
		if err := put(p.to, p.from, p.body); err != nil && failed == nil {
			failed, at = err, p.to
		}
	}
	if failed == nil && finished != 2 {
		return steps, nil, errors.New("the handshake came to no end")
	}
	return steps, at, failed
}

// session returns both ends of a CURVE connection.
func session(t testing.TB) (client, server *zmtp.Wrapper) {
	t.Helper()
	p := pairs()[2]
	c, s := p.client(), p.server()
	if _, _, err := shake(c, s); err != nil {
		t.Fatal(err)
	}
	return c.Wrapper(), s.Wrapper()
}

// wantErr fails the test unless err matches want, starts with the package's name
// and has the text in it.
func wantErr(t testing.TB, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want one that matches %v", err, want)
	}
	if !strings.HasPrefix(err.Error(), "zmtp: ") || !strings.Contains(err.Error(), text) {
		t.Fatalf("error %q, want one that starts with zmtp and has %q in it", err, text)
	}
}

// sentinels are all errors of the package.
var sentinels = []error{
	zmtp.ErrMalformed, zmtp.ErrLimit, zmtp.ErrVersion, zmtp.ErrMechanism, zmtp.ErrAuth, zmtp.ErrRefused,
}

// known fails the test unless err is nil or matches a sentinel.
func known(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return
		}
	}
	t.Fatalf("error %v matches no sentinel", err)
}
