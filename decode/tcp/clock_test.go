package tcp

import (
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"
)

// TestClockSet sets the clock between two parts of a script, and compares what is told with
// that of a clock that nobody sets.
func TestClockSet(t *testing.T) {
	for name, parts := range map[string][2]string{
		"lingering":                        {closed, "A A 102 502 @1.9s"},
		"lingered":                         {closed, "A A 102 502 @2.1s"},
		"lingering from before":            {closed + "B A 502 102 @1.5s", "A A 102 502 @2.1s"},
		"a hole is acknowledged":           {opened + "A A 111 501 late\nB A 501 115", "B A 501 115 @0.9s"},
		"a hole was acknowledged":          {opened + "A A 111 501 late\nB A 501 115", "B A 501 115 @1.1s"},
		"a hole was acknowledged long ago": {opened + "A A 111 501 late\nB A 501 115 @0.1s", "B A 501 115 @1.2s"},
		"a copy":                           {opened + "A A 101 501 once id=77", "A A 101 501 once id=77 @0.05s"},
		"sent again":                       {opened + "A A 101 501 once id=77", "A A 101 501 once id=77 @0.2s"},
	} {
		for _, by := range []time.Duration{time.Hour, 10 * 365 * 24 * time.Hour, -time.Hour, -10 * 365 * 24 * time.Hour} {
			t.Run(fmt.Sprint(name, " by ", by), func(t *testing.T) {
				if want, got := clocked(t, parts, 0), clocked(t, parts, by); want != got {
					t.Errorf("without %s\nwith    %s", want, got)
				}
			})
		}
	}
}

// clocked plays the first part, sets the clock, plays the second part, and says what is known
// then.
func clocked(t *testing.T, parts [2]string, by time.Duration) string {
	r := newRecorder()
	table := NewTable(Options{Open: r.open})
	const begin = int64(1e18) // far from the time that stands for none
	clock, number, set := time.Duration(0), 0, begin
	for i, part := range parts {
		for _, line := range lines(part) {
			number++
			s, m := parse(t, line, number, &clock)
			m.Nano += set
			table.Add(s, m)
		}
		if i == 0 && by != 0 {
			set += int64(by)
			table.ClockSet(table.now+int64(by), by)
		}
	}
	told := fmt.Sprintln(r.connections(), table.Stats())
	table.Each(func(c *Conn, _ Handler) {
		told += fmt.Sprintln(c.Number, c.Copies, c.First.Nano-set, c.Syn.Nano-set, c.Last.Nano-set, c.Sides[0].Retransmitted)
	})
	return told
}

// All marks of a connection move, those too that are added to it later.
func TestClockMovesAllMarks(t *testing.T) {
	c := &Conn{alone: true}
	for i := range c.Sides {
		c.Sides[i].queue = &queue{chunks: make([]chunk, 2)}
	}
	table := NewTable(Options{})
	table.alone.push(c)
	seen := map[string]bool{}
	marks("Conn", reflect.ValueOf(c).Elem(), func(path string, m *Mark) { m.Nano, seen[path] = 1000, true })
	if !seen["Conn.Sides[].queue.chunks[].mark"] {
		t.Errorf("those that wait were not found among %v", seen)
	}
	table.ClockSet(1, time.Hour)
	marks("Conn", reflect.ValueOf(c).Elem(), func(path string, m *Mark) {
		if m.Nano != 1000+int64(time.Hour) {
			t.Errorf("%s was moved by %s, want an hour", path, time.Duration(m.Nano-1000))
		}
		m.Nano = 0
	})
	table.ClockSet(1, time.Hour)
	marks("Conn", reflect.ValueOf(c).Elem(), func(path string, m *Mark) {
		if m.Nano != 0 {
			t.Errorf("%s was not known, and became %d", path, m.Nano)
		}
	})
}

// marks calls do for all marks in a value, and what lies behind its pointers but for the
// neighbours in a list.
func marks(path string, v reflect.Value, do func(path string, m *Mark)) {
	if v.Type() == reflect.TypeFor[Mark]() {
		do(path, (*Mark)(unsafe.Pointer(v.UnsafeAddr())))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			marks(path+"."+v.Type().Field(i).Name, v.Field(i), do)
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			marks(path+"[]", v.Index(i), do)
		}
	case reflect.Pointer:
		if v.Type() != reflect.TypeFor[*Conn]() && v.Type() != reflect.TypeFor[*tuple]() {
			marks(path, v.Elem(), do)
		}
	}
}
