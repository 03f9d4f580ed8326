package zmtp

// The names of the commands.
const (
	cmdReady     = "READY"
	cmdError     = "ERROR"
	cmdPing      = "PING"
	cmdPong      = "PONG"
	cmdSubscribe = "SUBSCRIBE"
	cmdCancel    = "CANCEL"
	cmdHello     = "HELLO"
	cmdWelcome   = "WELCOME"
	cmdInitiate  = "INITIATE"
)

const maxReason = 255 // the longest reason of an ERROR command, in bytes

// Command is the content of a command frame.
type Command struct {
	Name string
	Data []byte // aliases what it was parsed from
}

// ParseCommand parses the body of a command frame. It doesn't allocate for the
// names that the protocol defines. A name is 1 to 255 letters.
func ParseCommand(body []byte) (Command, error) {
	if len(body) == 0 {
		return Command{}, fault(ErrMalformed, "command without a name")
	}
	end := 1 + int(body[0])
	if body[0] == 0 || end > len(body) {
		return Command{}, fault(ErrMalformed, "command of %d bytes whose name has %d", len(body), body[0])
	}
	name := body[1:end]
	for _, c := range name {
		if lower := c | 0x20; lower < 'a' || lower > 'z' {
			return Command{}, fault(ErrMalformed, "command name %q", name)
		}
	}
	return Command{Name: intern(name), Data: body[end:]}, nil
}

// intern is string(name) without an allocation for the names that are known.
func intern(name []byte) string {
	for _, known := range [...]string{
		cmdPing, cmdPong, cmdSubscribe, cmdCancel, cmdReady, cmdError, cmdHello, cmdWelcome, cmdInitiate,
	} {
		if string(name) == known {
			return known
		}
	}
	return string(name)
}

// AppendCommand appends the body of a command frame: the name and the data. It
// panics if the name is not 1 to 255 bytes long.
func AppendCommand(dst []byte, name string, data []byte) []byte {
	return append(appendName(dst, name), data...)
}

func appendName(dst []byte, name string) []byte {
	if name == "" || len(name) > 255 {
		panic("zmtp: invalid command name " + name)
	}
	return append(append(dst, byte(len(name))), name...)
}

// AppendError appends the body of an ERROR command, the reason cut to 255 bytes.
func AppendError(dst []byte, reason string) []byte {
	reason = reason[:min(len(reason), maxReason)]
	return append(append(appendName(dst, cmdError), byte(len(reason))), reason...)
}

// parseReason parses the data of an ERROR command.
func parseReason(data []byte) (string, error) {
	if len(data) == 0 || len(data) != 1+int(data[0]) {
		return "", fault(ErrMalformed, "ERROR with %d bytes of data", len(data))
	}
	return string(data[1:]), nil
}
