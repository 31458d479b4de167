package decode

// maxHeld bounds the memory, in bytes, that waits in all connections of a capture
// for the rest of something: a CONNECT, a TLS record, a PROXY header. Hundreds
// of the largest CONNECTs fit.
const maxHeld = 48 << 20 // unless Bounds say otherwise

// account counts what a connection holds after it took bytes. When all hold too
// much, this one is cut short: of its CONNECT the beginning stays, and TLS is
// followed no further.
func (f *follower) account() {
	f.d.held += f.holds() - f.held
	f.held = f.holds()
	if f.d.held <= f.d.maxHeld {
		return
	}
	for i := range f.dirs {
		f.dirs[i].framer.Abridge()
		if len(f.dirs[i].head) > 0 {
			f.dirs[i].miss()
		}
	}
	if f.secure != nil {
		f.secure.conn.GiveUp()
	}
	f.release()
	f.held = f.holds()
	f.d.held += f.held
}

// holds is how many bytes of memory the connection's incomplete parts take. What
// WebSockets hold is bounded for itself.
func (f *follower) holds() int {
	n := 0
	for i := range f.dirs {
		n += f.dirs[i].framer.Held() + cap(f.dirs[i].head)
	}
	if f.secure != nil {
		n += f.secure.conn.Held()
	}
	return n
}

// release stops counting the connection.
func (f *follower) release() {
	f.d.held -= f.held
	f.held = 0
}
