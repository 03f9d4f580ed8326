//go:build !linux

package rpc

import "time"

func doze(d time.Duration) { time.Sleep(d) }
