package deadline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at time.Time
		w := Watch{SetDeadline: func(d time.Time) error { at = d; return nil }}
		check := func(what string, want time.Time) {
			t.Helper()
			synctest.Wait()
			if !at.Equal(want) {
				t.Errorf("%s: the deadline is %v, want %v", what, at, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		if !w.Begin(ctx, 0) || w.End() {
			t.Error("a call whose context lasts was ended")
		}
		if !w.Begin(context.Background(), time.Minute) {
			t.Error("a call without a context must not begin")
		}
		cancel() // that of an earlier call
		check("limited", time.Now().Add(time.Minute))
		if w.End() {
			t.Error("a call was ended by an earlier one's context")
		}
		check("after a limit", time.Time{})
		if w.Begin(ctx, 0) {
			t.Error("a call begins though its context has ended")
		}
		ctx, cancel = context.WithCancel(t.Context())
		if !w.Begin(ctx, 0) {
			t.Error("a call with a new context must not begin")
		}
		cancel()
		check("context ended", Past)
		if !w.End() {
			t.Error("a call that the context ended is not told")
		}
		check("afterwards", time.Time{})
		if !w.Begin(t.Context(), 0) {
			t.Error("a call must not begin")
		}
		w.Interrupt()
		check("interrupted", Past)
		if w.End() {
			t.Error("an interrupted call is told to be ended by its context")
		}
		check("after that", time.Time{})
		w.Interrupt() // before a call: it ends that
		if !w.Begin(t.Context(), 0) {
			t.Error("a call must not begin after Interrupt")
		}
		check("interrupted before", Past)
		w.End()
		check("after that too", time.Time{})
		w.Close(true)
		check("closed", Past)
		if w.Begin(t.Context(), 0) {
			t.Error("a call begins after Close")
		}
	})
}
