package decode_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// tlsDialog is a real TLS conversation of Go's own implementation, written down
// as TCP segments: the client sends a CONNECT and the broker does what serve
// says.
func tlsDialog(t *testing.T, client, broker *tls.Config, serve func(*tls.Conn)) *dialog {
	t.Helper()
	d := opened()
	var mu sync.Mutex
	a, b := net.Pipe()
	write := func(from int) func([]byte) {
		return func(p []byte) {
			mu.Lock()
			defer mu.Unlock()
			d.send(from, psh|ack, append([]byte(nil), p...))
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := tls.Server(&recorded{b, write(fromBroker)}, broker)
		c.SetDeadline(time.Now().Add(time.Second))
		if c.Handshake() == nil {
			serve(c)
		}
		b.Close()
	}()
	c := tls.Client(&recorded{a, write(fromClient)}, client)
	c.SetDeadline(time.Now().Add(time.Second))
	if c.Handshake() == nil {
		c.Write(connect("behind-tls"))
		c.Read(make([]byte, 100))
	}
	a.Close()
	<-done
	return d.send(fromBroker, fin|ack, nil)
}

// recorded hands every write on.
type recorded struct {
	net.Conn
	wrote func([]byte)
}

func (r *recorded) Write(p []byte) (int, error) {
	r.wrote(p)
	return r.Conn.Write(p)
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mqtt.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSFromOutside(t *testing.T) {
	certificate := selfSigned(t)
	answer := func(c *tls.Conn) {
		c.Read(make([]byte, 200))
		c.Write(connackOK)
		c.Close()
	}
	silent := func(c *tls.Conn) {
		c.Read(make([]byte, 200))
		c.Close()
	}
	for _, version := range []struct {
		name string
		id   uint16
	}{{"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}} {
		configs := func() (client, broker *tls.Config) {
			client = &tls.Config{ServerName: "mqtt.example.com", NextProtos: []string{"mqtt"}, InsecureSkipVerify: true, MinVersion: version.id, MaxVersion: version.id}
			broker = &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"mqtt"}}
			return client, broker
		}
		t.Run(version.name+" answered", func(t *testing.T) {
			client, broker := configs()
			s := tlsDialog(t, client, broker, answer).one(t)
			if s.TLS == nil || s.TLS.Version != version.name || s.TLS.SNI != "mqtt.example.com" || len(s.TLS.ALPN) != 1 || s.TLS.ALPN[0] != "mqtt" {
				t.Fatalf("TLS %+v", s.TLS)
			}
			if s.TLS.Alert != "" || !s.TLS.FirstData.Seen() || s.TLS.AnswerRecords == 0 || !s.TLS.Finished {
				t.Errorf("TLS %+v, want an answer and no alert", s.TLS)
			}
			if s.Outcome != decode.Unknown || s.Transport != decode.TLSTransport || s.BrokerName() != "mqtt.example.com" {
				t.Errorf("%s over %s with %q", s.Outcome, s.Transport, s.BrokerName())
			}
		})
		t.Run(version.name+" closed without an answer", func(t *testing.T) {
			client, broker := configs()
			s := tlsDialog(t, client, broker, silent).one(t)
			if s.TLS == nil || !s.TLS.FirstData.Seen() || s.TLS.AnswerRecords != 0 {
				t.Errorf("TLS %+v, want data and no answer", s.TLS)
			}
		})
		t.Run(version.name+" untrusted broker", func(t *testing.T) {
			client, broker := configs()
			client.InsecureSkipVerify, client.RootCAs = false, x509.NewCertPool()
			s := tlsDialog(t, client, broker, answer).one(t)
			if s.TLS == nil || s.TLS.Alert == "" || s.TLS.AlertBy != decode.Client || s.Outcome != decode.TLSFailed {
				t.Errorf("%s, TLS %+v", s.Outcome, s.TLS)
			}
		})
		t.Run(version.name+" no client certificate", func(t *testing.T) {
			client, broker := configs()
			broker.ClientAuth = tls.RequireAnyClientCert
			s := tlsDialog(t, client, broker, answer).one(t)
			if s.TLS == nil || s.TLS.Alert == "" || s.TLS.AlertBy != decode.Broker || s.Outcome != decode.TLSFailed {
				t.Errorf("%s, TLS %+v", s.Outcome, s.TLS)
			}
		})
	}
}

func TestWebSocketUpgrade(t *testing.T) {
	request := "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n"
	response := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	s := opened().send(fromClient, psh|ack, []byte(request[:10])).send(fromClient, psh|ack, []byte(request[10:])).
		send(fromBroker, psh|ack, []byte(response)).one(t)
	want := decode.HTTP{Method: "GET", Path: "/mqtt", Upgrade: true, Subprotocol: true, Status: 101, Accepted: true,
		Protocols: []string{"mqttv3.1", "mqtt"}, Protocol: "mqtt"}
	if s.HTTP == nil || !reflect.DeepEqual(*s.HTTP, want) || s.Transport != decode.WS {
		t.Errorf("%+v over %s, want %+v", s.HTTP, s.Transport, want)
	}
}
