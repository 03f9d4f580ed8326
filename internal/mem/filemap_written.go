//go:build purego || !unix

package mem

// Here the memory lies beside the file: what was built is written to the file
// when it is flushed. The storage on the disk is taken when the memory is, so a
// full disk is met at the same calls as with a mapping.

const fileMapShows = false

func (m *FileMap) open(n int) error {
	r, err := Reserve(n)
	if err != nil {
		return err
	}
	m.base = r.base // and is all that there is to know of r, with the extent
	return nil
}

func (m *FileMap) extended(n int) error {
	r := Region{base: m.base, committed: int(m.extent.Load())}
	_, err := r.Commit(n)
	return err
}

func (m *FileMap) flush(n int) error {
	_, err := m.file.WriteAt(m.base[:n], 0)
	return err
}

// detach has nothing to cut: the memory never was the file's.
func (m *FileMap) detach(int) error { return nil }

func (m *FileMap) unmap() error { return release(m.base) }
