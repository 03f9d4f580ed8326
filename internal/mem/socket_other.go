//go:build !linux || purego

package mem

import "net"

func sendDescriptors(*net.UnixConn, []byte, []int) error { return errUnsupported("SCM_RIGHTS") }

func receiveDescriptors(*net.UnixConn, []byte, int) ([]int, error) {
	return nil, errUnsupported("SCM_RIGHTS")
}

func peerCredentials(*net.UnixConn) (Credentials, error) {
	return Credentials{}, errUnsupported("SO_PEERCRED")
}

func duplicate(int) (int, error) { return -1, errUnsupported("duplicating a descriptor") }
