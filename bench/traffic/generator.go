package traffic

import "math/rand/v2"

// start is when every capture begins, in microseconds: 2026-01-01 00:00 UTC.
const start = 1_767_225_600 * 1_000_000

// generator holds what all parts of one capture share.
type generator struct {
	rng     *rand.Rand
	file    *file
	wire    wire
	carrier carrier
	summary Summary
	// now is the clock in microseconds, gap the mean time between packets.
	now   int64
	gap   uint32
	frame [maxFrame]byte
}

// A wire takes what the ends of a connection send to where it is captured.
type wire interface {
	// packet takes the next frame of a conversation, which is the caller's
	// again afterwards; ended is called behind the last.
	packet(c *conversation, frame []byte)
	ended(c *conversation)
}

// The generator itself is a wire without faults.
func (g *generator) packet(_ *conversation, frame []byte) { g.capture(frame) }
func (g *generator) ended(*conversation)                  {}

// capture writes a frame down and lets time pass.
func (g *generator) capture(frame []byte) {
	g.file.record(g.now, frame)
	g.now += int64(g.rng.Uint32N(2*g.gap + 1))
}

// say performs the next step of a conversation.
func (g *generator) say(c *conversation) *step {
	st := &c.script[c.at]
	c.at++
	g.wire.packet(c, c.segment(g.frame[:0], st, uint32(g.now/1000)))
	return st
}
