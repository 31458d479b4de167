package slice

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// When the clock is set a file begins, and a handshake under way is in it as if the clock had
// been right before.
func TestEvidenceClockSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour} {
		dir := t.TempDir()
		c := newClocked(t, dir, EvidenceOptions{})
		if err := c.session(time.Second); err != nil {
			t.Fatal(err)
		}
		client, nano := [4]byte{10, 9, 9, 9}, c.at.UnixNano()
		add := func(b []byte) {
			nano += int64(time.Millisecond)
			c.Add(&capture.Packet{Nano: nano, Link: capture.LinkEN10MB, Length: len(b), Data: b})
		}
		connect := []byte(hello.said)
		add(frame(client, brokerAddr, 40000, 1883, 100, 0, 2, nil))
		add(frame(brokerAddr, client, 1883, 40000, 200, 101, 0x12, nil))
		nano += int64(by)
		c.ClockSet(nano, by)
		add(frame(client, brokerAddr, 40000, 1883, 101, 201, 0x18, connect))
		add(frame(brokerAddr, client, 1883, 40000, 201, 101+uint32(len(connect)), 0x18, []byte(refuse)))
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "evidence-*"))
		if err != nil || len(files) != 2 {
			t.Fatalf("set by %v: files %v, %v", by, files, err)
		}
		all := together(t, files)
		if got := outcomes(all); got[decode.Rejected] != 2 || len(got) != 1 {
			t.Errorf("set by %v: %v", by, got)
		}
		for _, s := range all.Sessions() {
			if took := s.ConnackAt.Sub(s.Syn); took < 0 || took > 10*time.Millisecond {
				t.Errorf("set by %v: a handshake of %v", by, took)
			}
			if s.CaptureEnd.Sub(s.Last).Abs() > 2*time.Second {
				t.Errorf("set by %v: a silence of %v", by, s.CaptureEnd.Sub(s.Last))
			}
		}
	}
}
