package zmqbench

import "fmt"

// end is one end of a connection: a socket of one of the libraries.
type end interface {
	// send sends n messages of the frames that the end was opened with, which
	// lie ready and do not change.
	send(n int) error
	// recv receives n messages, looks at the number and the lengths of their
	// frames, and gives their memory back.
	recv(n int) error
	// sendFrames sends a message of these frames, which nobody changes later.
	sendFrames(frames [][]byte) error
	// recvFrames receives a message of any shape. Its frames are valid until
	// the next call.
	recvFrames() ([][]byte, error)
}

// setup is what an end is opened for.
type setup struct {
	role role
	shape
	// endpoint is where to bind or connect. A worker that binds to a wildcard
	// port tells what it got.
	endpoint string
	curve    bool
}

// highWater is the mark of the socket in messages. Where the socket would drop
// it is well above the window.
func (s setup) highWater() int {
	if s.role == pub || s.role == sub {
		return 4 * s.window()
	}
	return s.shape.highWater()
}

// open opens an end, and tells the endpoint that the other one connects to.
type open func(setup) (e end, endpoint string, err error)

// expect compares the lengths of a received message's frames.
func (s shape) expect(frames [][]byte) error {
	if len(frames) != s.frames {
		return fmt.Errorf("zmqbench: received %d frames, want %d", len(frames), s.frames)
	}
	for _, f := range frames {
		if len(f) != s.frameSize() {
			return fmt.Errorf("zmqbench: received a frame of %d bytes, want %d", len(f), s.frameSize())
		}
	}
	return nil
}

// The keys of both sides of CURVE, here and in the C program. They guard
// nothing.
const (
	clientPublic = "A<5UtFGLpb^W^JjGtfFbI@).BS4Wy9KJ($9kx9Rr"
	clientSecret = "VTOsV4HCKta(kEhj!k@1bi0T9ds{tM4aYs&w=!t2"
	serverPublic = "wV=6(^OaUEwu8^=Ev>K6.hywF59<qrL15QK7sHPT"
	serverSecret = "of44Zbbn*1ug)LMyse3<GbfvD{5Jr6R!80WvZ!)l"
)
