package metrics

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// hello answers with the method, and waits for whoever asks for /wait.
func hello(wait chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-wait
		}
		if r.Method == "POST" {
			http.Error(w, "no", http.StatusMethodNotAllowed)
			return
		}
		fmt.Fprint(w, "hello ", r.Method)
	})
}

func started(t *testing.T, h http.Handler, patience time.Duration) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(l, h, patience)
	t.Cleanup(func() { s.Close() })
	return s, l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// asked is all that is answered to bytes.
func asked(t *testing.T, addr, request string) string {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Error(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%.40q: %v", request, err)
	}
	return string(answer)
}

// The client of net/http is served, by one Server as by the other.
func TestServe(t *testing.T) {
	_, addr := started(t, example().Handler(func() error { return nil }), patience)
	for range 3 {
		r, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != 200 || int64(len(body)) != r.ContentLength || !bytes.Contains(body, []byte("mqttriage_sessions_total{")) {
			t.Errorf("%v, %d bytes of %d, %v", r.Status, len(body), r.ContentLength, err)
		}
		if d, err := http.ParseTime(r.Header.Get("Date")); err != nil || time.Since(d).Abs() > time.Minute {
			t.Errorf("Date: %q", r.Header.Get("Date"))
		}
		if r.Header.Get("Content-Type") != string(textFormat) || r.Header.Get("Connection") != "close" && !r.Close {
			t.Errorf("header %v", r.Header)
		}
	}
	r, err := http.Post("http://"+addr+"/metrics", "text/plain", strings.NewReader(strings.Repeat("x", 40_000)))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %v", r.Status)
	}
}

func TestRequests(t *testing.T) {
	_, addr := started(t, hello(nil), patience)
	for _, tt := range []struct{ request, status, body string }{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "hello GET"},
		{"GET / HTTP/1.0\r\n\r\n", "200 OK", "hello GET"},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", ""},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "hello GET"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + strings.Repeat("x", 30_000), "405 Method Not Allowed", "no\n"},
		{"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "the request lacks a Host header\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request", "this is no HTTP request, or a very long one\n"},
		{"GET /\r\n\r\n", "400 Bad Request", "this is no HTTP request, or a very long one\n"},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 Bad Request", "this is no HTTP request, or a very long one\n"},
		{"GET /" + strings.Repeat("a", maxRequest) + " HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request", "this is no HTTP request, or a very long one\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", maxRequest/6), "400 Bad Request", "this is no HTTP request, or a very long one\n"},
	} {
		answer := asked(t, addr, tt.request)
		head, body, _ := strings.Cut(answer, "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 "+tt.status+"\r\n") || body != tt.body {
			t.Errorf("%.60q: %q", tt.request, answer)
		}
		if !strings.Contains(head, "\r\nConnection: close") {
			t.Errorf("%.60q: %q does not say that it closes", tt.request, head)
		}
	}
}

// Who sends slowly, or nothing, does not keep a connection.
func TestSlowRequests(t *testing.T) {
	_, addr := started(t, hello(nil), 300*time.Millisecond)
	var all sync.WaitGroup
	for _, beginning := range []string{"", "GET", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA: "} {
		all.Add(1)
		go func() {
			defer all.Done()
			c := dial(t, addr)
			began := time.Now()
			if _, err := io.WriteString(c, beginning); err != nil {
				t.Error(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				t.Error(err)
			}
			if took := time.Since(began); took < 200*time.Millisecond || took > 5*time.Second {
				t.Errorf("%q: closed after %v", beginning, took)
			}
		}()
	}
	all.Wait()
	if answer := asked(t, addr, "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(answer, "hello GET") {
		t.Errorf("afterwards: %q", answer)
	}
}

// Only so many are served at once; the others wait.
func TestConnectionLimit(t *testing.T) {
	wait := make(chan struct{})
	s, addr := started(t, hello(wait), patience)
	answers := make(chan string)
	ask := func(path string) { answers <- asked(t, addr, "GET "+path+" HTTP/1.0\r\n\r\n") }
	for range maxConnections {
		go ask("/wait")
	}
	full := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == maxConnections
	}
	for began := time.Now(); !full(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("they never came")
		}
	}
	go ask("/")
	select {
	case answer := <-answers:
		t.Errorf("one too many is answered: %q", answer)
	case <-time.After(100 * time.Millisecond):
	}
	close(wait)
	for range maxConnections + 1 {
		if answer := <-answers; !strings.HasSuffix(answer, "hello GET") {
			t.Errorf("%q", answer)
		}
	}
}

// Close ends who has not asked at once, waits for who has, but not for long.
func TestClose(t *testing.T) {
	wait := make(chan struct{})
	s, addr := started(t, hello(wait), patience)
	idle := dial(t, addr)
	asked(t, addr, "GET / HTTP/1.0\r\n\r\n") // by now the idle one is taken
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > farewell/2 {
		t.Errorf("with an idle connection it took %v", took)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("it still listens")
	}
	// What it says to who has not asked does not matter, but that it ends, before the
	// deadline of the test.
	if _, err := io.Copy(io.Discard, idle); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}

	entered := make(chan struct{})
	s, addr = started(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(entered)
		}
		hello(wait).ServeHTTP(w, r)
	}), patience)
	c := dial(t, addr)
	if _, err := io.WriteString(c, "GET /wait HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	time.AfterFunc(100*time.Millisecond, func() { close(wait) })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 {
		t.Errorf("the answer under way: %v", err)
	}

	forever := make(chan struct{})
	defer close(forever)
	s, addr = started(t, hello(forever), patience)
	c = dial(t, addr)
	if _, err := io.WriteString(c, "GET /wait HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	asked(t, addr, "GET / HTTP/1.0\r\n\r\n")
	began = time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < farewell || took > 5*farewell {
		t.Errorf("with an answer that never comes it took %v", took)
	}
}

// flaky is a listener that has no connection to give at times.
type flaky struct {
	net.Listener
	failures int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAcceptFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(&flaky{l, 2}, hello(nil), patience)
	defer s.Close()
	if answer := asked(t, l.Addr().String(), "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(answer, "hello GET") {
		t.Errorf("%q", answer)
	}
}

// written collects what is written to a connection from which bytes are read.
type written struct {
	net.Conn
	io.Reader
	bytes.Buffer
}

func (w *written) Read(b []byte) (int, error)  { return w.Reader.Read(b) }
func (w *written) Write(b []byte) (int, error) { return w.Buffer.Write(b) }

// Whatever is sent, one answer comes that a client can read.
func FuzzAnswer(f *testing.F) {
	for _, request := range []string{
		"", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "GET http://a/ HTTP/1.1\r\n A: b\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
	} {
		f.Add([]byte(request))
	}
	handler := New("1").Handler(func() error { return nil })
	f.Fuzz(func(t *testing.T, request []byte) {
		w := &written{Reader: bytes.NewReader(request)}
		answer(w, handler)
		method := "GET"
		if bytes.HasPrefix(request, []byte("HEAD ")) {
			method = "HEAD"
		}
		text := w.String()
		r, err := http.ReadResponse(bufio.NewReader(&w.Buffer), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || w.Len() > 0 {
			t.Fatalf("%q: %v, and %d bytes more", text, err, w.Len())
		}
		switch r.StatusCode {
		case 200, 400, 404, 405:
		default:
			t.Fatalf("%v: %s", r.Status, body)
		}
	})
}
