package mqtt

import (
	"bytes"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	cases := []struct {
		name, first string
		want        Kind
	}{
		{"connect 3.1.1", "100e0004'MQTT'0402003c0002'n1'", KindConnect},
		{"connect 3.1", "10100006'MQIsdp'0302003c0002'n1'", KindConnect},
		{"connect level 6", "100e0004'MQTT'0602003c0002'l6'", KindConnect},
		{"connect, two length bytes", "108a010004'MQTT'04", KindConnect},
		{"connect, four length bytes", "1080808001 0004'MQTT'04", KindConnect},
		{"connect, broken length", "1090 0004'MQTT'", KindConnect},
		{"connect, broken length, 3.1", "1090 0006'MQIsdp'", KindConnect},
		{"connect with header flags", "130e0004'MQTT'04", KindConnect},
		{"connect up to the name", "100e0004'MQTT'", KindConnect},
		{"name MQTX", "100e0004'MQTX'0402003c0002'n1'", KindConnectLike},
		{"longest name", "10400017'aaaaaaaaaaaaaaaaaaaaaaa'", KindConnectLike},
		{"name too long", "10400018'aaaaaaaaaaaaaaaaaaaaaaaa'", KindOther},
		{"name not printable", "100e0004'MQ'0102", KindOther},
		{"name does not fit", "10090004'MQTX'040200", KindOther},
		{"a length and noise", "100affffffffff", KindOther},

		{"connack 3.x", "20020002", KindConnack},
		{"connack code 6", "20020006", KindConnack},
		{"connack session present", "20020100", KindConnack},
		{"connack non-minimal", "2082000000", KindConnack},
		{"connack 5", "2003008700", KindConnack},
		{"connack 5 with properties", "200900000622000a210014", KindConnack},
		{"connack 5, wrong property length", "200900000722000a210014", KindOther},
		{"connack 5, property of another packet", "2006000003180001", KindOther},
		{"connack 5, return code", "2003000500", KindOther},
		{"connack with flags 2", "20020200", KindOther},
		{"a space", "' hello'", KindOther},

		{"pingreq", "c000", KindOtherMQTT},
		{"pingresp", "d000", KindOtherMQTT},
		{"pingreq swapped", "0ac0", KindOtherMQTT},
		{"publish", "300a0005'topic''abc'", KindOtherMQTT},
		{"publish qos 1", "320c0005'topic'0001'abc'", KindOtherMQTT},
		{"publish, wildcard", "300a0005'to+ic''abc'", KindOther},
		{"publish qos 3", "360c0005'topic'0001'abc'", KindOther},
		{"publish, topic beyond the packet", "30040005'topic'", KindOther},
		{"puback", "40020001", KindOtherMQTT},
		{"puback with reason", "4003000110", KindOtherMQTT},
		{"puback with reason string", "4008000180 04 1f 0001'a'", KindOtherMQTT},
		{"puback of packet 0", "40020000", KindOther},
		{"pubrel", "62020001", KindOtherMQTT},
		{"pubrel with other flags", "60020001", KindOther},
		{"subscribe 3.x", "8206000100 01'a'00", KindOtherMQTT},
		{"subscribe 5", "82070001 00 0001'a'00", KindOtherMQTT},
		{"subscribe 5 with identifier", "82090001 020b01 0001'a'00", KindOtherMQTT},
		{"unsubscribe 3.x", "a2050001 0001'a'", KindOtherMQTT},
		{"suback 3.x", "9003000102", KindOtherMQTT},
		{"suback 5", "900400010087", KindOtherMQTT},
		{"unsuback 3.x", "b0020001", KindOtherMQTT},
		{"unsuback 5", "b00400010011", KindOtherMQTT},
		{"disconnect", "e000", KindOtherMQTT},
		{"disconnect with code", "e0018e", KindOtherMQTT},
		{"disconnect with unknown code", "e001ff", KindOther},
		{"auth", "f00a 18 08 15 0005'SCRAM'", KindOtherMQTT},

		{"tls client hello", "16030100c8010000c40303", KindTLS},
		{"tls alert", "15030100020228", KindTLS},
		{"tls 1.2 record", "160303", KindTLS},
		{"not a version of tls", "160305", KindOther},
		{"http get", "'GET / HTTP/1.1'", KindHTTP},
		{"http get, nothing more", "'GET '", KindHTTP},
		{"http post", "'POST /mqtt'", KindHTTP},
		{"http connect", "'CONNECT broker:1883'", KindHTTP},
		{"http 2", "'PRI * HTTP/2.0'0d0a", KindHTTP},
		{"http answer", "'HTTP/1.1 400 Bad Request'", KindHTTP},
		{"ssh", "'SSH-2.0-OpenSSH'", KindOther},
		{"smtp", "'220 mail.example.com ESMTP'", KindOther},
		{"get in lower case", "'get / http'", KindOther},
		{"zeros", "00000000", KindOther},
		{"redis", "'*1'0d0a'$4'0d0a'PING'", KindOther},
		{"modbus", "000100000006010300000001", KindOther},
		{"amqp", "'AMQP'00000901", KindOther},
		{"stomp", "'STOMP'0a'accept-version:1.2'", KindOther},

		{"nothing", "", KindNeedMore},
		{"10", "10", KindNeedMore},
		{"half a name", "100e0004'MQ'", KindNeedMore},
		{"half a name with broken length", "10900004'MQ'", KindNeedMore},
		{"length goes on", "1080", KindNeedMore},
		{"GE", "'GE'", KindNeedMore},
		{"16 03", "1603", KindNeedMore},
		{"2003 00", "200300", KindNeedMore},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			first := unhex(t, c.first)
			if got := Detect(first); got != c.want {
				t.Fatalf("Detect(% x) = %v, want %v", first, got, c.want)
			}
			// With fewer bytes the answer is the same or not yet known.
			for n := range first {
				if got := Detect(first[:n]); got != KindNeedMore && got != c.want {
					t.Errorf("with %d bytes: %v", n, got)
				}
			}
		})
	}
}

// TestDetectConnects: every CONNECT is recognised.
func TestDetectConnects(t *testing.T) {
	for _, id := range []string{"", "a", strings.Repeat("x", 100), strings.Repeat("x", 200), strings.Repeat("x", 60000)} {
		for _, v := range []Version{V31, V311, V5} {
			if got := Detect((&modelConnect{version: v, id: id}).encode()); got != KindConnect {
				t.Errorf("%v with an identifier of %d bytes: %v", v, len(id), got)
			}
		}
	}
}

// FuzzDetect: a decision once made does not change, and is made in time.
func FuzzDetect(f *testing.F) {
	for _, seed := range crashClasses {
		f.Add(unhex(f, seed))
	}
	f.Add(bytes.Repeat([]byte{'1'}, 40))
	f.Fuzz(func(t *testing.T, p []byte) {
		final := Detect(p)
		if len(p) >= maxDetect && final == KindNeedMore {
			t.Fatalf("% x: undecided", p)
		}
		for n := range min(len(p), maxDetect+8) {
			if got := Detect(p[:n]); got != KindNeedMore && got != final {
				t.Fatalf("% x: %v with %d bytes, then %v", p, got, n, final)
			}
		}
		if final == KindConnect || final == KindConnack {
			var f Framer
			_, fr, ok := f.Feed(p)
			if f.Lost() {
				t.Fatalf("% x is %v, but not to the framer", p, final)
			}
			if ok {
				againstPaho(t, fr, nil)
			}
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	first := (&modelConnect{version: V311, id: "gateway-7"}).encode()
	b.ReportAllocs()
	for b.Loop() {
		if Detect(first) != KindConnect {
			b.Fatal("not recognised")
		}
	}
}
