package spin

import (
	"testing"
	"time"
)

const budget = 20 * time.Microsecond

// TestPatience drives the rule that says whether a wait spins.
func TestPatience(t *testing.T) {
	var p Patience
	for range misses {
		if p.Spent() {
			t.Fatal("it gives up too early")
		}
		p.Missed()
	}
	if !p.Spent() {
		t.Fatal("it does not give up")
	}
	for range 100 {
		p.Slept(time.Millisecond, budget)
	}
	if !p.Spent() {
		t.Fatal("long sleeps make it spin again")
	}
	// Sleeps are short, and every spin is in vain: there are ever fewer of them.
	spins := 0
	for range 10_000 {
		if !p.Spent() {
			spins++
			p.Missed()
			continue
		}
		p.Slept(budget/2, budget)
	}
	if spins < 5 || spins > 25 {
		t.Errorf("%d spins in 10,000 waits", spins)
	}
	for p.Spent() {
		p.Slept(budget/2, budget)
	}
	p.Hit()
	for range misses {
		if p.Spent() {
			t.Error("a spin that was not in vain does not count")
		}
		p.Missed()
	}
	p.Slept(budget/2, budget)
	if p.Spent() {
		t.Error("after one that was not in vain it is not tried again soon")
	}
}
