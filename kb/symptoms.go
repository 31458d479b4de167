package kb

// symptoms are the ids that an entry may answer: those of the contract, in its
// order.
var symptoms = []string{
	"client-id-takeover", "client-id-shared", "client-id-churn",
	"identifier-rejected", "server-unavailable", "bad-credentials",
	"not-authorized", "version-refused", "connack-other", "server-redirect",
	"closed-before-connack", "no-connack", "slow-connack",
	"connection-refused", "connection-timeout",
	"tls-to-plain-port", "plain-to-tls-port", "http-on-mqtt-port", "tls-alert", "closed-inside-tls",
	"ws-upgrade-failed", "retry-storm", "keepalive-timeout",
	"session-flapping", "malformed-connect",
}
