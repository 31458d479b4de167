package decode

import (
	"bytes"
	"io"
	"testing"

	"github.com/mqttriage/mqttriage/bench/traffic"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// workload makes a capture in memory.
func workload(b *testing.B, name string, connections int) []byte {
	b.Helper()
	for _, w := range traffic.Workloads() {
		if w.Name == name {
			var file bytes.Buffer
			if _, err := w.Write(&file, traffic.Options{Connections: connections, Seed: 1}); err != nil {
				b.Fatal(err)
			}
			return file.Bytes()
		}
	}
	b.Fatalf("no workload %s", name)
	return nil
}

var workloads = []struct {
	name        string
	connections int
}{{"bulk", 5000}, {"open", 50000}, {"storm", 50000}, {"mixed", 1000}, {"lossy", 5000}}

// BenchmarkRead takes whole captures from the file's bytes to sessions; an
// operation is a packet.
func BenchmarkRead(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			file := workload(b, w.name, w.connections)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				source, err := pcapfile.NewReader("bench", bytes.NewReader(file))
				if err != nil {
					b.Fatal(err)
				}
				d := New(Options{}, func(*Session) {})
				if err := d.Read(source); err != io.EOF {
					b.Fatal(err)
				}
				n += int(d.packets)
			}
		})
	}
}

// BenchmarkFollow takes frames to their connections, without reading and
// undoing layers; an operation is a packet.
func BenchmarkFollow(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			frames := framesOf(b, workload(b, w.name, w.connections))
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(frames) {
				b.StopTimer()
				d := New(Options{}, func(*Session) {})
				for i := range frames {
					frames[i].hash = d.table.Hash(&frames[i].segment)
				}
				b.StartTimer()
				for rest := frames; len(rest) > 0; rest = rest[min(len(rest), 800):] {
					d.take(&bundle{frames: rest[:min(len(rest), 800)]})
				}
				d.Close()
			}
		})
	}
}

func framesOf(b *testing.B, file []byte) (frames []frame) {
	b.Helper()
	source, err := pcapfile.NewReader("bench", bytes.NewReader(file))
	if err != nil {
		b.Fatal(err)
	}
	d := New(Options{}, func(*Session) {})
	var one bundle
	var payloads []byte
	for d.read(source, &one) == nil {
		for _, f := range one.frames {
			at := len(payloads)
			payloads = append(payloads, f.segment.Payload...)
			f.segment.Payload = payloads[at:len(payloads):len(payloads)]
			frames = append(frames, f)
		}
	}
	return frames
}
