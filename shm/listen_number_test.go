package shm

import (
	"os"
	"testing"
)

// One that was replaced closes while a third one takes the place, whose socket file may
// get the number of the first one's: it leaves that alone.
func TestReplacedClosesLate(t *testing.T) {
	path := newPath(t)
	first := publishAs(t, path, PublisherOptions{Replace: true})
	second := publishAs(t, path, PublisherOptions{Replace: true})
	for range 100 {
		done := make(chan error)
		go func(p *Publisher) { done <- p.Close() }(first)
		third := publishAs(t, path, PublisherOptions{Replace: true})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("the socket of the last one is gone: %v", err)
		}
		first, second = second, third
	}
}
