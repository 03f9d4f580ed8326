package zmtp

// MaxTopic is the length of the longest topic of a subscription, in bytes.
const MaxTopic = 1024

// The first byte of a subscription in the form of a message.
const (
	messageCancel    = 0
	messageSubscribe = 1
)

// Subscription is a subscriber's request to get, or no longer get, the messages
// whose first bytes are Topic.
type Subscription struct {
	Cancel bool
	Topic  []byte // aliases what it was parsed from
}

// ParseSubscription parses the body of a frame that a subscriber sent: a
// SUBSCRIBE or CANCEL command, as in ZMTP 3.1, or a message of one frame that
// begins with byte 1 or 0, as before. ok is false for what is no subscription:
// another command, or a message for the application. Which form a peer uses
// doesn't follow from its version, so both are always to be understood.
func ParseSubscription(command bool, body []byte) (s Subscription, ok bool, err error) {
	if !command {
		if len(body) == 0 || body[0] > messageSubscribe {
			return Subscription{}, false, nil
		}
		return checkTopic(Subscription{Cancel: body[0] == messageCancel, Topic: body[1:]})
	}
	c, err := ParseCommand(body)
	if err != nil {
		return Subscription{}, false, err
	}
	if c.Name != cmdSubscribe && c.Name != cmdCancel {
		return Subscription{}, false, nil
	}
	return checkTopic(Subscription{Cancel: c.Name == cmdCancel, Topic: c.Data})
}

func checkTopic(s Subscription) (Subscription, bool, error) {
	if len(s.Topic) > MaxTopic {
		return Subscription{}, false, overLimit("length of a topic", MaxTopic, uint64(len(s.Topic)))
	}
	return s, true, nil
}

// AppendSubscription appends the body of a frame that says s: of a command
// frame if the connection speaks ZMTP 3.1 or later, which is what command says,
// and else of a message of one frame.
func AppendSubscription(dst []byte, s Subscription, command bool) []byte {
	switch {
	case command && s.Cancel:
		return AppendCommand(dst, cmdCancel, s.Topic)
	case command:
		return AppendCommand(dst, cmdSubscribe, s.Topic)
	case s.Cancel:
		return append(append(dst, messageCancel), s.Topic...)
	default:
		return append(append(dst, messageSubscribe), s.Topic...)
	}
}
