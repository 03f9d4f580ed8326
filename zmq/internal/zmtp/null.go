package zmtp

// null is the mechanism NULL: both sides say READY, nobody proves anything.
type null struct{ handshake }

// NewNULL returns either side of the mechanism NULL. The metadata must have a
// Socket-Type; it is not copied and must not change until the handshake is over.
func NewNULL(local Metadata) (Mechanism, error) {
	h, err := newHandshake(NULL, start, ErrMalformed, local)
	if err != nil {
		return nil, err
	}
	return &null{h}, nil
}

// Next implements [Mechanism].
func (m *null) Next(in []byte) ([]byte, bool, error) { return m.finish(m.step(in)) }

func (m *null) step(in []byte) ([]byte, error) {
	if m.state == start && in == nil {
		m.state = expectReady
		return AppendMetadata(appendName(nil, cmdReady), m.local), nil
	}
	data, err := m.take(in)
	if err != nil {
		return nil, err
	}
	if err := m.learn(data); err != nil {
		return refusal(reasonMetadata), err
	}
	m.state = over
	return nil, nil
}
