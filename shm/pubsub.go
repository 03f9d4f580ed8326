package shm

import (
	"fmt"
	"os"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// Policy is what happens to a subscriber that does not keep up, once as many
// messages wait for it as it has room for.
type Policy uint8

const (
	// DropOldest leaves out the message that has waited longest.
	DropOldest Policy = iota
	// DropNewest leaves out the message that is published.
	DropNewest
	// Block makes Publish wait. The publisher has to allow it.
	Block
	// Disconnect ends the subscription: Recv gives [ErrSlow]. What the subscriber
	// holds stays readable until it is released.
	Disconnect
)

func (p Policy) String() string {
	names := [...]string{"drop oldest", "drop newest", "block", "disconnect"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("Policy(%d)", uint8(p))
}

// ErrSlow is matched by the error of a subscriber that was disconnected because it
// did not keep up, or held more messages than it may. It matches ErrDisconnected
// too.
var ErrSlow = fmt.Errorf("%w: the subscriber was too slow", ErrDisconnected)

const (
	// MaxDepth is how many messages can wait for a subscriber.
	MaxDepth     = pubQueue
	defaultDepth = 64
	defaultHeld  = 256
)

// PublisherOptions says how a publisher works. The zero value is useful.
type PublisherOptions struct {
	// History is how many of the last messages are kept for subscribers that come
	// later. Default 0, at most MaxDepth.
	History int
	// AllowBlock lets subscribers choose [Block], and so stop the publisher.
	AllowBlock bool
	// MaxSubscribers is how many there may be at once, with those that have closed and
	// still hold messages. Default 64.
	MaxSubscribers int
	// MaxHeld is how many messages a subscriber may have received and not
	// released. One that wants more is served as if it did not keep up. Default 256.
	MaxHeld int
	// MaxBytes is how much memory the messages may take. Default 1 GiB, on 32-bit
	// systems 256 MiB.
	MaxBytes int64
	// HugePages and HugeFolder are as in [Options]. Who subscribes to a publisher with
	// a HugeFolder needs SubscriberOptions.Unsealed.
	HugePages  bool
	HugeFolder string
	// UIDs are the users whose processes may subscribe. Default: the user of this
	// process.
	UIDs []int
	// Wait is how Publish waits for subscribers with the policy Block.
	Wait Wait
	// Replace takes the path over from a publisher that is there, if it is of the same
	// user: for a hot restart. That one's Publish gives [ErrReplaced] from then on, its
	// subscribers receive what it has published and then come to this one if they have
	// the option Reconnect, and numbers go on, so that they know what they missed.
	Replace bool

	unit int // as in Options
}

func (o *PublisherOptions) check() error {
	if !mem.SharedSupported() {
		return ErrUnsupported
	}
	if o.MaxSubscribers == 0 {
		o.MaxSubscribers = DefaultMaxPeers
	}
	if o.MaxHeld == 0 {
		o.MaxHeld = defaultHeld
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if len(o.UIDs) == 0 {
		o.UIDs = []int{os.Geteuid()}
	}
	if o.HugeFolder != "" {
		unit, err := mem.FolderUnit(o.HugeFolder)
		if err != nil {
			return fmt.Errorf("shm: publisher options: HugeFolder: %w", err)
		}
		o.unit = unit
	}
	if o.History < 0 || o.History > MaxDepth || o.MaxSubscribers < 0 || o.MaxHeld < 0 || o.Wait > Sleep ||
		o.MaxBytes < pubRegionBytes || o.MaxBytes > int64(^uint(0)>>1) {
		return fmt.Errorf("shm: publisher options: %+v", *o)
	}
	return nil
}

// SubscriberOptions says what a subscriber wants. The zero value receives what is
// published from now on, and loses the oldest when it does not keep up.
type SubscriberOptions struct {
	// Policy is what happens when the subscriber does not keep up.
	Policy Policy
	// Depth is how many messages may wait for it. Default 64, at most MaxDepth.
	Depth int
	// History is how many messages that were published before it wants, if the
	// publisher keeps as many. At most Depth.
	History int
	// Latest makes Recv give the newest message and leave out all before it: it is
	// DropOldest with a Depth and a History of 1.
	Latest bool
	// MaxBytes is how much of the publisher's memory is mapped. Default 1 GiB, on
	// 32-bit systems 256 MiB.
	MaxBytes int64
	// Reconnect makes Recv and Next wait for the next publisher at the path when one
	// has closed, was replaced or has died. They do not give io.EOF then.
	Reconnect bool
	// OnRestart, if not nil, is called by Recv and Next before they return the first
	// message of another publisher.
	OnRestart func(Restart)
	// Limits, Wait, UIDs and Unsealed are as in [Options].
	Limits   segment.Limits
	Wait     Wait
	UIDs     []int
	Unsealed bool
}

func (o *SubscriberOptions) check() error {
	if !mem.SharedSupported() {
		return ErrUnsupported
	}
	if o.Latest {
		if o.Policy != DropOldest || o.Depth > 1 || o.History > 1 {
			return fmt.Errorf("shm: subscriber options: Latest with policy %s, depth %d, history %d", o.Policy, o.Depth, o.History)
		}
		o.Depth, o.History = 1, 1
	}
	if o.Depth == 0 {
		o.Depth = defaultDepth
	}
	if len(o.UIDs) == 0 {
		o.UIDs = []int{os.Geteuid()}
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	o.Limits = o.Limits.WithDefaults()
	if o.MaxBytes < pubRegionBytes || o.MaxBytes > int64(^uint(0)>>1) {
		return fmt.Errorf("shm: subscriber options: MaxBytes is %d, want at least %d", o.MaxBytes, pubRegionBytes)
	}
	if o.Policy > Disconnect || o.Depth < 0 || o.Depth > MaxDepth || o.History < 0 || o.History > o.Depth || o.Wait > Sleep {
		return fmt.Errorf("shm: subscriber options: policy %s, depth %d, history %d, wait %s", o.Policy, o.Depth, o.History, o.Wait)
	}
	return nil
}

// A publisher's first region, which all its subscribers map:
//
//	0x00000 ┌─────────────────────────────────────────────────────────────┐
//	        │ header: magic · version                                     │
//	0x01000 ├─────────────────────────────────────────────────────────────┤
//	        │ table: 4,096 entries of 64 bytes, a message that is out each │
//	0x41000 ├─────────────────────────────────────────────────────────────┤
//	        │ blocks                                                      │
//	        └─────────────────────────────────────────────────────────────┘
//	entry   w0 number of the message, from 1 on 48 │ segments 16 │ w1 … w7 places, or
//	        of more than seven segments w1 the place of a table of them, or
//	        of 0xff01 … 0xff07 segments that many words: the message itself
//
// A queue, which the publisher makes for each subscriber:
//
//	0x0080  floor   what was queued before it is no longer for the subscriber
//	0x0100  sleep   the publisher sleeps until the subscriber has got so far
//	0x0180  state   1 after the publisher has closed, 2 for a slow subscriber, 3 after
//	        another publisher has taken its place
//	0x1000  queue: 1,024 words: position + 1 32 │ entry of the table 32
//
// What a subscriber writes, and the publisher reads:
//
//	0x0080  cursor  how far it has got in its queue
//	0x0100  sleep   odd: the subscriber sleeps, ring it
//	0x1000  holds: 4,096 words, not 0 while it uses the message in that entry
//
// The subscriber takes a message in these steps: it reads the queue and the entry,
// says that it holds the entry, looks whether the floor is still below, and only
// then moves its cursor. The publisher takes a message away in these: it raises the
// floor, then looks whether the entry is held. Each looks at the other's word after
// it has written its own, with an exchange, so that at least one of them sees what
// the other does: a subscriber that sees the floor above gives up, and a publisher
// that sees a hold waits until it is gone. An entry and its blocks are used again
// when no subscriber has it in its queue or holds it.
//
// A message that lies in its entry is copied, and then the subscriber looks at the
// floor; it holds nothing. From one with the policy Block nothing is ever taken away.
// It moves its cursor only after several messages, and before it waits, and then says
// which of them it still holds.
//
// A subscriber that closes says so over the socket if it holds messages, and closes the
// socket after it has released the last. The publisher gives it nothing from then on,
// takes away what is in its queue and not held, and looks at what it holds as before.
// The end of the socket, also by a death, gives everything back.
const (
	pubMagic   = 0x316275706c726146 // "Farlpub1"
	subMagic   = 0x316275736c726146 // "Farlsub1"
	pubVersion = 3

	pubEntries     = 4096
	atPubTable     = 0x1000
	atPubBlocks    = atPubTable + pubEntries*64
	pubRegionBytes = 512 << 10

	pubQueue      = 1024
	atQueueFloor  = 0x0080
	atQueueSleep  = 0x0100
	atQueueState  = 0x0180
	atQueueRing   = 0x1000
	pubQueueBytes = atQueueRing + pubQueue*8

	atSubCursor = 0x0080
	atSubSleep  = 0x0100
	atSubHolds  = 0x1000
	subBytes    = atSubHolds + pubEntries*8

	pubPlaces = 7                // in an entry
	inEntry   = 0xff00           // and so many words are the message itself
	pubWords  = pubPlaces * 8    // the largest of those, in bytes
	pubMost   = inEntry          // segments of a message
	pubNumber = 16               // where its number begins
	pubKind   = 1<<pubNumber - 1 // what is below that

	// States of a queue, beside stateOpen and stateClosed.
	stateSlow     = 2
	stateReplaced = 3
)

// subWords are what a subscriber writes.
type subWords struct {
	cursor, sleep *mem.Word
	holds         []mem.Word
}

func subWordsOf(b []byte) (subWords, error) {
	w, err := mem.Words(b)
	if err != nil {
		return subWords{}, fmt.Errorf("shm: %w", err)
	}
	return subWords{&w[atSubCursor/8], &w[atSubSleep/8], w[atSubHolds/8 : atSubHolds/8+pubEntries]}, nil
}

// queueWords are a queue.
type queueWords struct {
	floor, sleep, state *mem.Word
	ring                []mem.Word
}

func queueWordsOf(b []byte) (queueWords, error) {
	w, err := mem.Words(b)
	if err != nil {
		return queueWords{}, fmt.Errorf("shm: %w", err)
	}
	return queueWords{
		&w[atQueueFloor/8], &w[atQueueSleep/8], &w[atQueueState/8],
		w[atQueueRing/8 : atQueueRing/8+pubQueue],
	}, nil
}

// The words of the two greetings, and the descriptors that come with them.
const (
	subGreetPolicy = 3 + iota // the first three are as those of a pipe
	subGreetDepth
	subGreetHistory

	// What a publisher answers: who it is, the number of the last message before its
	// first, and whose numbers these continue, 0 if nobody's. One that is asked to
	// give up its place answers who it is, and the number of its last message.
	pubGreetGeneration = 3
	pubGreetNumber     = 4
	pubGreetBefore     = 5

	// What a subscriber says over the socket, beside its answers to controlDrop: it has
	// closed, and holds messages.
	controlResign = controlAnswer + 1

	subGreetDescriptors = 2 // what the subscriber writes, its doorbell
	pubGreetDescriptors = 3 // the first region, the queue, the publisher's doorbell
)
