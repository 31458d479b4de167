// Package proxy reads the header that a load balancer puts in front of a
// stream to say whom it speaks for: HAProxy's PROXY protocol, versions 1 and 2.
package proxy

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

const (
	// maxLine is the longest version 1 header (PROXY protocol, section 2.1).
	maxLine = 107
	fixed   = 16 // the fixed part of version 2
)

var (
	prefix    = []byte("PROXY ")
	signature = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Begins reports whether b may begin a header: it has a header's first bytes,
// as far as it goes. It is false for an empty b.
func Begins(b []byte) bool {
	begins := func(with []byte) bool { return bytes.HasPrefix(b, with) || bytes.HasPrefix(with, b) }
	return len(b) > 0 && (begins(prefix) || begins(signature))
}

// Parse reads the header at the front of b. size is its length; 0 means that
// more bytes are needed, -1 that it is none. client is whom it speaks for;
// invalid where it does not say (a health check, or a family without ports).
func Parse(b []byte) (client netip.AddrPort, size int) {
	if bytes.HasPrefix(b, prefix) {
		return parseLine(b)
	}
	if bytes.HasPrefix(b, signature) {
		return parseBinary(b)
	}
	if Begins(b) {
		return client, 0
	}
	return client, -1
}

func parseLine(b []byte) (client netip.AddrPort, size int) {
	end := bytes.Index(b[:min(len(b), maxLine)], []byte("\r\n"))
	if end < 0 {
		if len(b) < maxLine {
			return client, 0
		}
		return client, -1
	}
	// PROXY TCP4 SOURCE DESTINATION SOURCEPORT DESTINATIONPORT
	words := strings.Fields(string(b[:end]))
	if len(words) == 6 {
		addr, errAddr := netip.ParseAddr(words[2])
		port, errPort := strconv.ParseUint(words[4], 10, 16)
		if errAddr == nil && errPort == nil {
			client = netip.AddrPortFrom(addr.Unmap(), uint16(port))
		}
	}
	return client, end + 2
}

func parseBinary(b []byte) (client netip.AddrPort, size int) {
	if len(b) < fixed {
		return client, 0
	}
	size = fixed + int(binary.BigEndian.Uint16(b[14:]))
	const version2 = 0x20
	if b[12]&0xf0 != version2 {
		return client, -1
	}
	if len(b) < size {
		return client, 0
	}
	const proxied, tcp4, tcp6 = 1, 0x11, 0x21
	body := b[fixed:size]
	switch {
	case b[12]&0x0f != proxied:
	case b[13] == tcp4 && len(body) >= 12:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case b[13] == tcp6 && len(body) >= 36:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:]))
	}
	return client, size
}

// MaxHeader bounds how many bytes of a header are waited for; a version 2 header may
// claim 64 KiB of extensions, and real ones have a few dozen bytes.
const MaxHeader = 4096
