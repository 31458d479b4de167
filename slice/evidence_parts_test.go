package slice

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// together is the analysis of several files, as `mqttriage read a b` makes it.
func together(t testing.TB, files []string) *analyze.Analyzer {
	t.Helper()
	a := analyze.New(analyze.Options{})
	for i, path := range files {
		source, err := fromFile(path)()
		if err != nil {
			t.Fatal(err)
		}
		if err := decode.New(decode.Options{Capture: path, Index: i + 1}, a.Add).Read(source); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		source.Close()
	}
	return a
}

// outcomes counts sessions by what came of them.
func outcomes(a *analyze.Analyzer) map[decode.Outcome]int {
	n := map[decode.Outcome]int{}
	for _, s := range a.Sessions() {
		n[s.Outcome]++
	}
	return n
}

// refusals is the traffic of clients that are turned away, one every 100 ms, while
// now and then somebody opens a connection and says nothing for long, so that all packets wait.
func refusals(t testing.TB, clients int) []byte {
	t.Helper()
	var packets []capture.Packet
	at := 1_700_000_000 * second
	add := func(nano int64, b []byte) {
		packets = append(packets, capture.Packet{Nano: nano, Length: len(b), Data: b})
	}
	connect := []byte(hello.said)
	for n := range uint32(clients + 1) {
		at += second / 10
		if n == uint32(clients) {
			at += second // alone
		}
		client, theirs, ours := [4]byte{10, 3, byte(n >> 8), byte(n)}, n*1000, n*2000
		answered := theirs + 1 + uint32(len(connect))
		add(at, frame(client, brokerAddr, 40000, 1883, theirs, 0, 2, nil))
		add(at+2e6, frame(brokerAddr, client, 1883, 40000, ours, theirs+1, 0x12, nil))
		if n%60 == 0 {
			add(at+30*second, frame(client, brokerAddr, 40000, 1883, theirs+1, ours+1, 0x11, nil))
			continue
		}
		add(at+3e6, frame(client, brokerAddr, 40000, 1883, theirs+1, ours+1, 0x18, connect))
		add(at+150e6, frame(brokerAddr, client, 1883, 40000, ours+1, answered, 0x18, []byte(refuse)))
		add(at+151e6, frame(brokerAddr, client, 1883, 40000, ours+5, answered, 0x11, nil))
		add(at+152e6, frame(client, brokerAddr, 40000, 1883, answered, ours+6, 0x11, nil))
	}
	slices.SortStableFunc(packets, func(x, y capture.Packet) int { return cmp.Compare(x.Nano, y.Nano) })
	return pcapng(t, packets)
}

// A file ends between two handshakes.
func TestEvidenceBetweenHandshakes(t *testing.T) {
	for n := range int64(10) {
		c := newClocked(t, t.TempDir(), EvidenceOptions{MaxSize: 16<<10 + 50*n, MaxFiles: 1000})
		const sessions = 120
		for i := range sessions {
			c.handshake()
			if i%7 == 6 {
				c.at = c.at.Add(time.Second)
				if err := c.Tick(c.at); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		got := together(t, paths(t, c.dir)).Sessions()
		for _, s := range got {
			if s.Connect == nil || s.Connack == nil {
				t.Errorf("%s is in two files", s.Client)
			}
		}
		if files := c.Stats().Files; len(got) != sessions || files < 3 {
			t.Errorf("%d sessions in %d files", len(got), files)
		}
	}
}

// Where handshakes overlap all the time, one is parted; but no file says that what the next one
// answers was not answered.
func TestEvidenceInParts(t *testing.T) {
	for _, c := range []struct {
		clients int
		size    int64
	}{{120, 1}, {1500, 3 << 10}, {1500, 16 << 10}, {1500, 64 << 10}, {1500, 200 << 10}} {
		size := c.size
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			file := refusals(t, c.clients)
			whole := analysed(t, "capture", fromBytes(file))
			files, stats := writtenFiles(t, fromBytes(file), EvidenceOptions{MaxSize: size, MaxFiles: 1000, MaxAge: 20 * time.Second})
			if stats.Files < 5 || stats.Lost+stats.GivenUp+stats.Deleted > 0 {
				t.Fatalf("%+v", stats)
			}
			got := together(t, files)
			want, have := outcomes(whole), outcomes(got)
			t.Logf("%d files: %v, of the capture %v", len(files), have, want)
			if have[decode.Refused]+have[decode.Unanswered]+have[decode.Accepted] > 0 {
				t.Errorf("%v", have)
			}
			if size >= 64<<10 && have[decode.Rejected] != want[decode.Rejected] {
				t.Errorf("%v", have)
			}
			if want, have := symptoms(whole), symptoms(got); size >= 64<<10 && !slices.Equal(have, want) {
				t.Errorf("%v, of the capture %v", have, want)
			}
		})
	}
}
