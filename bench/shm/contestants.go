package shmbench

// ends are the contestants that are written in Go.
var ends = map[string]open{
	"fairlead":          openFairlead,
	"fairlead-messages": openMessages,
	"fairlead-packed":   openPacked,
	"floor":             openFloor,
	"unix":              openSocket("unix"),
	"tcp":               openSocket("tcp"),
	"pipe":              openPipes,
	"fairlead-zmq":      openZMQ,
}

// hugeMessage is from what size those who always sleep take part with sleep only:
// the other modes are the same work, of a tenth of a second for each message.
const hugeMessage = 64 << 20

func alwaysAsleep(w workload) string {
	if w.size >= hugeMessage && w.mode != asleep && w.sender != pub {
		return "it always sleeps: see the same case with sleep"
	}
	return ""
}

// goRivals are these contestants in the order of the report.
func goRivals() []*rival {
	return []*rival{
		{who: "fairlead", note: "package shm: a Writer, copies up to 1 KiB and its own message above, and a Reader", missing: fairleadMissing},
		{who: "fairlead-messages", note: "package shm: a message of the pipe for each, received and released", missing: fairleadMissing},
		{who: "fairlead-packed", note: "package shm: a Writer that packs many messages into a block", missing: fairleadMissing, not: func(w workload) string {
			if w.sender != send || w.size > packedMessage {
				return "only small messages of a stream are packed"
			}
			return ""
		}},
		{who: "fairlead-zmq", note: "package zmq, PAIR to PAIR by ipc", not: func(w workload) string {
			if w.sender == pub {
				return "a ZeroMQ publisher drops what is not taken in time; the suite zmq has it, with a window"
			}
			return alwaysAsleep(w)
		}},
		{who: "floor", note: "two cache lines, and to sleep two eventfds, for a round trip; a ring of cache lines for a stream, always spinning", missing: floorMissing, inherit: inheritFloor},
		{who: "unix", note: "Go's sockets of the file system, always asleep; small messages of a stream about 64 KiB together", not: alwaysAsleep},
		{who: "tcp", note: "Go's sockets by loopback, in the same way", not: alwaysAsleep},
		{who: "pipe", note: "pipes, in the same way", missing: pipeMissing, inherit: inheritPipes, not: alwaysAsleep},
	}
}
