package tls

import "sync"

// plaintext is where a record is opened. What stood in it may be a password, so
// that it is wiped before anybody else has it.
type plaintext [maxFragment]byte

// plaintexts are shared by all connections: a plaintext lives for as long as a
// record is looked at.
var plaintexts = sync.Pool{New: func() any { return new(plaintext) }}

// wipe clears the n bytes that were used and gives the memory back.
func (p *plaintext) wipe(n int) {
	clear(p[:n])
	plaintexts.Put(p)
}
