package traffic

import (
	"bytes"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
)

// read gives what the program makes of a capture.
func read(t *testing.T, file []byte) (sessions []decode.Record) {
	t.Helper()
	source, err := pcapfile.NewReader("x", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	decoder := decode.New(decode.Options{Capture: "x", Index: 1}, func(s *decode.Session) {
		sessions = append(sessions, s.Record())
	})
	for {
		packet, err := source.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		decoder.Add(packet)
	}
	decoder.Close()
	return sessions
}

func TestIsReadAsMade(t *testing.T) {
	for _, test := range []struct {
		name        string
		connections int
	}{{"bulk", 50}, {"open", 50}, {"storm", 500}, {"mixed", 20}} {
		for _, format := range []Format{Pcap, Pcapng} {
			file, sum := write(t, test.name, Options{Connections: test.connections, Seed: 7, Format: format})
			outcomes := map[decode.Outcome]int{}
			addresses := map[string]map[string]bool{} // by client ID
			ends := map[string]bool{}
			versions := map[string]int{}
			for _, s := range read(t, file) {
				if s.Broker != "192.0.2.10:1883" {
					continue
				}
				outcomes[s.Outcome]++
				if len(s.Notes) > 0 {
					t.Errorf("%s: %s has notes %v", test.name, s.ID, s.Notes)
				}
				if ends[s.Client] {
					t.Errorf("%s: %v is used twice", test.name, s.Client)
				}
				ends[s.Client] = true
				if s.ClientID == nil {
					continue
				}
				versions[s.MQTTVersion]++
				if addresses[*s.ClientID] == nil {
					addresses[*s.ClientID] = map[string]bool{}
				}
				address, _, _ := strings.Cut(s.Client, ":")
				addresses[*s.ClientID][address] = true
			}
			want := map[decode.Outcome]int{
				decode.Accepted: sum.Accepted, decode.Rejected: sum.Rejected,
				decode.Unanswered: sum.Dropped, decode.Refused: sum.Refused,
			}
			maps.DeleteFunc(want, func(_ decode.Outcome, n int) bool { return n == 0 })
			if !maps.Equal(outcomes, want) {
				t.Errorf("%s: read %v, made %v", test.name, outcomes, want)
			}
			if test.name != "storm" {
				if len(addresses) != test.connections {
					t.Errorf("%s: %d client IDs, want one a connection", test.name, len(addresses))
				}
				continue
			}
			shared := 0
			for _, of := range addresses {
				shared += len(of) - 1
			}
			if want := stormDevices / 10 / 2; shared != want {
				t.Errorf("%d client IDs have two addresses, want %d", shared, want)
			}
			if len(versions) != 2 {
				t.Errorf("storm: MQTT versions %v, want two", versions)
			}
		}
	}
}

// Every frame must be valid to a decoder that is not ours, and time must not go
// back.
func TestFramesAreValid(t *testing.T) {
	for _, w := range Workloads() {
		for _, format := range []Format{Pcap, Pcapng} {
			file, _ := write(t, w.Name, Options{Connections: 20, Seed: 3, Format: format})
			source, err := pcapfile.NewReader("x", bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			last := int64(0)
			for {
				packet, err := source.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if packet.Nano < last {
					t.Fatalf("%s: packet %d is from before the one before it", w.Name, packet.Number)
				}
				last = packet.Nano
				if problem := invalid(packet.Data); problem != "" {
					t.Fatalf("%s: packet %d: %s", w.Name, packet.Number, problem)
				}
			}
			source.Close()
		}
	}
}

// invalid says what is wrong with a frame: the lengths and checksums that
// gopacket computes must be those in the frame.
func invalid(frame []byte) string {
	packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	if e := packet.ErrorLayer(); e != nil && packet.TransportLayer() == nil {
		return e.Error().Error()
	}
	var all []gopacket.SerializableLayer
	for _, layer := range packet.Layers() {
		switch l := layer.(type) {
		case *layers.TCP:
			if err := l.SetNetworkLayerForChecksum(packet.NetworkLayer()); err != nil {
				return err.Error()
			}
			all = append(all, l, gopacket.Payload(l.Payload))
		case *layers.UDP:
			if err := l.SetNetworkLayerForChecksum(packet.NetworkLayer()); err != nil {
				return err.Error()
			}
			all = append(all, l, gopacket.Payload(l.Payload))
		case *layers.ICMPv4:
			all = append(all, l, gopacket.Payload(l.Payload))
		case *layers.Ethernet:
			all = append(all, l)
		case *layers.IPv4:
			all = append(all, l)
		case *layers.IPv6:
			all = append(all, l)
		case *layers.ARP:
			all = append(all, l)
		}
	}
	out := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(out, options, all...); err != nil {
		return err.Error()
	}
	// gopacket pads short frames, which the sender's own capture does not show.
	if len(out.Bytes()) < len(frame) || !bytes.Equal(out.Bytes()[:len(frame)], frame) {
		return "a length or checksum is wrong"
	}
	return ""
}

// Sequence and acknowledgment numbers must join without a hole.
func TestNumbersJoin(t *testing.T) {
	type direction struct{ ip, tcp gopacket.Flow }
	for _, name := range []string{"bulk", "open", "storm"} {
		file, _ := write(t, name, Options{Connections: 100, Seed: 5})
		source, err := pcapfile.NewReader("x", bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		next := map[direction]uint32{}
		for {
			p, err := source.Next()
			if err != nil {
				break
			}
			packet := gopacket.NewPacket(p.Data, layers.LayerTypeEthernet, gopacket.NoCopy)
			tcp := packet.TransportLayer().(*layers.TCP)
			there := direction{packet.NetworkLayer().NetworkFlow(), tcp.TransportFlow()}
			back := direction{there.ip.Reverse(), there.tcp.Reverse()}
			if want, known := next[there]; known && tcp.Seq != want {
				t.Fatalf("%s: packet %d: sequence number %d, want %d", name, p.Number, tcp.Seq, want)
			}
			if want := next[back]; tcp.ACK && tcp.Ack != want {
				t.Fatalf("%s: packet %d: acknowledges %d, want %d", name, p.Number, tcp.Ack, want)
			}
			next[there] = tcp.Seq + uint32(len(tcp.Payload))
			if tcp.SYN || tcp.FIN {
				next[there]++
			}
		}
		source.Close()
	}
}
