package shm

import (
	"flag"
	"testing"
)

var modelLarge = flag.Bool("model.large", false, "explore the larger sizes of the model too, some 40 million states and minutes")

func TestModel(t *testing.T) {
	for _, c := range []struct {
		name string
		modelConfig
		large bool
	}{
		{"two slots", modelConfig{messages: 3, slots: 2, every: 1, leases: 2, hold: 1, waiting: 2}, false},
		{"nothing is held", modelConfig{messages: 3, slots: 2, every: 1, leases: 3, waiting: 3}, true},
		{"crashes", modelConfig{messages: 2, slots: 2, every: 1, leases: 2, hold: 1, waiting: 2, crashes: true}, false},
		{"one slot and crashes", modelConfig{messages: 2, slots: 1, every: 1, leases: 2, waiting: 1, crashes: true}, false},
		{"four slots", modelConfig{messages: 5, slots: 4, every: 2, leases: 2, hold: 1, waiting: 2}, true},
		{"three slots", modelConfig{messages: 4, slots: 3, every: 1, leases: 3, hold: 2, waiting: 2}, true},
		{"more crashes", modelConfig{messages: 3, slots: 2, every: 1, leases: 3, hold: 1, waiting: 3, crashes: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.large && !*modelLarge {
				t.Skip("SKIPPED: -model.large is not set")
			}
			states, fault, trace := explore(c.modelConfig)
			if fault != "" {
				t.Fatalf("%s\n\t%s", fault, trace)
			}
			t.Logf("%d states", states)
		})
	}
}

// The model finds what is done wrong, or it would prove nothing.
func TestModelFindsMutants(t *testing.T) {
	for _, c := range []struct {
		name   string
		mutate func(*modelConfig)
	}{
		{"the slot is published by an ordinary store", func(c *modelConfig) { c.plainPublish = true }},
		{"the count of what was taken is an ordinary store", func(c *modelConfig) { c.plainConsumed = true }},
		{"no look again after arming", func(c *modelConfig) { c.noSecondLook = true }},
		{"no epoch in the sleeping word", func(c *modelConfig) { c.noEpoch = true }},
		{"a death rings no bell", func(c *modelConfig) { c.noDeathBell = true }},
		{"the last lease of a pile is an ordinary store", func(c *modelConfig) { c.plainReturn = true }},
		{"leases are asked for before the sender is seen to sleep", func(c *modelConfig) { c.hurryEarly, c.crashes = true, false }},
		{"the slot is published before its block is filled", func(c *modelConfig) { c.lateBody = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := modelConfig{messages: 3, slots: 1, every: 1, leases: 2, waiting: 2, crashes: true}
			c.mutate(&config)
			states, fault, trace := explore(config)
			if fault == "" {
				t.Fatalf("nothing was found in %d states", states)
			}
			t.Logf("%s, found after %d states:\n\t%s", fault, states, trace)
		})
	}
}
