package shm

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A crashLog adds up what the deaths came to.
type crashLog struct {
	seed  uint64
	began time.Time
	rows  []*crashRow
	total crashRow
	wrong []string
}

// crashRow is a point and a way to connect.
type crashRow struct {
	point, way               string
	deaths, fired, connected int
	sent, received, acked    uint64
	told                     time.Duration
}

func newCrashLog(seed uint64) *crashLog { return &crashLog{seed: seed, began: time.Now()} }

func (l *crashLog) row(point, way string) *crashRow {
	for _, r := range l.rows {
		if r.point == point && r.way == way {
			return r
		}
	}
	r := &crashRow{point: point, way: way}
	l.rows = append(l.rows, r)
	return r
}

func (l *crashLog) add(c crashTrial, o crashOutcome, err error) {
	for _, r := range []*crashRow{l.row(c.point, c.way), &l.total} {
		r.deaths++
		if o.fired {
			r.fired++
		}
		if o.connected {
			r.connected++
		}
		r.sent += o.sent
		r.received += o.received
		r.acked += o.acknowledged
		r.told = max(r.told, o.told)
	}
	if err != nil {
		l.wrong = append(l.wrong, fmt.Sprintf("%v: %v", c, err))
	}
}

// missed lists the points to which no process came.
func (l *crashLog) missed() []string {
	var list []string
	for _, r := range l.rows {
		if r.point != "-" && !slices.Contains(list, r.point) && !slices.ContainsFunc(l.rows, func(o *crashRow) bool { return o.point == r.point && o.fired > 0 }) {
			list = append(list, r.point)
		}
	}
	return list
}

// points counts the different points that killed somebody.
func (l *crashLog) points() int {
	var names []string
	for _, r := range l.rows {
		if r.fired > 0 && !slices.Contains(names, r.point) {
			names = append(names, r.point)
		}
	}
	return len(names)
}

func (l *crashLog) summary() string {
	return fmt.Sprintf("%d processes killed, %d of them at %d named points, %d while connected; %d messages sent and %d received by the survivors, %d acknowledged; told within %v; %d faults",
		l.total.deaths, l.total.fired, l.points(), l.total.connected, l.total.sent, l.total.received, l.total.acked, l.total.told.Round(100*time.Microsecond), len(l.wrong))
}

// report is the page that is kept in the repository.
func (l *crashLog) report() []byte {
	var b bytes.Buffer
	var name unix.Utsname
	_ = unix.Uname(&name)
	fmt.Fprintf(&b, "# Killed processes\n\nWhat `TestCrash` says of its last long run; the command is in its comment.\n\n")
	fmt.Fprintf(&b, "%s.\n\n", l.summary())
	fmt.Fprintf(&b, "%s, %s/%s, Linux %s, %d processors, %s; seed %d.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		strings.TrimRight(string(name.Release[:]), "\x00"), runtime.NumCPU(), time.Since(l.began).Round(time.Second), l.seed)
	fmt.Fprintf(&b, `Two processes send to each other as fast as they can, messages of %d kinds: in a slot, in one block, in several, with a table of segments, in a region of their own, and as parts of other messages of either party. One of them is killed with SIGKILL. It dials, listens, or has inherited one end of a pair; "clean-up" is one that at this time takes back what a third end held that is gone. After each death:

- the survivor's Send and Recv end, while the dead one is still a zombie ("told" is the longest time from its death);
- the survivor has received every message for which the dead one's Send had returned, in order, once and with the right contents, and none that it had not begun to send;
- no more messages count as given back than the dead one had begun to release;
- what the survivor holds is readable and unchanged until it releases it;
- nothing is lent and no block is taken; descriptors and mappings are those from before; there are no files but sockets. The next process connects by the same path.

`, 8)
	fmt.Fprintf(&b, "| point | the victim | killed | there | connected | sent | received | given back | told |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range l.rows {
		point := "`" + r.point + "`"
		if r.point == "-" {
			point = "a random instant"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %d | %v |\n", point, r.way, r.deaths, r.fired, r.connected, r.sent, r.received, r.acked, r.told.Round(100*time.Microsecond))
	}
	if len(l.wrong) > 0 {
		fmt.Fprintf(&b, "\n## Faults\n\n")
		for _, w := range l.wrong {
			fmt.Fprintf(&b, "- %s\n", w)
		}
	}
	return b.Bytes()
}
