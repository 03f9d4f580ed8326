package mem

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

const filesRide = true

func writeFiles(c *net.UnixConn, b []byte, files []*os.File) (n, sent int, err error) {
	// Their owner may close the files while this waits for the peer.
	fds := make([]int, 0, len(files))
	defer func() { closeDescriptors(fds) }()
	for _, f := range files[:min(len(files), MaxDescriptors)] {
		fd, err := descriptorOf(f)
		if err != nil {
			break
		}
		fds = append(fds, fd)
	}
	if len(fds) > 0 {
		n, _, err = c.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
		if !errors.Is(err, unix.ETOOMANYREFS) {
			return n, len(fds), err
		}
	}
	n, _, err = c.WriteMsgUnix(b, nil, nil)
	return n, 0, err
}

func (r *FileReader) read(b []byte, most int) (n int, files []*os.File, err error) {
	if space := unix.CmsgSpace(4 * most); len(r.control) != space {
		r.control = make([]byte, space)
	}
	// What does not fit is closed by the kernel (MSG_CTRUNC).
	n, nc, _, _, err := r.Conn.ReadMsgUnix(b, r.control)
	n = max(n, 0) // -1 with some errors
	if nc == 0 {
		return n, nil, err
	}
	fds, cerr := descriptors(r.control[:nc])
	if err == nil {
		err = cerr
	}
	if err != nil {
		closeDescriptors(fds)
		return n, nil, err
	}
	if len(fds) > most { // where the space was rounded up
		closeDescriptors(fds[most:])
		fds = fds[:most]
	}
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "received"))
	}
	return n, files, nil
}

func closeDescriptors(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// descriptors takes the descriptors out of what came beside the bytes.
func descriptors(control []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("mem: receive: %w", err)
	}
	var fds []int
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_RIGHTS {
			continue
		}
		more, err := unix.ParseUnixRights(&m)
		if err != nil {
			return fds, fmt.Errorf("mem: receive: %w", err)
		}
		fds = append(fds, more...)
	}
	return fds, nil
}
