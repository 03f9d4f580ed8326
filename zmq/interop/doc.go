// Package interop holds the tests of package zmq against libzmq: every pair of
// socket types, security, heartbeats, reconnecting, high-water marks and
// subscriptions, over tcp and ipc. It has no code of its own.
//
// The peers are two child processes that do what they are told line by line:
// testdata/peer.py with pyzmq, and testdata/peer.c, which the tests compile
// against libzmq's headers. Tests whose peer is not installed are skipped, and
// fail if the environment has FAIRLEAD_REQUIRE_PEERS=1. The peers' language is
// described in peer_test.go.
//
// Some flags make more of it:
//
//	go test ./zmq/interop -large        # frames of 256 MiB
//	go test ./zmq/interop -restarts 200 # how often each peer is killed
//	go test ./zmq/interop -chaos 1000   # random sessions, with -chaos.storms also stormy ones
package interop
