package dns

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// answer is a response for name with a CNAME and an address behind it.
func answer(t testing.TB, name string) []byte {
	question := dnsmessage.MustNewName(name)
	target := dnsmessage.MustNewName("lb-7.example.net.")
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, Response: true},
		Questions: []dnsmessage.Question{{Name: question, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
		Answers: []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: question, Class: dnsmessage.ClassINET}, Body: &dnsmessage.CNAMEResource{CNAME: target}},
			{Header: dnsmessage.ResourceHeader{Name: target, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}},
			{Header: dnsmessage.ResourceHeader{Name: target, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::7").As16()}},
		},
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswers(t *testing.T) {
	got := map[netip.Addr]string{}
	Answers(answer(t, "mqtt.example.com."), func(name string, addr netip.Addr) { got[addr] = name })
	for _, addr := range []string{"192.0.2.7", "2001:db8::7"} {
		if got[netip.MustParseAddr(addr)] != "mqtt.example.com" {
			t.Errorf("%s is %q, want the name that was asked for", addr, got[netip.MustParseAddr(addr)])
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(answer(f, "mqtt.example.com."))
	f.Add([]byte{0, 1, 0x80, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0xc0, 12})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		Answers(b, func(string, netip.Addr) { n++ })
		if n > maxAnswers {
			t.Errorf("%d answers", n)
		}
	})
}
