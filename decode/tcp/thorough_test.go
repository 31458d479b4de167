package tcp

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// outcome is what a connection ends with, but for where it lies in the table.
type outcome struct {
	sides    [2]Stream
	closings [2]Closing
	last     Mark
	copies   uint32
	text     string
	gaps     [2]int64
	// enough is after how many of a side's bytes it wants no more, if not 0.
	enough int64
}

func (o *outcome) Data(c *Conn, from Side, p []byte, _ Mark) {
	o.text += string(p)
	if o.enough > 0 && c.Sides[from].Next >= o.enough && !c.Skip[from] {
		c.Skip[from], c.Known[from] = true, c.Sides[from].Next
	}
}

func (o *outcome) Gap(_ *Conn, from Side, n int64, _ bool, _ Mark) { o.gaps[from] += n }

func (o *outcome) End(c *Conn) {
	o.sides, o.closings, o.last, o.copies = c.Sides, c.Closings, c.Last, c.Copies
	for x := range o.sides {
		o.sides[x].queue = nil
	}
}

// TestShortWay: the short way for plain segments changes nothing.
func TestShortWay(t *testing.T) {
	for seed := range uint64(2000) {
		var ways [2][]*outcome
		for i := range ways {
			r := rand.New(rand.NewPCG(seed, 5))
			table := NewTable(Options{Thorough: i == 1, Open: func(c *Conn) Handler {
				o := &outcome{enough: int64(seed % 3 * 100)}
				ways[i] = append(ways[i], o)
				return o
			}})
			var old *connection
			m := Mark{Nano: 1e18}
			for range 2 {
				c := generate(r, anyHabits(r), old)
				for j := range c.packets {
					m.Number++
					m.Nano += int64(c.packets[j].wait)
					s := &c.packets[j].Segment
					table.AddAt(Place{}, s, table.Hash(s), r.IntN(2) == 0, m)
				}
				old = c
			}
			table.Flush()
		}
		if len(ways[0]) != len(ways[1]) {
			t.Fatalf("seed %d: %d connections, the thorough way %d", seed, len(ways[0]), len(ways[1]))
		}
		for i, short := range ways[0] {
			if long := ways[1][i]; !reflect.DeepEqual(short, long) {
				t.Fatalf("seed %d connection %d:\n%+v\nthe thorough way:\n%+v", seed, i+1, short, long)
			}
		}
	}
}
