//go:build !unix

package spin

const canLook = false

func (s *Socket) once(uintptr) bool { return false }
