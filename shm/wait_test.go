package shm

import (
	"testing"
	"time"
)

// TestPatience drives the rule that says whether a wait spins.
func TestPatience(t *testing.T) {
	var p patience
	for range misses {
		if p.spent() {
			t.Fatal("it gives up too early")
		}
		p.missed()
	}
	if !p.spent() {
		t.Fatal("it does not give up")
	}
	for range 100 {
		p.slept(time.Millisecond)
	}
	if !p.spent() {
		t.Fatal("long sleeps make it spin again")
	}
	// Sleeps are short, and every spin is in vain: there are ever fewer of them.
	spins := 0
	for range 10_000 {
		if !p.spent() {
			spins++
			p.missed()
			continue
		}
		p.slept(spinBudget / 2)
	}
	if spins < 5 || spins > 25 {
		t.Errorf("%d spins in 10,000 waits", spins)
	}
	for p.spent() {
		p.slept(spinBudget / 2)
	}
	p.hit()
	for range misses {
		if p.spent() {
			t.Error("a spin that was not in vain does not count")
		}
		p.missed()
	}
	p.slept(spinBudget / 2)
	if p.spent() {
		t.Error("after one that was not in vain it is not tried again soon")
	}
}
