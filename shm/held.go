package shm

// Held tells how many received messages have not been released, and how many there
// may be: then the peer can send no more until one is. Only the goroutine that
// receives may call it.
func (p *Pipe) Held() (held, most int) {
	return int(max(0, p.in.opened-p.left.Load())), leases
}
