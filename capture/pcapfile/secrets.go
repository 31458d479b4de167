package pcapfile

// secretsTLS is the secrets type of an NSS key log, "TLSK" (draft §4.7).
const secretsTLS = 0x544c534b

// A capture may bring maxSecrets bytes of key log in maxSecretBlocks blocks:
// room for some 10,000 TLS 1.3 connections.
const (
	maxSecrets      = 8 << 20
	maxSecretBlocks = 4096
)

// beginsBatch reports whether a block of secrets that begins with h counts
// towards maxSecretBlocks. So few may end a batch, for that costs more than to
// read a block.
func (r *pcapngReader) beginsBatch(h []byte) bool {
	return r.tlsSecrets < maxSecretBlocks && r.order.u32(h[4:]) >= minSecrets && r.order.u32(h[8:]) == secretsTLS
}

// secrets reads the body of a Decryption Secrets Block of total bytes, as far
// as it holds TLS keys, and says how many bytes of the block it passed. The
// body grows with the bytes that are there, never with what the block claims.
func (r *pcapngReader) secrets(total uint32) (body []byte, passed int64) {
	if total < minSecrets {
		return nil, 0
	}
	h, ok := r.in.peek(16)
	if !ok || r.order.u32(h[8:]) != secretsTLS {
		return nil, 0
	}
	if r.tlsSecrets == maxSecretBlocks {
		return r.tooManySecrets()
	}
	r.tlsSecrets++
	length := r.order.u32(h[12:])
	if length > total-minSecrets {
		r.note(badSecrets, "TLS secrets left out: %d bytes claimed in a block of %d", length, total)
		return nil, 0
	}
	if int64(length) > int64(maxSecrets-r.heldSecrets) {
		return r.tooManySecrets()
	}
	r.in.advance(16)
	passed = 16
	for left := int(length); left > 0; {
		b, _ := r.in.peek(min(left, bufferSize))
		if len(b) == 0 {
			return nil, passed
		}
		body = append(body, b...)
		r.in.advance(len(b))
		left -= len(b)
		passed += int64(len(b))
	}
	return body, passed
}

func (r *pcapngReader) tooManySecrets() (body []byte, passed int64) {
	r.note(tooManySecrets, "TLS secrets beyond %d bytes or %d blocks left out", maxSecrets, maxSecretBlocks)
	return nil, 0
}
