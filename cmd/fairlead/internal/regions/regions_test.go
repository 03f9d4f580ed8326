package regions

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/shm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWatch(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	a := Region{Inode: 1, Owner: 20, Counters: shm.Counters{PID: 20, PeerPID: 30, Since: start, Sent: 100, SentBytes: 1e6, Slots: 100, Oldest: 90}}
	b := Region{Inode: 2, Owner: 30, Counters: shm.Counters{PID: 30, PeerPID: 20, Since: start, Taken: 93, Received: 93}}
	other := Region{Inode: 3, Owner: 30, Counters: shm.Counters{PID: 30, PeerPID: 20, Since: at(0.5), Taken: 5}}
	pub := Region{Inode: 4, Owner: 10, Counters: shm.Counters{Publisher: true, PID: 10, Since: at(1)}}
	var w Watch
	rates := w.Look([]Region{b, other, a, pub}, at(2))
	if len(rates) != 4 || rates[0].Inode != 4 || rates[1].Inode != 1 || rates[2].Inode != 2 || rates[3].Inode != 3 {
		t.Fatalf("%+v, want the publisher, then a, b and the other", rates)
	}
	if r := rates[1]; r.SentPerS != 50 || r.SentBytesPerS != 5e5 || r.Waiting != 7 || r.OldestAge != 0 {
		t.Errorf("a at the first look: %+v", r)
	}
	if r := rates[0]; r.Waiting != -1 {
		t.Errorf("the publisher: %+v", r)
	}
	a.Sent, a.SentBytes, a.Slots = 110, 1e6+2000, 110
	pub.Dropped = 3
	rates = w.Look([]Region{a, pub}, at(4))
	if r := rates[1]; r.SentPerS != 5 || r.SentBytesPerS != 1000 || r.Waiting != -1 || r.OldestAge != 2*time.Second {
		t.Errorf("a at the second look, its peer gone: %+v", r)
	}
	if r := rates[0]; r.DroppedPerS != 1.5 {
		t.Errorf("the publisher: %+v", r)
	}
	a.Oldest, a.Sent = 91, 0 // another region in the place of that one
	if r := w.Look([]Region{a}, at(5))[0]; r.OldestAge != 0 || r.SentPerS != 0 {
		t.Errorf("a at the third look: %+v", r)
	}
}
