package shmbench

// end is one end of a connection, or of several, of one of the rivals.
type end interface {
	// send sends n messages, stamped from the number that the last one had on.
	send(n int) error
	// recv receives n messages, looks at their lengths and stamps, and gives
	// their memory back.
	recv(n int) error
	// sendBytes sends a message of these bytes.
	sendBytes(b []byte) error
	// recvBytes receives a message and gives a copy of all its bytes.
	recvBytes() ([]byte, error)
}

// setup is what an end is opened for.
type setup struct {
	shape
	role      role
	mode      mode
	receivers int // of the whole case
	endpoint  string
	which     int // of the subscribers, from 0
}

// open opens an end, and tells the endpoint that others connect to. One that
// listens must not wait for them.
type open func(setup) (e end, endpoint string, err error)
