package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// ParseRecord reads one record in JSON. Fields that it does not know it leaves
// out, for a newer program may have written them. The error names the field
// whose value is wrong.
func ParseRecord(text []byte) (*Record, error) {
	r := &Record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, blame(text, err)
	}
	return r, nil
}

// blame names the field that cannot be read, which only some errors of
// encoding/json do.
func blame(text []byte, err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("field %s: it must not be a %s", wrong.Field, wrong.Value)
	}
	if !json.Valid(text) {
		return fmt.Errorf("it is no JSON: %w", err)
	}
	var path []string
	for range 4 { // no field lies deeper
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) != nil {
			break
		}
		names := slices.Sorted(maps.Keys(members))
		i := slices.IndexFunc(names, func(name string) bool { return !readable(append(path, name), members[name]) })
		if i < 0 {
			break
		}
		path, text = append(path, names[i]), members[names[i]]
	}
	return fmt.Errorf("field %s: %w", strings.Join(path, "."), err)
}

// readable reports whether a record can be read in which there is nothing but
// one value.
func readable(path []string, value json.RawMessage) bool {
	for _, name := range slices.Backward(path) {
		value, _ = json.Marshal(map[string]json.RawMessage{name: value}) // it was read from JSON
	}
	return json.Unmarshal(value, &Record{}) == nil
}

// A Remaker makes sessions of the records of one file. Tags of different files
// are made different, for they come from different keys; and nobody can choose
// them so as to slow the analysis down. Sessions share equal CONNECTs and
// CONNACKs. It is not safe for concurrent use.
type Remaker struct {
	seed     maphash.Seed
	connects map[mqtt.Tag]*mqtt.Connect
	connacks map[connackText]*mqtt.Connack
}

// connackText is what mostly differs between CONNACKs.
type connackText struct {
	version          mqtt.Version
	code             byte
	present          bool
	reason, assigned string
}

// maxShared bounds how many packets of a kind are remembered to be shared.
const maxShared = 1 << 15

// NewRemaker returns one for a file.
func NewRemaker() *Remaker {
	return &Remaker{maphash.MakeSeed(), map[mqtt.Tag]*mqtt.Connect{}, map[connackText]*mqtt.Connack{}}
}

// Session makes the session of a record; see [Record.Session].
func (m *Remaker) Session(r *Record, origin *Origin) (*Session, error) {
	s, err := r.Session(origin)
	if err != nil {
		return nil, err
	}
	if c := s.Connect; c != nil {
		c.Tag, c.UserTag = m.tag(c.Tag), m.tag(c.UserTag)
		s.Connect = share(m.connects, c.Tag, c)
	}
	if c := s.Connack; c != nil {
		s.Connack = share(m.connacks, connackText{c.Version, c.Code, c.SessionPresent, c.Reason, c.AssignedID}, c)
	}
	return s, nil
}

// tag is the file's own tag for a tag in it; 0 stands for absent in both.
func (m *Remaker) tag(t mqtt.Tag) mqtt.Tag {
	if t == 0 {
		return 0
	}
	return max(1, mqtt.Tag(maphash.Comparable(m.seed, t)))
}

// share returns the value that is known under a key if it is equal, else v.
func share[K comparable, V any](known map[K]*V, key K, v *V) *V {
	if old := known[key]; old != nil && reflect.DeepEqual(old, v) {
		return old
	}
	if len(known) >= maxShared {
		clear(known)
	}
	known[key] = v
	return v
}
