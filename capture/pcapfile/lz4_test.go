package pcapfile

import (
	"io"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

// Legacy frames without content, repeated, would overflow the stack of the
// decompressor: 64 MiB of them here, a few kilobytes when compressed again.
func TestLZ4EmptyLegacyFrames(t *testing.T) {
	_, err := NewReader("x", &repeated{chunk: []byte(lz4LegacyMagic), n: 1 << 24})
	if err == nil || !strings.HasSuffix(err.Error(), "its compressed data are damaged: lz4: empty legacy frames") {
		t.Errorf("%v", err)
	}
	// They may come behind a sound frame too.
	d := drainSource(t, mustOpen(t, &repeated{prefix: lz4ed(t, sample(3)), chunk: []byte(lz4LegacyMagic), n: 1 << 24}))
	if len(d.packets) != 3 || !strings.Contains(d.err.Error(), "lz4: empty legacy frames") {
		t.Errorf("%d packets, ended by %v", len(d.packets), d.err)
	}
}

func mustOpen(t *testing.T, r io.Reader) capture.Source {
	t.Helper()
	s, err := NewReader("test", r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
