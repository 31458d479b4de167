package mqtt

// ParseDisconnect reads a DISCONNECT (3.1.1 section 3.14, 5 section 3.14). With
// nothing after its header it is that of 3.x, or of 5 with code 0; with one byte
// it has no properties. Nothing that is returned aliases the frame.
func ParseDisconnect(fr Frame) (*Disconnect, error) {
	if fr.Type != TypeDisconnect {
		return nil, errWrongType(fr, TypeDisconnect)
	}
	d := &Disconnect{}
	ps := &problems{version: V311}
	if len(fr.Body) > 0 {
		ps.version = V5
		d.HasCode, d.Code = true, fr.Body[0]
	}
	checkFrame(fr, ps)
	if len(fr.Body) > 1 {
		props := propertiesAt(fr, 1, &inDisconnect, ps)
		d.Reason = string(props.reason.of(fr.Body))
		d.ServerReference = string(props.reference.of(fr.Body))
	}
	d.Problems = ps.list
	return d, nil
}

// ParseAuth reads an AUTH packet (5 section 3.15). With nothing after its header
// it means success; with one byte it has no properties. Nothing that is
// returned aliases the frame, and no authentication data is in it.
func ParseAuth(fr Frame) (*Auth, error) {
	if fr.Type != TypeAuth {
		return nil, errWrongType(fr, TypeAuth)
	}
	a := &Auth{}
	ps := &problems{version: V5}
	checkFrame(fr, ps)
	if len(fr.Body) > 0 {
		a.Code = fr.Body[0]
	}
	if len(fr.Body) > 1 {
		props := propertiesAt(fr, 1, &inAuth, ps)
		a.Method = string(props.authMethod.of(fr.Body))
	}
	a.Problems = ps.list
	return a, nil
}
