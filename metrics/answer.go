package metrics

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxRequest bounds a request's header in bytes. Browsers send every cookie that
	// any server on this host ever set.
	maxRequest = 16 << 10
	// maxRest bounds what is read behind it, to be forgotten.
	maxRest = 64 << 10
)

// answer reads a request, and writes what h says to it.
func answer(conn net.Conn, h http.Handler) {
	w := &response{header: http.Header{}, status: http.StatusOK}
	request, err := http.ReadRequest(bufio.NewReader(io.LimitReader(conn, maxRequest)))
	switch {
	case err != nil:
		http.Error(w, "this is no HTTP request, or a very long one", http.StatusBadRequest)
	case request.Host == "" && request.ProtoAtLeast(1, 1):
		http.Error(w, "the request lacks a Host header", http.StatusBadRequest) // RFC 9112 §3.2
	default:
		h.ServeHTTP(w, request)
	}
	if _, err := conn.Write(w.bytes(err == nil && request.Method == http.MethodHead)); err != nil {
		return
	}
	// To close while bytes wait to be read resets the connection, which may take the
	// answer with it before it is read (RFC 9112 §9.6).
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, maxRest)
	}
}

// response collects an answer.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header, to be changed.
func (r *response) Header() http.Header { return r.header }

// WriteHeader sets the status.
func (r *response) WriteHeader(status int) { r.status = status }

// Write adds to the body.
func (r *response) Write(b []byte) (int, error) { return r.body.Write(b) }

// bytes is the answer as it is sent; to HEAD without its body.
func (r *response) bytes(head bool) []byte {
	r.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.header.Set("Content-Length", strconv.Itoa(r.body.Len()))
	r.header.Set("Connection", "close")
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", r.status, http.StatusText(r.status))
	_ = r.header.Write(&b)
	b.WriteString("\r\n")
	if !head {
		b.Write(r.body.Bytes())
	}
	return b.Bytes()
}
