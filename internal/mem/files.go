package mem

import (
	"net"
	"os"
)

// CarriesFiles tells whether c is a socket that descriptors can ride on.
func CarriesFiles(c net.Conn) bool {
	u, ok := c.(*net.UnixConn)
	return ok && filesRide && u.LocalAddr().Network() == "unix" // a stream
}

// WriteFiles writes the beginning of b, as much as the socket takes at once, with
// descriptors of files, which the receiver gets copies of. The files stay the
// caller's. From the first on that is closed, or for which there is no descriptor
// left, they do not go; nor do any if too many are on their way already. sent
// tells how many went.
func WriteFiles(c *net.UnixConn, b []byte, files []*os.File) (n, sent int, err error) {
	return writeFiles(c, b, files)
}

// FileReader reads a unix stream socket that descriptors may ride on. It is for
// one goroutine at a time.
type FileReader struct {
	Conn    *net.UnixConn
	control []byte
}

// Read reads into b as a connection does. At most so many files, 1 to
// [MaxDescriptors], are what came with the last of the bytes; they are the
// caller's, each closed on exec. If more came, they are closed. What follows the
// bytes that descriptors came with is left to the next Read.
func (r *FileReader) Read(b []byte, most int) (n int, files []*os.File, err error) {
	return r.read(b, min(most, MaxDescriptors))
}

// DuplicateFile gives another file that shares all but the descriptor with f. The
// caller closes it.
func DuplicateFile(f *os.File) (*os.File, error) { return duplicateFile(f) }
