package report

import (
	"encoding/json"

	"github.com/mqttriage/mqttriage/decode"
)

// Records are session records that are made when they are asked for, one by one:
// there may be hundreds of thousands, each many times as large as its session.
// The zero Records were not asked for and are no list at all.
type Records struct {
	n  int
	at func(i int, traced bool) decode.Record
}

// RecordsOf lists records that are there.
func RecordsOf(records ...decode.Record) Records {
	return Records{len(records), func(i int, traced bool) decode.Record {
		r := records[i]
		if !traced {
			r.Trace = nil
		}
		return r
	}}
}

// recordsOf are the records of sessions, under pseudonyms where hide is not nil.
func recordsOf(sessions []*decode.Session, hide *Redactor) Records {
	return Records{len(sessions), func(i int, traced bool) decode.Record {
		s := hide.session(sessions[i])
		if traced {
			return s.TracedRecord()
		}
		return s.Record()
	}}
}

// Len is how many there are.
func (r Records) Len() int { return r.n }

// At makes record i, from 0.
func (r Records) At(i int) decode.Record { return r.at(i, false) }

// Traced makes record i with its trace, if it has one.
func (r Records) Traced(i int) decode.Record { return r.at(i, true) }

// IsZero reports that records were not asked for.
func (r Records) IsZero() bool { return r.at == nil }

// MarshalJSON makes them all; JSON does without it where there are many.
func (r Records) MarshalJSON() ([]byte, error) {
	all := make([]decode.Record, r.n)
	for i := range all {
		all[i] = r.At(i)
	}
	return json.Marshal(all)
}

// UnmarshalJSON takes a list of records.
func (r *Records) UnmarshalJSON(b []byte) error {
	var all []decode.Record
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if *r = (Records{}); all != nil {
		*r = RecordsOf(all...)
	}
	return nil
}
