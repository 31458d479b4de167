package mqttriage_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// foreign are 937 captures and fuzz seeds from public repositories, beside a
// checkout of those who gathered them; they are not part of this repository.
const foreign = "../shared/captures"

// wrongInForeign says, for the files of which tshark's counts are not ours, which
// of the two is wrong.
var wrongInForeign = map[string]string{
	"OISF+suricata-verify/tests_mqtt-events-missing-connect_input.pcap": "tshark reads a CONNACK of two bytes, whose CONNECT is not there, as version 5",
	"ntop+nDPI/tests_cfgs_default_pcap_coap_mqtt.pcap":                  "the CONNECT of packet 31 is on port 17501, where tshark does not look",
}

// TestForeignCaptures reads other people's captures: each in bounded time and
// memory, and with the CONNECTs, the CONNACKs and the codes that tshark counted.
func TestForeignCaptures(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(foreign, "INDEX.tsv"))
	if err != nil {
		t.Skipf("other people's captures are not here: %v", err)
	}
	read, refused, compared, packets := 0, 0, 0, 0
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 10 || f[0] == "file" {
			continue
		}
		began := time.Now()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		source, err := pcapfile.Open(filepath.Join(foreign, f[0]), nil)
		if err != nil {
			var not *capture.NotCaptureError
			if !errors.As(err, &not) {
				t.Errorf("%s: %v", f[0], err)
			}
			refused++
			continue
		}
		analyzer := analyze.New(analyze.Options{})
		var connects, connacks int
		var codes []string
		decode.New(decode.Options{Capture: f[0], Index: 1}, func(s *decode.Session) {
			analyzer.Add(s)
			if s.Connect != nil && s.ConnectAt.Seen() && s.Transport == decode.TCP {
				connects++
			}
			if s.Rare().SecondConnect.Seen() {
				connects++
			}
			if s.Connack != nil && s.Transport == decode.TCP {
				connacks++
				version := "v3"
				if s.Connack.Version == mqtt.V5 {
					version = "v5"
				}
				codes = append(codes, version+":"+strconv.Itoa(int(s.Connack.Code)))
			}
		}).Read(source)
		analyzer.Findings()
		source.Close()
		packets += int(source.Info().Packets)
		read++
		runtime.ReadMemStats(&after)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", f[0], took)
		}
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 128<<20 {
			t.Errorf("%s took %d MiB", f[0], grown>>20)
		}
		want, err := strconv.Atoi(f[6])
		if err != nil {
			continue // tshark does not read it
		}
		if wantAck, _ := strconv.Atoi(f[7]); want != connects || wantAck != connacks || !sameCodes(f[8], codes) {
			got := fmt.Sprintf("%d CONNECT, %d CONNACK, %q; tshark has %d, %d, %q", connects, connacks, codes, want, wantAck, f[8])
			if why := wrongInForeign[f[0]]; why != "" {
				t.Logf("%s: %s: %s", f[0], got, why)
				continue
			}
			t.Errorf("%s: %s", f[0], got)
		}
		compared++
	}
	t.Logf("%d captures read, %d packets, %d refused by name, %d compared with tshark", read, packets, refused, compared)
	if compared < 500 {
		t.Errorf("%d captures were compared", compared)
	}
}

// sameCodes compares CONNACK codes with a list such as "v3:0x2 v5:134x1": a code,
// and how often it was seen.
func sameCodes(list string, codes []string) bool {
	var want []string
	for item := range strings.FieldsSeq(list) {
		code, times, _ := strings.Cut(item, "x")
		n, err := strconv.Atoi(times)
		if err != nil {
			return false
		}
		want = append(want, slices.Repeat([]string{code}, n)...)
	}
	slices.Sort(want)
	got := slices.Clone(codes)
	slices.Sort(got)
	return slices.Equal(got, want)
}
