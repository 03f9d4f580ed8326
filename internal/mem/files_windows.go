package mem

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

func duplicateFile(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var dup windows.Handle
	var derr error
	err = raw.Control(func(h uintptr) {
		p := windows.CurrentProcess()
		derr = windows.DuplicateHandle(p, windows.Handle(h), p, &dup, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	if err == nil && derr != nil {
		err = fmt.Errorf("mem: duplicate the handle of %s: %w", f.Name(), derr)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dup), f.Name()), nil
}
