package decode

import (
	"reflect"
	"testing"
	"time"
	"unsafe"
)

// times calls do for all events in a value, which it makes where they lie behind a pointer.
// Those of what is not the value's own are left out.
func times(path string, v reflect.Value, do func(path string, e *Event)) {
	if v.Type() == reflect.TypeFor[Event]() {
		do(path, (*Event)(unsafe.Pointer(v.UnsafeAddr())))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			times(path+"."+v.Type().Field(i).Name, v.Field(i), do)
		}
	case reflect.Array:
		for i := range v.Len() {
			times(path+"[]", v.Index(i), do)
		}
	case reflect.Pointer, reflect.Slice:
		if !holds(v.Type().Elem(), map[reflect.Type]bool{}) {
			return
		}
		if v.Kind() == reflect.Slice {
			do(path+": a list, of which nothing is moved", &Event{Nano: 1})
			return
		}
		if v.IsNil() {
			reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem().Set(reflect.New(v.Type().Elem()))
		}
		times(path, v.Elem(), do)
	}
}

// holds reports that there are events in a type, of a connection's own.
func holds(t reflect.Type, known map[reflect.Type]bool) bool {
	switch {
	case t == reflect.TypeFor[Event]():
		return true
	case known[t] || t == reflect.TypeFor[Decoder]():
		return false
	}
	known[t] = true
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if holds(t.Field(i).Type, known) {
				return true
			}
		}
	case reflect.Array, reflect.Slice, reflect.Pointer:
		return holds(t.Elem(), known)
	}
	return false
}

// Where the clock is set, all times move, those too that are added to these types later.
func TestClockMovesAllTimes(t *testing.T) {
	f, s := new(follower), new(Session)
	for _, test := range []struct {
		of   any
		move func(time.Duration)
		some string
	}{
		{f, f.clockSet, "follower.secure.out.AlertAt"},
		{s, s.ClockSet, "Session.rare.Refusal"},
	} {
		v := reflect.ValueOf(test.of).Elem()
		seen := map[string]bool{}
		times(v.Type().Name(), v, func(path string, e *Event) { e.Packet, e.Nano, seen[path] = 1, 1000, true })
		if !seen[test.some] {
			t.Errorf("%s was not found among %v", test.some, seen)
		}
		test.move(time.Hour)
		times(v.Type().Name(), v, func(path string, e *Event) {
			if e.Nano != 1000+int64(time.Hour) {
				t.Errorf("%s was moved by %s, want an hour", path, time.Duration(e.Nano-1000))
			}
			e.Nano = 0
		})
		test.move(time.Hour)
		times(v.Type().Name(), v, func(path string, e *Event) {
			if e.Nano != 0 {
				t.Errorf("%s was not known, and became %d", path, e.Nano)
			}
		})
	}
}

// Sessions that share what few have are moved each for itself.
func TestClockMovesCopies(t *testing.T) {
	first := &Session{TLS: &TLS{AlertAt: Event{1, 1000}}, rare: &Rare{Refusal: Event{1, 1000}}}
	second := *first
	first.ClockSet(time.Hour)
	second.ClockSet(time.Hour)
	for _, s := range []*Session{first, &second} {
		if s.TLS.AlertAt.Nano != 1000+int64(time.Hour) || s.rare.Refusal != s.TLS.AlertAt {
			t.Errorf("moved to %+v and %+v, want an hour", s.TLS.AlertAt, s.rare.Refusal)
		}
	}
}
