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

// A Remaker makes sessions of the records of one file. Tags of different files come
// from different keys, so that they say only which CONNECTs of one file are equal.
// Across files those are taken for equal that look so: the n-th kind of CONNECT
// with the same visible contents and length is one in all files. User names are
// compared within a file only. Nobody can choose tags so as to slow the analysis
// down. Sessions share equal CONNECTs and CONNACKs. It is not safe for concurrent
// use.
type Remaker struct {
	seed maphash.Seed
	// first is the tag of the first kind of CONNECT that looks so, kinds number
	// the others, and counts says how many there are.
	first    map[uint64]mqtt.Tag
	kinds    map[kind]uint32
	counts   map[uint64]uint32
	connects map[mqtt.Tag]*mqtt.Connect
	connacks map[connackText]*mqtt.Connack
}

// kind is a tag among those of CONNECTs that look the same.
type kind struct {
	looks uint64
	tag   mqtt.Tag
}

// looksSeed is drawn once, so that all files of a run are compared.
var looksSeed = maphash.MakeSeed()

// visible is what a CONNECT shows but for its secrets.
type visible struct {
	name, clientID, authMethod                              string
	level                                                   byte
	unknownID, clean, username, password, will, retain, cut bool
	qos                                                     byte
	keepAlive                                               uint16
	expires                                                 bool
	expiry                                                  uint32
	length                                                  int
}

func looksOf(c *mqtt.Connect) uint64 {
	v := visible{
		name: c.Name, clientID: c.ClientID, authMethod: c.AuthMethod, level: c.Level,
		unknownID: c.IDUnknown, clean: c.CleanStart, username: c.Username, password: c.Password,
		will: c.Will, retain: c.WillRetain, cut: c.Incomplete, qos: c.WillQoS, keepAlive: c.KeepAlive, length: c.Length,
	}
	if c.SessionExpiry != nil {
		v.expires, v.expiry = true, *c.SessionExpiry
	}
	return maphash.Comparable(looksSeed, v)
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
	return &Remaker{
		seed: maphash.MakeSeed(), first: map[uint64]mqtt.Tag{}, kinds: map[kind]uint32{}, counts: map[uint64]uint32{},
		connects: map[mqtt.Tag]*mqtt.Connect{}, connacks: map[connackText]*mqtt.Connack{},
	}
}

// Session makes the session of a record; see [Record.Session].
func (m *Remaker) Session(r *Record, origin *Origin) (*Session, error) {
	s, err := r.Session(origin)
	if err != nil {
		return nil, err
	}
	if c := s.Connect; c != nil {
		c.Tag, c.UserTag = m.connectTag(c), m.tag(c.UserTag)
		s.Connect = share(m.connects, c.Tag, c)
	}
	if c := s.Connack; c != nil {
		s.Connack = share(m.connacks, connackText{c.Version, c.Code, c.SessionPresent, c.Reason, c.AssignedID}, c)
	}
	return s, nil
}

// Adopt gives a session that was decoded here the tag that those of files have, so
// that a capture and saved records can be analysed together.
func (m *Remaker) Adopt(s *Session) {
	if s.Connect == nil {
		return
	}
	c := *s.Connect
	c.Tag = m.connectTag(&c)
	s.Connect = share(m.connects, c.Tag, &c)
}

// connectTag is the tag that a CONNECT has in all files.
func (m *Remaker) connectTag(c *mqtt.Connect) mqtt.Tag {
	if c.Tag == 0 {
		return 0
	}
	looks, number := looksOf(c), uint32(0)
	if first, known := m.first[looks]; !known {
		m.first[looks] = c.Tag
	} else if first != c.Tag {
		k := kind{looks, c.Tag}
		if number = m.kinds[k]; number == 0 {
			m.counts[looks]++
			number = m.counts[looks]
			m.kinds[k] = number
		}
	}
	return max(1, mqtt.Tag(maphash.Comparable(looksSeed, kind{looks, mqtt.Tag(number)})))
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
