package metrics

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxConnections are served at once: a few collectors and a look by hand. More
	// wait until one ends.
	maxConnections = 8
	// patience is for how long a connection may last, from the first byte of the
	// request to the last of the answer: as long as collectors wait.
	patience = 10 * time.Second
	// farewell is for how long Close waits for answers under way.
	farewell = time.Second
	// pause is how long it waits after the system had no connection to give, for want
	// of file descriptors or memory.
	pause = 100 * time.Millisecond
)

// Server answers requests on a listener, one a connection, by HTTP/1.1 (RFC 9112). It is
// not net/http's because that cannot be had without HTTP/2 and TLS, which would be a
// tenth of the program.
type Server struct {
	listener net.Listener
	handler  http.Handler
	patience time.Duration
	slots    chan struct{}

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
	ended  sync.WaitGroup
}

// Serve serves h on l, until Close.
func Serve(l net.Listener, h http.Handler) *Server { return serve(l, h, patience) }

func serve(l net.Listener, h http.Handler, patience time.Duration) *Server {
	s := &Server{
		listener: l, handler: h, patience: patience,
		slots: make(chan struct{}, maxConnections), conns: map[net.Conn]struct{}{},
	}
	go s.accept()
	return s
}

func (s *Server) accept() {
	for {
		s.slots <- struct{}{}
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			<-s.slots
			time.Sleep(pause)
		case !s.take(conn):
			_ = conn.Close()
			return
		default:
			go func() {
				defer s.drop(conn)
				answer(conn, s.handler)
			}()
		}
	}
}

// take notes a connection and sets its end; false when the server is closed. Nothing
// sets another one but Close, so that nothing undoes that.
func (s *Server) take(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	_ = conn.SetDeadline(time.Now().Add(s.patience))
	s.conns[conn] = struct{}{}
	s.ended.Add(1)
	return true
}

func (s *Server) drop(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	s.ended.Done()
	<-s.slots
}

// Close ends the listener, and connections without a request, at once. Answers under way
// have a second. The error is the listener's.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now())
	}
	s.mu.Unlock()
	over := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(farewell):
		s.mu.Lock()
		for conn := range s.conns {
			_ = conn.Close()
		}
		s.mu.Unlock()
	}
	return err
}
