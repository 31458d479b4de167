#!/bin/bash
# Records the captures of this folder: MQTT over WebSocket between real clients
# and real brokers, on a loopback interface of its own. Run as root on Debian 12;
# index.tsv and the tests are then to be read again by hand. CI does not run it.
#
# Needs Debian's mosquitto, python3-paho-mqtt, nginx, tcpdump, openssl, iproute2,
# Node.js 20 with npm, and Go. The npm packages and Go modules are pinned below.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${WS_WORK:-}" ]; then
	WS_WORK=$(mktemp -d)
	export WS_WORK
	cd "$WS_WORK"
	npm init -y >/dev/null
	npm install --silent --no-audit --no-fund mqtt@5.16.0 ws@8.23.0 paho-mqtt@1.1.0 aedes@1.2.0
	export GOBIN=$WS_WORK/bin
	go install github.com/nats-io/nats-server/v2@v2.15.2
	go install github.com/mochi-mqtt/server/v2/cmd@v2.7.9 && mv bin/cmd bin/mochi
	mkdir pahogo && cp "$here/pahogo/main.go" pahogo && cd pahogo
	go mod init pahogo && go get github.com/eclipse/paho.mqtt.golang@v1.5.1 && go build -o "$GOBIN/pahogo" .
	exec unshare -n "$here/make.sh" "$@" # no other traffic, and every port is free
fi

ip link set lo up
cd "$WS_WORK"
cp "$here"/*.cjs . # where Node finds node_modules
export PATH=$WS_WORK/bin:$PATH
: >logs.txt

# Brokers. Each starts in the background and leaves its process in $broker and
# what it said in broker.log.
serve() { "$@" >broker.log 2>&1 & broker=$!; }
ready() { for _ in $(seq 100); do ss -Hltn "sport = :$1" | grep -q . && return; sleep 0.05; done; echo "nothing on port $1"; exit 1; }

mosquitto() { # CONFIGURATION LINES
	printf '%s\n' "user root" "log_dest stdout" "log_timestamp false" "log_type all" \
		"listener 9001 127.0.0.1" "protocol websockets" "listener 1883 127.0.0.1" "$@" >mosquitto.conf
	serve stdbuf -oL /usr/sbin/mosquitto -c mosquitto.conf
	ready 9001
}
open_mosquitto() { mosquitto "allow_anonymous true"; }
closed_mosquitto() { mosquitto "allow_anonymous false"; }
tls_mosquitto() { mosquitto "allow_anonymous true" "listener 9002 127.0.0.1" "protocol websockets" "certfile cert.pem" "keyfile key.pem"; ready 9002; }
aedes() { serve node aedes.cjs 9101 /mqtt "${1:-{\}}"; ready 9101; }
tcp_aedes() { serve node aedes.cjs 1883 tcp; ready 1883; }
mochi() { serve "$WS_WORK/bin/mochi" -ws 127.0.0.1:9201 -tcp 127.0.0.1:1883 -info 127.0.0.1:8081; ready 9201; }
nats() {
	rm -rf jetstream
	cat >nats.conf <<-END
		server_name: nats
		listen: 127.0.0.1:4222
		jetstream { store_dir: "jetstream" }
		websocket { listen: "127.0.0.1:9301", no_tls: true, compression: true }
		mqtt { listen: "127.0.0.1:1883" }
	END
	serve nats-server -c nats.conf -DV
	ready 9301
	sleep 0.5
}
nginx() { # a reverse proxy with one path to a broker that is down
	mkdir -p nginx
	cat >nginx.conf <<-END
		daemon off; pid nginx/pid; error_log nginx/error.log; events {}
		http {
			access_log off; client_body_temp_path nginx/b; proxy_temp_path nginx/p; fastcgi_temp_path nginx/f; uwsgi_temp_path nginx/u; scgi_temp_path nginx/s;
			server {
				listen 127.0.0.1:8080;
				location /mqtt { proxy_pass http://127.0.0.1:9001; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection upgrade; }
				location /forgotten { proxy_pass http://127.0.0.1:9001; }
			}
		}
	END
	"${NGINX:-/usr/sbin/nginx}" -p "$WS_WORK" -e nginx/error.log -c nginx.conf >nginx.log 2>&1 &
	proxy=$!
	ready 8080
}
mosquitto_behind_nginx() { open_mosquitto; nginx; }
nginx_alone() { serve sleep 1000; nginx; }

# record NAME PORT BROKER COMMAND...: one capture of one port.
record() {
	local name=$1 port=$2 start=$3
	shift 3
	proxy=
	$start
	rm -f tcpdump.log
	tcpdump -i lo -Z root -U --immediate-mode -B 65536 -w "$name.pcap" "tcp port $port" 2>tcpdump.log &
	local dump=$!
	until grep -qs listening tcpdump.log; do sleep 0.05; done
	"$@" >client.log 2>&1 || true
	sleep 0.3
	kill -INT $dump && wait $dump || true
	grep -q '^0 packets dropped by kernel' tcpdump.log || { echo "$name: packets lost"; exit 1; }
	kill $broker $proxy && wait $broker $proxy || true
	{
		echo "== $name"
		grep -h '^client\|^gave up' client.log | grep -v ' got [sp]u[a-z]* \|opcode 2 ..$\|closes the' || true
		# Only the lines that tell of a connection, and no paths or process numbers.
		grep -ahE '^broker|lient|ebsocket|WebSocket|error' broker.log | grep -av 'connection created\| sub\|PUBLISH\|SUBSCRIBE\|JETSTREAM\|JetStream' | sed -E 's/^\[[0-9]+\] [0-9/]+ [0-9:.]+ //; s/^time=[^ ]+ //' | grep -v 'istening\|Opening\|accept loop\|SYSTEM\|DO NOT USE' | cut -c1-160 || true
	} >>logs.txt
	cp "$name.pcap" "$here/"
}
talk="node mqttjs.cjs talk"
raw="python3 $here/raw.py"
paho="/usr/bin/python3 $here/pahopy.py"
[ $# -eq 0 ] || { record "$@"; cat logs.txt; exit; }

m=mosquitto-2.0.11 js=mqttjs-5.16.0
record ${m}_${js}_v311_accepted 9001 open_mosquitto $talk ws://127.0.0.1:9001/mqtt
record ${m}_${js}_v311_accepted_tcp 1883 open_mosquitto $talk mqtt://127.0.0.1:1883
record ${m}_${js}_v311_not-authorized 9001 closed_mosquitto node mqttjs.cjs rejected ws://127.0.0.1:9001/mqtt
record ${m}_${js}_v311_not-authorized_tcp 1883 closed_mosquitto node mqttjs.cjs rejected mqtt://127.0.0.1:1883
record ${m}_${js}_v5_takeover 9001 open_mosquitto node mqttjs.cjs takeover ws://127.0.0.1:9001/mqtt '{"protocolVersion":5}'
record ${m}_${js}_v5_takeover_tcp 1883 open_mosquitto node mqttjs.cjs takeover mqtt://127.0.0.1:1883 '{"protocolVersion":5}'
record ${m}_${js}_v5_not-authorized 9001 closed_mosquitto node mqttjs.cjs rejected ws://127.0.0.1:9001/mqtt '{"protocolVersion":5}'
record ${m}_${js}_plain-port 1883 open_mosquitto node mqttjs.cjs rejected ws://127.0.0.1:1883/mqtt

record ${m}_paho-js-1.1.0_v311_accepted 9001 open_mosquitto node pahojs.cjs talk 127.0.0.1 9001
record ${m}_paho-js-1.1.0_not-authorized_retries-v31 9001 closed_mosquitto node pahojs.cjs rejected 127.0.0.1 9001
record ${m}_paho-python-1.6.1_v311_accepted 9001 open_mosquitto $paho websockets 9001 4
record ${m}_paho-python-1.6.1_v311_accepted_tcp 1883 open_mosquitto $paho tcp 1883 4
record ${m}_paho-python-1.6.1_v5_accepted 9001 open_mosquitto $paho websockets 9001 5
record ${m}_paho-go-1.5.1_v311_accepted 9001 open_mosquitto pahogo ws://127.0.0.1:9001/mqtt 2
record ${m}_paho-go-1.5.1_v311_9-kB-publish_fragments 9001 open_mosquitto pahogo ws://127.0.0.1:9001/mqtt 9000
record ${m}_paho-go-1.5.1_v311_9-kB-publish_tcp 1883 open_mosquitto pahogo tcp://127.0.0.1:1883 9000

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=broker.example -keyout key.pem -out cert.pem 2>/dev/null
for v in 1.2 1.3; do
	name=${m}_${js}_v311_wss-tls${v/./}
	rm -f "$here/$name.keylog" # Node adds to the file
	record $name 9002 tls_mosquitto env NODE_OPTIONS="--tls-min-v$v --tls-max-v$v --tls-keylog=$here/$name.keylog" \
		$talk wss://127.0.0.1:9002/mqtt '{"rejectUnauthorized":false,"wsOptions":{"servername":"broker.example"}}'
done

a=aedes-1.2.0
deflate='{"wsOptions":{"perMessageDeflate":{"threshold":0}}}'
afresh='{"wsOptions":{"perMessageDeflate":{"threshold":0,"serverNoContextTakeover":true,"clientNoContextTakeover":true}}}'
server() { node -p "JSON.stringify(JSON.parse(process.argv[1]).wsOptions)" "$1"; }
deflating_aedes() { aedes "$(server "$deflate")"; }
afresh_aedes() { aedes "$(server "$afresh")"; }
unused='{"wsOptions":{"perMessageDeflate":{"threshold":1024,"serverNoContextTakeover":true,"clientNoContextTakeover":true}}}'
unused_aedes() { aedes "$(server "$unused")"; }
window_aedes() { aedes '{"perMessageDeflate":{"threshold":0,"serverMaxWindowBits":9,"clientMaxWindowBits":9}}'; }
record ${a}_${js}_v311_accepted 9101 aedes $talk ws://127.0.0.1:9101/mqtt
record ${a}_${js}_v311_accepted_tcp 1883 tcp_aedes $talk mqtt://127.0.0.1:1883
record ${a}_${js}_v311_deflate 9101 deflating_aedes $talk ws://127.0.0.1:9101/mqtt "$deflate"
record ${a}_${js}_v311_deflate_no-context-takeover 9101 afresh_aedes $talk ws://127.0.0.1:9101/mqtt "$afresh"
record ${a}_${js}_v311_deflate_window-bits-9 9101 window_aedes $talk ws://127.0.0.1:9101/mqtt "$deflate"
record ${a}_${js}_v311_deflate_negotiated-never-used 9101 unused_aedes $talk ws://127.0.0.1:9101/mqtt "$unused"
record ${a}_${js}_v311_deflate_takeover 9101 deflating_aedes node mqttjs.cjs takeover ws://127.0.0.1:9101/mqtt "$deflate"
record ${a}_${js}_wrong-path 9101 aedes node mqttjs.cjs rejected ws://127.0.0.1:9101/nothing-here
record ${a}_${js}_v311_takeover_tcp 1883 tcp_aedes node mqttjs.cjs takeover mqtt://127.0.0.1:1883
record ${a}_paho-python-1.6.1_v311_accepted 9101 aedes $paho websockets 9101 4

n=nats-2.15.2
record ${n}_${js}_v311_deflate 9301 nats $talk ws://127.0.0.1:9301/mqtt "$deflate"
record ${n}_${js}_v311_accepted_tcp 1883 nats $talk mqtt://127.0.0.1:1883
record ${n}_raw_wrong-path 9301 nats $raw wrong-path 9301

for s in one-frame first-byte-alone one-byte-frames three-fragments-with-ping two-packets-in-one-frame packets-astride-frames \
	empty-frame-first frame-astride-segments rsv1-not-negotiated text-frame unmasked connect-behind-request second-connect level-9 version-5 closed-before-connect \
	no-subprotocol subprotocol-chat subprotocol-mqttv3.1 two-subprotocols wrong-path websocket-version-99 http-get plain-mqtt; do
	record ${m}_raw_$s 9001 open_mosquitto $raw $s 9001
	record ${a}_raw_$s 9101 aedes $raw $s 9101
done
record ${m}_raw_websocket-to-plain-port 1883 open_mosquitto $raw one-frame 1883
record ${a}_raw_websocket-to-plain-port 1883 tcp_aedes $raw one-frame 1883
for s in three-fragments-with-ping text-frame no-subprotocol subprotocol-chat http-get; do
	record mochi-2.7.9_raw_$s 9201 mochi $raw $s 9201
	record ${n}_raw_$s 9301 nats $raw $s 9301
done
record ${a}_raw_deflated-fragments 9101 deflating_aedes $raw deflated-fragments 9101
record ${n}_raw_deflated-fragments 9301 nats $raw deflated-fragments 9301
record ${n}_raw_closed-before-connect 9301 nats $raw closed-before-connect 9301
record mochi-2.7.9_${js}_v5_takeover 9201 mochi node mqttjs.cjs takeover ws://127.0.0.1:9201/mqtt '{"protocolVersion":5}'
record mochi-2.7.9_${js}_v5_takeover_tcp 1883 mochi node mqttjs.cjs takeover mqtt://127.0.0.1:1883 '{"protocolVersion":5}'
record mochi-2.7.9_raw_plain-mqtt 9201 mochi $raw plain-mqtt 9201

g=nginx-1.22.1
record ${g}_raw_accepted 8080 mosquitto_behind_nginx $raw one-frame 8080
record ${g}_raw_wrong-path_404 8080 mosquitto_behind_nginx $raw wrong-path 8080
record ${g}_raw_upgrade-not-forwarded 8080 mosquitto_behind_nginx $raw one-frame 8080 /forgotten
record ${g}_raw_broker-down_502 8080 nginx_alone $raw one-frame 8080

cp logs.txt "$here/logs.txt"
