package decode

import (
	"maps"
	"runtime"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// Read adds all packets of a source and closes the decoder. It returns what
// ended the source: io.EOF after the last packet.
//
// Where there is more than one processor, one goroutine reads the file and
// undoes the layers, another follows the connections, and a third makes sessions
// of those that ended. What comes out is the same.
func (d *Decoder) Read(source capture.Source) error {
	var err error
	if runtime.GOMAXPROCS(0) == 1 {
		err = d.readAlone(source)
	} else {
		d.settling = d.settleApart()
		err = d.readAhead(source)
	}
	d.Close()
	// What the capture says itself goes before what DNS said in it.
	maps.Copy(d.origin.Names, source.Info().Names)
	return err
}

// A bundle is a batch of packets and what their frames are.
type bundle struct {
	batch  capture.Batch
	frames []frame
}

// read fills a bundle with the source's next packets.
func (d *Decoder) read(source capture.Source, b *bundle) error {
	if err := source.Read(&b.batch); err != nil {
		return err
	}
	packets := b.batch.Packets
	if len(packets) > cap(b.frames) {
		b.frames = make([]frame, cap(packets))
	}
	b.frames = b.frames[:len(packets)]
	for i := range packets {
		d.frame(&packets[i], &b.frames[i])
	}
	return nil
}

// lookAhead is for how many frames the memory of their connections is asked for
// at once. With tens of thousands of connections each packet waits for memory
// several times over; so they wait together, which takes a third or more off the
// time, and costs some nanoseconds a packet with few.
const lookAhead = 16

// take follows the frames of a bundle.
func (d *Decoder) take(b *bundle) {
	for _, log := range b.batch.Secrets {
		d.AddSecrets(log)
	}
	for frames := b.frames; len(frames) > 0; {
		group := frames[:min(len(frames), lookAhead)]
		frames = frames[len(group):]
		var places [lookAhead]tcp.Place
		for i := range group {
			places[i] = d.table.Look(group[i].hash)
		}
		for i := range group {
			d.follow(&group[i], places[i])
		}
	}
}

func (d *Decoder) readAlone(source capture.Source) error {
	var b bundle
	for {
		if err := d.read(source, &b); err != nil {
			return err
		}
		d.take(&b)
	}
}

// ahead is how many bundles are on their way at once.
const ahead = 8

func (d *Decoder) readAhead(source capture.Source) error {
	// Many captures are over before a second goroutine would help.
	var first bundle
	for range 2 {
		if err := d.read(source, &first); err != nil {
			return err
		}
		d.take(&first)
	}
	empty, full := make(chan *bundle, ahead), make(chan *bundle, ahead)
	empty <- &first
	for range ahead - 1 {
		empty <- new(bundle)
	}
	var err error
	go func() {
		defer close(full)
		for b := range empty {
			if err = d.read(source, b); err != nil {
				return
			}
			full <- b
		}
	}()
	for b := range full {
		d.take(b)
		empty <- b
	}
	return err
}
