package analyze

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Fact is a measurement that may be absent. Absent facts are left out of JSON,
// and a condition that needs one is neither true nor false.
type Fact[T bool | int | float64 | string] struct {
	value T
	known bool
	// packets are the packets that show it, ascending; may be empty.
	packets []int
}

// Set makes the fact known, with the packets that show it.
func (f *Fact[T]) Set(v T, packets ...int) { f.value, f.known, f.packets = v, true, packets }

// Get returns the value and whether it is known.
func (f Fact[T]) Get() (T, bool) { return f.value, f.known }

// Packets are the packets that show it, ascending; there may be none.
func (f Fact[T]) Packets() []int { return f.packets }

// IsZero reports that the fact is absent; encoding/json's omitzero asks.
func (f Fact[T]) IsZero() bool { return !f.known }

// MarshalJSON writes the bare value.
func (f Fact[T]) MarshalJSON() ([]byte, error) { return json.Marshal(f.value) }

// UnmarshalJSON reads the bare value and makes the fact known.
func (f *Fact[T]) UnmarshalJSON(b []byte) error {
	f.known = true
	return json.Unmarshal(b, &f.value)
}

// any returns the value without its type; fact lets Facts be walked.
func (f Fact[T]) any() (any, []int, bool) { return f.value, f.packets, f.known }

type fact interface{ any() (any, []int, bool) }

// Each calls yield for every declared fact in order of declaration: its name,
// its value (the zero value of its type where it is absent), the packets that
// show it and whether it is known.
func (f *Facts) Each(yield func(name string, value any, packets []int, known bool)) {
	v := reflect.ValueOf(f).Elem()
	for i, name := range factNames {
		value, packets, known := v.Field(i).Addr().Interface().(fact).any()
		yield(name, value, packets, known)
	}
}

// factNames are the names of the facts in order of declaration.
var factNames = func() []string {
	t := reflect.TypeFor[Facts]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}()

// Facts are the measurements of a finding: what an entry's conditions may use.
// The name in a condition is the JSON name. Counts are of the finding's own
// sessions unless they say otherwise.
type Facts struct {
	// CONNECT, over all sessions of the finding that show one. A fact about
	// "every CONNECT" is absent when they differ and there is no "mixed" value.

	// Connects counts the sessions with a CONNECT.
	Connects Fact[int] `json:"connects,omitzero"`
	// ClientIDEmpty: the client ID is empty in every CONNECT; absent when mixed.
	ClientIDEmpty Fact[bool] `json:"client_id_empty,omitzero"`
	// ClientIDLength is the longest client ID in bytes.
	ClientIDLength Fact[int] `json:"client_id_length,omitzero"`
	// ClientIDChars: "alnum" when every ID uses only 0-9a-zA-Z, "punct" when
	// one has another printable ASCII character, "nats" when one has a
	// character that NATS forbids (. * > or space), "other" beyond ASCII.
	ClientIDChars Fact[string] `json:"client_id_chars,omitzero"`
	// ClientIDs counts the different non-empty client IDs.
	ClientIDs Fact[int] `json:"client_ids,omitzero"`
	// CleanStart: clean session (3.x) or clean start (5) is set in every
	// CONNECT, or (false) in none; absent when mixed.
	CleanStart Fact[bool] `json:"clean_start,omitzero"`
	// KeepAliveS is the keep-alive of every CONNECT in seconds; absent when
	// they differ.
	KeepAliveS Fact[int] `json:"keep_alive_s,omitzero"`
	// Username and Password: present in every CONNECT, or (false) in none.
	Username Fact[bool] `json:"username,omitzero"`
	Password Fact[bool] `json:"password,omitzero"`
	// Will: a will is in every CONNECT, or (false) in none.
	Will       Fact[bool] `json:"will,omitzero"`
	WillRetain Fact[bool] `json:"will_retain,omitzero"`
	WillQoS    Fact[int]  `json:"will_qos,omitzero"`
	// AuthMethod: an MQTT 5 Authentication Method is in every CONNECT, or
	// (false) in none.
	AuthMethod Fact[bool] `json:"auth_method,omitzero"`
	// MQTTVersion is that of every CONNECT: "3.1", "3.1.1", "5"; absent when
	// they differ or the level means none.
	MQTTVersion Fact[string] `json:"mqtt_version,omitzero"`
	// ConnectLength is the largest CONNECT in bytes.
	ConnectLength Fact[int] `json:"connect_length,omitzero"`
	// Malformed: a CONNECT breaks the standard; ConnectProblem names the first
	// way (a Problem.ID), ConnectClause its clause.
	Malformed      Fact[bool]   `json:"malformed,omitzero"`
	ConnectProblem Fact[string] `json:"connect_problem,omitzero"`
	ConnectClause  Fact[string] `json:"connect_clause,omitzero"`

	// Answers.

	// Code is the CONNACK code of every session of the finding, as a number;
	// absent when they differ or there is none.
	Code Fact[int] `json:"code,omitzero"`
	// ConnackVersion is the CONNACK's shape: "3.1.1" (two bytes) or "5".
	ConnackVersion Fact[string] `json:"connack_version,omitzero"`
	// Reason is the MQTT 5 reason string of the first session that has one.
	Reason Fact[string] `json:"reason,omitzero"`
	// ServerReference is the MQTT 5 server reference.
	ServerReference Fact[string] `json:"server_reference,omitzero"`
	// ServerKeepAliveS is the keep-alive that the broker orders, in seconds.
	ServerKeepAliveS Fact[int] `json:"server_keep_alive_s,omitzero"`
	// SessionPresent: the flag is set in a CONNACK of the finding.
	SessionPresent Fact[bool] `json:"session_present,omitzero"`
	// ConnackMS is the slowest CONNACK's time after its CONNECT, ConnackMedianMS
	// the median, in milliseconds.
	ConnackMS       Fact[float64] `json:"connack_max_ms,omitzero"`
	ConnackMedianMS Fact[float64] `json:"connack_median_ms,omitzero"`
	// ClosedByBroker: the broker closed the connection after the refusal
	// [MQTT-3.2.2-5]; false when it left it open.
	ClosedByBroker Fact[bool] `json:"closed_by_broker,omitzero"`
	// CloseKind is how the broker ended the sessions: "fin", "rst",
	// "disconnect"; absent when they differ.
	CloseKind Fact[string] `json:"close_kind,omitzero"`
	// CloseDelayMS is the median time from CONNECT (or, without one, from the
	// TCP handshake) to the broker's close, in milliseconds.
	CloseDelayMS Fact[float64] `json:"close_delay_ms,omitzero"`
	// ConnectSent: the client had sent a complete CONNECT before the close, in
	// every session (true) or none (false).
	ConnectSent Fact[bool] `json:"connect_sent,omitzero"`
	// ConnectPartial counts sessions whose CONNECT was begun and not completed.
	ConnectPartial Fact[int] `json:"connect_partial,omitzero"`
	// ClientGaveUpMS is the median time from CONNECT to the client's close
	// without an answer, in milliseconds.
	ClientGaveUpMS Fact[float64] `json:"client_gave_up_ms,omitzero"`
	// WaitedMS is the longest wait for an answer, to the client's close or the
	// end of the capture, in milliseconds.
	WaitedMS Fact[float64] `json:"waited_ms,omitzero"`
	// LateConnacks counts CONNACKs that came after the client had closed.
	LateConnacks Fact[int] `json:"late_connacks,omitzero"`
	// ConnectAcked: the broker's TCP acknowledged every CONNECT.
	ConnectAcked Fact[bool] `json:"connect_acked,omitzero"`
	// FirstPacket is what the clients sent first where that was no CONNECT, as
	// [MQTT-3.1.0-1] wants it: "PUBLISH", "PINGREQ" …
	FirstPacket Fact[string] `json:"first_packet,omitzero"`
	// AuthPending: the broker sent AUTH 0x18 and the exchange did not end.
	AuthPending Fact[bool] `json:"auth_pending,omitzero"`

	// Behind TLS.

	// Encrypted: every session of the finding is behind TLS that was not
	// decrypted (true), or none is.
	Encrypted Fact[bool] `json:"encrypted,omitzero"`
	// Transport is what carries the MQTT packets, where all agree: "tcp", "tls",
	// "ws" or "wss".
	Transport Fact[string] `json:"transport,omitzero"`
	// HTTPAnswered: a CONNECT was answered in HTTP.
	HTTPAnswered Fact[bool] `json:"http_answered,omitzero"`
	// SNI and ALPN are the TLS server name and the first protocol that the
	// clients ask for, where all agree; ALPN is "" where none is asked for.
	SNI  Fact[string] `json:"sni,omitzero"`
	ALPN Fact[string] `json:"alpn,omitzero"`
	// TLSVersion is the version agreed on: "1.0" to "1.3".
	TLSVersion Fact[string] `json:"tls_version,omitzero"`
	// TLSAlert is the alert's name (RFC 8446 §6): "unknown_ca"; "encrypted"
	// where only its presence shows. TLSAlertBy is "client" or "broker".
	TLSAlert   Fact[string] `json:"tls_alert,omitzero"`
	TLSAlertBy Fact[string] `json:"tls_alert_by,omitzero"`
	// CertSubject and CertNotAfter are the name in the broker's certificate and
	// the day after which it is not valid any more ("2026-05-01"), where it is
	// visible. CertInDate: it was valid when the client was shown it.
	// CertNamesServer: it is made out for the server name that the client asks for.
	CertSubject     Fact[string] `json:"cert_subject,omitzero"`
	CertNotAfter    Fact[string] `json:"cert_not_after,omitzero"`
	CertInDate      Fact[bool]   `json:"cert_in_date,omitzero"`
	CertNamesServer Fact[bool]   `json:"cert_names_server,omitzero"`
	// WSText: MQTT came in text frames, which it must not [MQTT-6.0.0-1].
	WSText Fact[bool] `json:"ws_text,omitzero"`
	// HTTPStatus is the status with which an HTTP or WebSocket upgrade request
	// was answered; WSUpgrade says that the request asked for a WebSocket,
	// WSProtocol that it offered the subprotocol mqtt, HTTPPath its path.
	HTTPStatus Fact[int]    `json:"http_status,omitzero"`
	WSUpgrade  Fact[bool]   `json:"ws_upgrade,omitzero"`
	WSProtocol Fact[bool]   `json:"ws_protocol,omitzero"`
	HTTPPath   Fact[string] `json:"http_path,omitzero"`

	// Which broker, which client: guesses from what the packets carry, or what
	// the user states.

	// BrokerVendor is one of the names in vendor.go ("mosquitto", "emqx",
	// "aws-iot" …). BrokerVersion is "2.0" or the like, where known.
	// BrokerBasis is "stated", "certain" or "likely".
	BrokerVendor  Fact[string] `json:"broker_vendor,omitzero"`
	BrokerVersion Fact[string] `json:"broker_version,omitzero"`
	BrokerBasis   Fact[string] `json:"broker_basis,omitzero"`
	// ClientLibrary is one of the names in library.go ("paho-python", "mqttjs",
	// "esp-idf" …), where all the finding's clients look alike.
	ClientLibrary Fact[string] `json:"client_library,omitzero"`

	// The same broker, outside the finding.

	// BrokerAccepted counts the broker's accepted sessions in the captures.
	BrokerAccepted Fact[int] `json:"broker_accepted,omitzero"`
	// AnonymousAccepted: the broker accepted somebody without a user name;
	// UserAccepted: it accepted a user name of the finding in another session.
	AnonymousAccepted Fact[bool] `json:"anonymous_accepted,omitzero"`
	UserAccepted      Fact[bool] `json:"user_accepted,omitzero"`
	// BrokerSessions counts all its sessions.
	BrokerSessions Fact[int] `json:"broker_sessions,omitzero"`
	// OpenSessions is the largest number of accepted sessions that were open
	// at the broker when a session of the finding failed.
	OpenSessions Fact[int] `json:"open_sessions,omitzero"`
	// AcceptedKeepAliveS is the largest keep-alive that the broker accepted
	// from others, in seconds, 0 (off) where it accepted that; absent when it
	// accepted nobody else.
	AcceptedKeepAliveS Fact[int] `json:"accepted_keep_alive_s,omitzero"`
	// ClientIDOpen: a client ID of the finding was in use by another open
	// session when it was refused or closed.
	ClientIDOpen Fact[bool] `json:"client_id_open,omitzero"`
	// AcceptedLater: one of the finding's clients (by address and client ID,
	// or by address where the ID is empty) is accepted later in the captures.
	AcceptedLater Fact[bool] `json:"accepted_later,omitzero"`
	// AcceptedBefore: one of them was accepted before its first failure.
	AcceptedBefore Fact[bool] `json:"accepted_before,omitzero"`

	// Retries: consecutive attempts of one client (address and client ID).

	// Addresses counts the different client addresses.
	Addresses Fact[int] `json:"addresses,omitzero"`
	// Retries counts attempts after a failed one; RetriesUnchanged those whose
	// CONNECT is the same byte for byte, with their packets.
	Retries          Fact[int] `json:"retries,omitzero"`
	RetriesUnchanged Fact[int] `json:"retries_unchanged,omitzero"`
	// RetrySpanS is the time from the first to the last attempt, in seconds.
	RetrySpanS Fact[float64] `json:"retry_span_s,omitzero"`
	// RetryIntervalS is the median time between attempts, in seconds.
	RetryIntervalS Fact[float64] `json:"retry_interval_s,omitzero"`
	// RetryBackoff: the intervals grow; absent with fewer than three.
	RetryBackoff Fact[bool] `json:"retry_backoff,omitzero"`
	// What retries changed that failed again: the client ID, clean start, the
	// keep-alive, credentials added or dropped; and the protocol version
	// (down), whatever came of it.
	RetriesNewID        Fact[int] `json:"retries_new_id,omitzero"`
	RetriesCleanStart   Fact[int] `json:"retries_clean_start_changed,omitzero"`
	RetriesKeepAlive    Fact[int] `json:"retries_keep_alive_changed,omitzero"`
	RetriesDowngraded   Fact[int] `json:"retries_downgraded,omitzero"`
	RetriesCredsDropped Fact[int] `json:"retries_credentials_dropped,omitzero"`
	RetriesCredsAdded   Fact[int] `json:"retries_credentials_added,omitzero"`

	// RetriesPort counts next attempts that went to another port of the same
	// host.
	RetriesPort Fact[int] `json:"retries_port_changed,omitzero"`
	// WorkedChange says what was different in the CONNECT of a client of the
	// finding that was accepted later: "client-id", "clean-start",
	// "keep-alive", "version", "credentials", "port", "nothing", or "several";
	// with the packet of that CONNECT. Absent when none was accepted.
	WorkedChange Fact[string] `json:"worked_change,omitzero"`
	// BrokerSpeaks5: the broker sent MQTT 5 somewhere in the captures.
	BrokerSpeaks5 Fact[bool] `json:"broker_speaks_5,omitzero"`

	// Keep-alive and flapping.

	// SilenceS is the median time from the client's last packet to the
	// broker's close, in seconds; SilenceFactor the same as a multiple of the
	// keep-alive in force.
	SilenceS      Fact[float64] `json:"silence_s,omitzero"`
	SilenceFactor Fact[float64] `json:"silence_factor,omitzero"`
	// SessionLengthS is the median time from CONNACK to the end of the
	// sessions, in seconds. Flaps counts them; FlapsClosedBy is "client" or
	// "broker" where one side ended all.
	SessionLengthS Fact[float64] `json:"session_length_s,omitzero"`
	Flaps          Fact[int]     `json:"flaps,omitzero"`
	FlapsClosedBy  Fact[string]  `json:"flaps_closed_by,omitzero"`

	// Takeovers.

	// Takeovers counts sessions that ended because another took them over.
	Takeovers Fact[int] `json:"takeovers,omitzero"`
	// Alternations counts how often the ID changed hands again: takeovers of a
	// session that had itself just taken over.
	Alternations Fact[int] `json:"alternations,omitzero"`
	// AddressChanges counts the takeovers in which the ID moved to another
	// client address.
	AddressChanges Fact[int] `json:"address_changes,omitzero"`
	// TakeoverLoop: the sessions take each other over again and again.
	TakeoverLoop Fact[bool] `json:"takeover_loop,omitzero"`
	// TakeoverPeriodS is the median time between takeovers, in seconds.
	TakeoverPeriodS Fact[float64] `json:"takeover_period_s,omitzero"`
	// TakeoverDelayMS is the median distance of the old session's end from
	// the new session's CONNACK, in milliseconds.
	TakeoverDelayMS Fact[float64] `json:"takeover_delay_ms,omitzero"`
	// IdleBeforeS is the shortest time that an old session had been silent
	// before it was taken over, in seconds.
	IdleBeforeS Fact[float64] `json:"idle_before_s,omitzero"`
	// IDsDiffer: the client IDs differ and the user names are equal.
	IDsDiffer Fact[bool] `json:"client_ids_differ,omitzero"`
	// TakeoverTold: the broker told the old session so with DISCONNECT 0x8E.
	TakeoverTold Fact[bool] `json:"takeover_told,omitzero"`
	// StaleReconnect: it looks like a device that replaced its own half-open
	// connection, not like two clients.
	StaleReconnect Fact[bool] `json:"stale_reconnect,omitzero"`

	// Overlapping: sessions with one client ID were open at the same time at
	// different addresses; false when they only alternate.
	Overlapping Fact[bool] `json:"overlapping,omitzero"`

	// The broker's endpoint.

	// Port is the broker's.
	Port Fact[int] `json:"port,omitzero"`
	// SynAttempts counts SYN packets.
	SynAttempts Fact[int] `json:"syn_attempts,omitzero"`
}
