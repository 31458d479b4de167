package decode

import "github.com/mqttriage/mqttriage/decode/http"

// web follows the head of an HTTP request and of its answer.
type web struct {
	request, response http.Head
	out               HTTP
}

func (w *web) feed(client bool, p []byte) {
	if client {
		if m := w.request.Feed(p); m != nil {
			w.out.Method, w.out.Path, w.out.Upgrade, w.out.Subprotocol = m.Method, m.Path, m.Upgrade, m.MQTT
		}
		return
	}
	if m := w.response.Feed(p); m != nil {
		w.out.Status, w.out.Accepted = m.Status, m.MQTT
	}
}
