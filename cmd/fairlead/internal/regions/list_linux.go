package regions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/fairlead-go/fairlead/shm"
)

const proc = "/proc"

// List finds the regions of all processes that this user may look at. Processes
// and regions that go away meanwhile are left out.
func List() ([]Region, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	found := map[uint64]Region{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			ofProcess(pid, found)
		}
	}
	all := make([]Region, 0, len(found))
	for _, r := range found {
		all = append(all, r)
	}
	return all, nil
}

// ofProcess adds the regions that a process has made. Their descriptors are open
// in it for as long as they are in use.
func ofProcess(pid int, found map[uint64]Region) {
	folder := filepath.Join(proc, strconv.Itoa(pid), "fd")
	fds, err := os.ReadDir(folder) // fails for processes of others
	if err != nil {
		return
	}
	for _, fd := range fds {
		path := filepath.Join(folder, fd.Name())
		if name, err := os.Readlink(path); err != nil || !strings.HasPrefix(name, "/memfd:"+shm.RegionName) {
			continue
		}
		r, err := read(path)
		if err != nil {
			continue // gone, or no first region
		}
		r.Owner, r.Command = pid, command(pid)
		// A child may have inherited it.
		if other, ok := found[r.Inode]; !ok || other.Owner != other.PID {
			found[r.Inode] = r
		}
	}
}

// read reads the counters of an open file of a process.
func read(path string) (r Region, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return r, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return r, errors.New("regions: no region")
	}
	page := make([]byte, shm.CountersBytes)
	if _, err := f.ReadAt(page, 0); err != nil && err != io.EOF {
		return r, err
	}
	r.Inode = stat.Ino
	r.Counters, err = shm.ReadCounters(page)
	return r, err
}

func command(pid int) string {
	b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
