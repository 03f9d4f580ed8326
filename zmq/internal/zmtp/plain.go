package zmtp

// The mechanism PLAIN, RFC 24:
//
//	client  HELLO: length, user, length, password
//	server  WELCOME, or ERROR
//	client  INITIATE: metadata
//	server  READY: metadata
//
// Nothing of it is encrypted.

const maxCredential = 255 // the longest user name or password, in bytes

type plainClient struct {
	handshake
	login, password string
}

// NewPLAINClient returns the client's side of the mechanism PLAIN. User name and
// password have up to 255 bytes. The metadata must have a Socket-Type; it is not
// copied and must not change until the handshake is over.
func NewPLAINClient(user, password string, local Metadata) (Mechanism, error) {
	h, err := newHandshake(PLAIN, start, ErrMalformed, local)
	if err != nil {
		return nil, err
	}
	if len(user) > maxCredential {
		return nil, overLimit("length of the user name", maxCredential, uint64(len(user)))
	}
	if len(password) > maxCredential {
		return nil, overLimit("length of the password", maxCredential, uint64(len(password)))
	}
	return &plainClient{h, user, password}, nil
}

// Next implements [Mechanism].
func (m *plainClient) Next(in []byte) ([]byte, bool, error) { return m.finish(m.step(in)) }

func (m *plainClient) step(in []byte) ([]byte, error) {
	if m.state == start && in == nil {
		m.state = expectWelcome
		hello := append(appendName(nil, cmdHello), byte(len(m.login)))
		hello = append(append(hello, m.login...), byte(len(m.password)))
		return append(hello, m.password...), nil
	}
	data, err := m.take(in)
	if err != nil {
		return nil, err
	}
	if m.state == expectWelcome {
		if len(data) != 0 {
			return nil, fault(ErrMalformed, "PLAIN WELCOME with %d bytes of data, none are defined", len(data))
		}
		m.state = expectReady
		return AppendMetadata(appendName(nil, cmdInitiate), m.local), nil
	}
	if err := m.learn(data); err != nil {
		return nil, err
	}
	m.state = over
	return nil, nil
}

type plainServer struct {
	handshake
	auth Authenticator
}

// NewPLAINServer returns the server's side of the mechanism PLAIN. A nil auth
// denies everybody. The metadata must have a Socket-Type; it is not copied and
// must not change until the handshake is over.
func NewPLAINServer(auth Authenticator, local Metadata) (Mechanism, error) {
	h, err := newHandshake(PLAIN, expectHello, ErrMalformed, local)
	if err != nil {
		return nil, err
	}
	return &plainServer{h, auth}, nil
}

// Next implements [Mechanism].
func (m *plainServer) Next(in []byte) ([]byte, bool, error) {
	if m.state == expectHello && in == nil {
		return nil, false, nil
	}
	return m.finish(m.step(in))
}

func (m *plainServer) step(in []byte) ([]byte, error) {
	data, err := m.take(in)
	if err != nil {
		return nil, err
	}
	if m.state == expectHello {
		user, rest, ok := credential(data)
		password, rest, ok2 := credential(rest)
		if !ok || !ok2 || len(rest) != 0 {
			return nil, fault(ErrMalformed, "PLAIN HELLO with %d bytes of data is not a user name and a password", len(data))
		}
		if m.user, err = m.auth.ask(Request{Mechanism: PLAIN, User: user, Password: password}); err != nil {
			return refusal(reasonDenied), err
		}
		m.state = expectInitiate
		return appendName(nil, cmdWelcome), nil
	}
	if err := m.learn(data); err != nil {
		return refusal(reasonMetadata), err
	}
	m.state = over
	return AppendMetadata(appendName(nil, cmdReady), m.local), nil
}

// credential takes a string with its length in front off b.
func credential(b []byte) (s string, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	end := 1 + int(b[0])
	return string(b[1:end]), b[end:], true
}
