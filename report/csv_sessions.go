package report

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
)

// sessions writes a row a session. Records are made one by one.
func (c *csvWriter) sessions(doc *Document) {
	for _, column := range sessionColumns {
		c.add(column.name)
	}
	c.end()
	for i := range doc.Sessions.Len() {
		record := reflect.ValueOf(doc.Sessions.At(i))
		for _, column := range sessionColumns {
			c.add(column.cell(record))
		}
		c.end()
	}
}

// recordColumn is a member of a session record, as deep in it as it is.
type recordColumn struct {
	name string
	path []int
	// omitZero leaves out a zero, as its JSON does.
	omitZero bool
}

// sessionColumns are all members of a session record, but for the trace, which is
// for programs.
var sessionColumns = recordColumns(reflect.TypeFor[decode.Record](), "", nil)

func recordColumns(t reflect.Type, prefix string, path []int) []recordColumn {
	var columns []recordColumn
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := append(path[:len(path):len(path)], i)
		member := field.Type
		if member.Kind() == reflect.Pointer {
			member = member.Elem()
		}
		switch {
		case member == reflect.TypeFor[decode.Trace]():
		case member.Kind() == reflect.Struct && member != reflect.TypeFor[decode.Stamp]():
			columns = append(columns, recordColumns(member, prefix+name+".", at)...)
		default:
			columns = append(columns, recordColumn{prefix + name, at, options == "omitempty"})
		}
	}
	return columns
}

// cell is the column's value in a record, "" where the record has none.
func (c recordColumn) cell(record reflect.Value) string {
	for _, i := range c.path {
		if record.Kind() == reflect.Pointer {
			if record.IsNil() {
				return ""
			}
			record = record.Elem()
		}
		record = record.Field(i)
	}
	if c.omitZero && record.IsZero() {
		return ""
	}
	if record.Kind() == reflect.Pointer {
		record = record.Elem()
	}
	return cellOf(record)
}

func cellOf(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = cellOf(v.Index(i))
		}
		return joined(items, "; ")
	}
	switch x := v.Interface().(type) {
	case decode.Stamp:
		return stamp(x)
	case encoding.TextMarshaler:
		text, _ := x.MarshalText() //nolint:errcheck // words make none
		return string(text)
	}
	return strconv.FormatUint(v.Uint(), 10)
}
