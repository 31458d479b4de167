package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

func TestHTMLTakeovers(t *testing.T) {
	with := func(r decode.Record, change func(*decode.Record)) decode.Record {
		change(&r)
		return r
	}
	old, next := recordAt(0, "10.0.0.2", "gw-7", 0, 1001), recordAt(1, "10.0.0.3", "gw-7", 1000, 0)
	tests := []struct {
		name    string
		records []decode.Record
		want    string
	}{
		{"a takeover", []decode.Record{old, next}, "[[1 0]]"},
		{"in whatever order they ended", []decode.Record{next, old}, "[[1 0]]"},
		{"a loop", []decode.Record{old, recordAt(1, "10.0.0.3", "gw-7", 1000, 2001), recordAt(2, "10.0.0.2", "gw-7", 2000, 0)}, "[[1 0] [2 1]]"},
		{"a slow broker", []decode.Record{recordAt(0, "10.0.0.2", "gw-7", 0, 2900), next}, "[[1 0]]"},
		{"too slow", []decode.Record{recordAt(0, "10.0.0.2", "gw-7", 0, 3100), next}, "[]"},
		{"ended before the other came", []decode.Record{recordAt(0, "10.0.0.2", "gw-7", 0, 999), next}, "[]"},
		{"ended by the client", []decode.Record{with(old, func(r *decode.Record) { r.ClosedBy = decode.Client }), next}, "[]"},
		{"another client ID", []decode.Record{old, recordAt(1, "10.0.0.3", "gw-8", 1000, 0)}, "[]"},
		{"no client ID", []decode.Record{recordAt(0, "10.0.0.2", "", 0, 1001), recordAt(1, "10.0.0.3", "", 1000, 0)}, "[]"},
		{"another broker", []decode.Record{with(old, func(r *decode.Record) { r.Broker = "10.0.0.9:1883" }), next}, "[]"},
		{"a newcomer that was not accepted", []decode.Record{old, with(next, func(r *decode.Record) { r.Outcome = decode.Rejected })}, "[]"},
		{"an old session that was not accepted", []decode.Record{with(old, func(r *decode.Record) { r.Outcome = decode.Rejected }), next}, "[]"},
		{"an assigned client ID", []decode.Record{old, with(next, func(r *decode.Record) {
			empty := ""
			r.ClientID, r.ClientIDAssigned = &empty, "gw-7"
		})}, "[[1 0]]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := &Document{Lang: kb.English, Sessions: RecordsOf(tt.records...)}
			if got := fmt.Sprint(htmlStoryOf(doc).takeovers); got != tt.want {
				t.Errorf("takeovers %s, want %s", got, tt.want)
			}
		})
	}
}

// TestHTMLTimeline: everything that is drawn lies in the picture, bars in one row
// of a lane do not overlap, and every session is drawn or counted as left out.
func TestHTMLTimeline(t *testing.T) {
	crowd := func(n, hosts, each, long int) *Document {
		doc := pictured(kb.English)
		doc.Sessions = Records{n, func(i int, _ bool) decode.Record {
			r := recordAt(i, fmt.Sprintf("10.0.%d.%d", i%hosts/200, i%hosts%200), fmt.Sprintf("d%d", i%7), i*each, i*each+long)
			if i%5 == 0 {
				r.Outcome, r.Code = decode.Rejected, "0x05"
			}
			return r
		}}
		return doc
	}
	docs := map[string]*Document{
		"pictured": pictured(kb.English), "hostile": hostilePage(), "many hosts": crowd(3000, 500, 10, 30),
		"many at once": crowd(5000, 3, 1, 100_000), "a burst": crowd(5000, 40, 0, 5), "a long loop": crowd(20000, 7, 100, 101),
	}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			story := htmlStoryOf(doc)
			p := htmlTimelineOf(doc, story)
			drawn, bars := 0, 0
			for _, l := range p.Lanes {
				byRow := map[int][]htmlBar{}
				for _, b := range l.Bars {
					bars++
					drawn += b.count
					byRow[b.Y] = append(byRow[b.Y], b)
					if b.x < 0 || b.right > 100 || b.right < b.x || b.Y < 0 || b.Y+barHeight > p.Height {
						t.Errorf("a bar from %v to %v at %d", b.x, b.right, b.Y)
					}
				}
				for y, row := range byRow {
					slices.SortFunc(row, func(a, b htmlBar) int { return int(a.start - b.start) })
					for i := 1; i < len(row); i++ {
						if row[i].start < row[i-1].end {
							t.Errorf("bars overlap at %d", y)
						}
					}
				}
			}
			for _, a := range p.Arrows {
				if a.Y1 < 0 || a.Y2 < 0 || a.Y1 > p.Height || a.Y2 > p.Height || a.Y1 == a.Y2 {
					t.Errorf("an arrow from %d to %d", a.Y1, a.Y2)
				}
			}
			if len(p.Lanes) > maxLanes || bars > maxBars || len(p.Arrows) > maxArrows {
				t.Errorf("%d lanes, %d bars, %d arrows", len(p.Lanes), bars, len(p.Arrows))
			}
			all := 0
			for _, l := range p.Lanes {
				all += l.all
			}
			if drawn < all && !strings.Contains(strings.Join(p.Notes, " "), "not drawn") {
				t.Errorf("%d of %d sessions are drawn, and nothing says so", drawn, all)
			}
		})
	}
	if p := htmlTimelineOf(pictured(kb.English), htmlStoryOf(pictured(kb.English))); len(p.Arrows) != 3 {
		t.Errorf("%d arrows, want 3", len(p.Arrows))
	}
}

// TestHTMLTicks: a few ticks at any scale, in order, inside the picture and told
// apart by their texts.
func TestHTMLTicks(t *testing.T) {
	for span := time.Millisecond; span < 200*365*day && span > 0; span = span*7/4 + 1 {
		first := begin.Add(span / 3)
		p := &htmlPicture{
			htmlTimeline: &htmlTimeline{}, doc: &Document{Lang: kb.English},
			story: &htmlStory{first: first.UnixNano(), last: first.Add(span).UnixNano()},
		}
		p.axis()
		if len(p.Ticks) < 2 || len(p.Ticks) > maxTicks+1 {
			t.Errorf("%v: %d ticks", span, len(p.Ticks))
		}
		for i, tick := range p.Ticks {
			var x float64
			if _, err := fmt.Sscanf(tick.X, "%f%%", &x); err != nil || x < 0 || x > 100 {
				t.Errorf("%v: a tick at %s", span, tick.X)
			}
			if i > 0 && tick.Text == p.Ticks[i-1].Text {
				t.Errorf("%v: two ticks say %s", span, tick.Text)
			}
		}
	}
}

func TestHTMLHistograms(t *testing.T) {
	doc := pictured(kb.English)
	sum := func(h htmlHistogram) (n int) {
		for _, b := range h.Bins {
			n += b.Count
		}
		return n
	}
	h := htmlHistogramsOf(doc, htmlStoryOf(doc))
	// Five CONNACKs; gw-7 comes twice from each of two addresses, six sessions
	// without an ID come from a third.
	for i, want := range []int{5, 2 + 5, 3} {
		if got := sum(h[i]); got != want {
			t.Errorf("%s: %d, want %d", h[i].Title, got, want)
		}
	}
	for value, want := range map[time.Duration]int{0: 0, 99 * time.Microsecond: 0, 100 * time.Microsecond: 1, time.Second: 9, time.Hour: 12, -time.Second: 0} {
		if got := bin(latencyEdges, value); got != want {
			t.Errorf("%v is in class %d, want %d", value, got, want)
		}
	}
}
