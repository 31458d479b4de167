#!/usr/bin/env bash
# Makes every file of this folder anew: throw-away keys, the brokers'
# configurations, the recordings, and index.tsv, which says what tshark reads
# in each. The same MQTT bytes go over TLS and in the clear.
#
# CI does not run this. It needs root on Linux and, as Debian 12 names them:
# gcc libssl-dev openssl mosquitto haproxy tcpdump tshark python3 iproute2. Everything happens on the loopback of a network namespace of its
# own, so no other traffic can get into a recording. It takes some minutes.
set -euo pipefail
[ "${1-}" = inside ] || exec unshare -n "$0" inside
cd "$(dirname "$0")"
export PATH=$PATH:/usr/sbin LC_ALL=C TZ=UTC
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$tmp"' EXIT
export WIRESHARK_CONFIG_DIR=$tmp HOME=$tmp
ip link set lo up mtu 1500
rm -rf ./*.pcap ./*.pcapng ./*.gz ./*.keylog certs index.tsv
mkdir certs
gcc -Wall -Wextra -O1 -o "$tmp/client" client.c -lssl -lcrypto

# --- OpenSSL's settings, the same for both sides; $1 adds some for the broker

openssl_conf() {
	printf 'openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n[all]\n'
	printf 'MinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n%b\n' "${1-}"
}
openssl_conf >"$tmp/client.cnf"

# --- keys and certificates

issue() { # NAME SUBJECT ALGORITHM...
	local name=$1 subject=$2; shift 2
	openssl req -new -newkey "$@" -nodes -keyout "certs/$name.key" -out "$tmp/csr" -subj "/CN=$subject" 2>/dev/null
	openssl x509 -req -in "$tmp/csr" -CA certs/ca.crt -CAkey "$tmp/ca.key" -CAcreateserial -CAserial "$tmp/serial" \
		-days 36500 -out "certs/$name.crt" -extfile <(echo "subjectAltName = DNS:$subject") 2>/dev/null
}
for ca in certs/ca "$tmp/other"; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 \
		-keyout "$tmp/$(basename $ca).key" -out $ca.crt -subj "/CN=Throw-away $(basename $ca)" 2>/dev/null
done
issue rsa broker.example rsa:2048
issue ecdsa broker.example ec -pkeyopt ec_paramgen_curve:P-256
issue client pump-17.example ec -pkeyopt ec_paramgen_curve:P-256
openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out "$tmp/dh.pem" 2>/dev/null
chmod 644 certs/*
mosquitto_passwd -b -c "$tmp/passwords" pump the-right-one 2>/dev/null
echo device:00112233445566778899aabbccddeeff >"$tmp/psk"

# --- MQTT

str() { printf '%04x' ${#1}; printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; } # length and text
pkt() { # FIRST-BYTE BODY
	local n=$((${#2} / 2))
	printf %s "$1"
	while ((n > 127)); do printf %02x $((n & 127 | 128)); n=$((n >> 7)); done
	printf '%02x%s' $n "$2"
}
connect=$(pkt 10 "$(str MQTT)0402003c$(str pump-17)")
connect_user=$(pkt 10 "$(str MQTT)04c2003c$(str pump-18)$(str pump)$(str throw-away-wrong-password)")
connect_will=$(pkt 10 "$(str MQTT)0406003c$(str pump-19)$(str will)$(str "$(printf '%0900d' 0)")")
properties=110000003c21001426$(str fab)$(str wet) # session expiry, receive maximum, user property
connect5=$(pkt 10 "$(str MQTT)0502001e$(printf %02x $((${#properties} / 2)))$properties$(str valve-3)")
subscribe=$(pkt 82 "0001$(str level)00")
publish=$(pkt 30 "$(str level)3432")
ping=c000
leave=last:e000

a=("$connect" r "$subscribe" r "$publish" r $ping r $leave)
b=("$connect_user" r w)
c1=("$connect5" r w)
c2=("$connect5" r $leave)
d=("$connect5" r "$(pkt 31 "$(str level)003432")" r w) # a retained PUBLISH to a broker without retained messages
pipelined=("$connect" "$subscribe" "$publish" $ping r r r r $leave)
split=("${connect:0:2}" "${connect:2:10}" "${connect:12}" r "$subscribe" r "$publish" r $ping r $leave)
together=("$connect$subscribe$publish$ping" r r r r $leave)
will=("$connect_will" r $leave)
early=("early:$connect" r "$subscribe" r "$publish" r $ping r $leave)
update=(U "$connect" r u U "$subscribe" r U "$publish" r u $ping r $leave)

talk() { # CONVERSATION [client options]
	local what=$1; shift
	case $what in
	c) # the second client takes the ID from the first; Mosquitto sends a DISCONNECT for it only from 2.0.15 on
		client "$@" "${c1[@]}" & local first=$!
		sleep 0.3
		client "$@" "${c2[@]}"
		wait $first ;;
	aa) talk a "$@"; talk a "$@" ;;
	*) local -n steps=$what; client "$@" "${steps[@]}" ;;
	esac
}
client() { OPENSSL_CONF=$tmp/client.cnf timeout 10 "$tmp/client" "$@"; }

# --- servers and tap

await() { # COMMAND...: until it succeeds, for five seconds
	local i
	for i in {1..100}; do "$@" 2>/dev/null && return; sleep 0.05; done
	echo "waited in vain for: $*" >&2; return 1
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
broker() { # CERTIFICATE ('' for none) OPENSSL-SETTINGS CONFIGURATION-LINE...
	local cert=$1 port=8883 cnf=$tmp/broker.cnf; shift
	openssl_conf "$1" >"$cnf"; shift
	[ "$cert" ] || port=1883
	{
		printf 'user root\npersistence false\nlog_type none\nlistener %d 127.0.0.1\n' $port
		if [ "$cert" = psk ]; then
			printf 'psk_hint hint\npsk_file %s\n' "$tmp/psk"
		elif [ "$cert" ]; then
			printf 'cafile certs/ca.crt\ncertfile certs/%s.crt\nkeyfile certs/%s.key\n' "$cert" "$cert"
			printf 'dhparamfile %s\n' "$tmp/dh.pem"
		fi
		printf '%s\n' "$@"
	} >"$tmp/mosquitto.conf"
	OPENSSL_CONF=$cnf mosquitto -c "$tmp/mosquitto.conf" >/dev/null 2>&1 & servers+=" $!"
	await listens $port
}
proxy() { # bind options of HAProxy; the broker stays behind it, in the clear
	cat certs/rsa.crt certs/rsa.key >"$tmp/proxy.pem"
	[ -s "$tmp/tickets" ] || for _ in 1 2 3; do openssl rand -base64 48; done >"$tmp/tickets"
	printf '%s\n' 'defaults' ' mode tcp' ' timeout connect 5s' ' timeout client 30s' ' timeout server 30s' \
		'listen mqtts' " bind 127.0.0.1:8883 ssl crt $tmp/proxy.pem tls-ticket-keys $tmp/tickets $*" \
		' server broker 127.0.0.1:1883' >"$tmp/haproxy.cfg"
	OPENSSL_CONF=$tmp/broker.cnf haproxy -db -f "$tmp/haproxy.cfg" >/dev/null 2>&1 & servers+=" $!"
	await listens 8883
}
servers=
down() { local pid; for pid in $servers; do kill "$pid"; wait "$pid" || true; done; servers=; }
tap() { # NAME [PORT]
	sleep 0.1 # for the last packets of what came before
	recording=$1; rm -f "$tmp/tap" "$tmp/tap.pcap"
	tcpdump -i lo -s 8192 -B 32768 --immediate-mode -U -Z root -w "$tmp/tap.pcap" "tcp port ${2-8883} or udp port 9" 2>"$tmp/tap" & tapped=$!
	await grep -q 'listening on' "$tmp/tap"
}
untap() { # a datagram marks the end, so that nothing before it is missing
	sleep 0.2
	echo end-of-recording >/dev/udp/127.0.0.1/9
	await grep -q end-of-recording "$tmp/tap.pcap"
	kill -INT $tapped; wait $tapped || true
	grep -q '^0 packets dropped' "$tmp/tap"
	tcpdump -r "$tmp/tap.pcap" -Z root -w "$recording.pcap" tcp 2>/dev/null
}

# --- what tshark says of a recording

shark() { # NAME-OF-FILE arguments
	local file=$1; shift
	tshark -r "$file" -o tcp.reassemble_out_of_order:TRUE ${LOG:+-o "tls.keylog_file:$LOG"} "$@" 2>/dev/null
}
mqtt() { # packet types of each connection, C the client's, S the broker's: C1,8,3 S2,9,3
	shark "$1" -Y mqtt -T fields -e tcp.stream -e tcp.dstport -e mqtt.msgtype |
		awk '{
			from = $2 > 1000 && $2 != 1883 && $2 != 8883 ? "S" : "C"
			types[$1, from] = types[$1, from] (types[$1, from] ? "," : "") $3
			seen[$1, from]; if ($1 > last) last = $1
		}
		END {
			for (i = 0; i <= last; i++) for (j = 1; j <= 2; j++) {
				k = i SUBSEP substr("CS", j, 1)
				if (k in seen) { printf "%s%s%s", space, substr("CS", j, 1), types[k]; space = " " }
			}
		}'
}
declare -A reads
index() { # FILE KEYLOG PLAIN FEATURE [FILTER-THAT-MUST-MATCH [FILTER-THAT-MUST-NOT]]
	local file=$1 LOG=$2 plain=$3 feature=$4 want=${5-} never=${6-} note=-
	[ "$LOG" = - ] && LOG=
	local answer suite version got
	answer=$(shark "$file" -Y "$hello" -V)
	[ "$want" = "$hello" ] && [ "$answer" ] && want=
	suite=$(sed -n 's/.*Cipher Suite: \([A-Z0-9_]*\).*/\1/p' <<<"$answer" | sort -u | paste -sd,)
	version=$(sed -n 's/.*Supported Version: TLS \(1..\).*/\1/p; s/^        *Version: TLS \(1..\).*/\1/p' <<<"$answer" | sort -u | tail -1)
	got=$(mqtt "$file")
	reads[$file]=$got
	if [ "$plain" != - ] && [ "$got" != "${reads[$plain]}" ]; then
		note="tshark does not read what it reads in $plain: ${reads[$plain]}"
	fi
	if [ "$want" ] && [ -z "$(shark "$file" -Y "$want")" ]; then note="${note#-} NO MATCH: $want"; fi
	if [ "$never" ] && [ "$(shark "$file" -Y "$never")" ]; then note="${note#-} MATCH: $never"; fi
	[ "$note" = - ] || echo "$file: $note" >&2
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$file" "${2}" "$plain" "${version:--}" "${suite:--}" "$feature" \
		"$(grep -o 'C[0-9,]*' <<<"$got" | tr 'C,' '\n\n' | grep -cx 1)" "$(grep -o 'S[0-9,]*' <<<"$got" | tr 'S,' '\n\n' | grep -cx 2)" "${got:--}" "$note" >>index.tsv
}
printf 'file\tkeylog\tplain\ttls\tsuite\tfeature\tconnects\tconnacks\tmqtt\ttshark\n' >index.tsv
take() { # NAME CONVERSATION PLAIN FEATURE WANT NEVER [client options]: one recording with the servers that run
	local name=$1 what=$2 plain=$3 feature=$4 want=$5 never=$6; shift 6
	tap "$name"
	talk "$what" -k "$name.keylog" "$@" 2>"$tmp/talk" || [ "$plain" = - ] || { cat "$tmp/talk"; exit 1; }
	untap
	local keys=$name.keylog
	[ -e "$keys" ] || keys=- # the handshake failed before there were any
	index "$name.pcap" "$keys" "$plain" "$feature" "$want" "$never"
}
anyone='allow_anonymous true'
hello=tls.handshake.type==2
etm="tls.handshake.type==2 && tls.handshake.extension.type==22"
hrr='tls.handshake.random == cf:21:ad:74:e5:9a:61:11:be:1d:8c:02:1e:65:b8:91:c2:a2:11:16:7a:bb:8c:5e:07:9e:09:e2:c8:a8:33:9c'

# --- the conversations in the clear

for what in a aa c pipelined split together will; do
	broker '' '' "$anyone"
	tap plain_$what 1883; talk $what -p 1883 -v 0; untap; down
done
broker '' '' 'allow_anonymous false' "password_file $tmp/passwords"
tap plain_b 1883; talk b -p 1883 -v 0; untap; down
broker '' '' "$anyone" 'retain_available false'
tap plain_d 1883; talk d -p 1883 -v 0; untap; down
for what in a aa b c d pipelined split together will; do
	index plain_$what.pcap - plain_$what.pcap "in the clear"
done

# --- TLS 1.2, suite by suite

suites12() { # CERTIFICATE SUITE...
	local cert=$1 suite; shift
	broker "$cert" '' "$anyone" 'ciphers ALL:@SECLEVEL=0'
	for suite; do
		case $suite in
		*GCM* | *CCM* | *CHACHA*) take "tls12_$suite" a plain_a.pcap AEAD "$hello" '' -v 12 -c "$suite:@SECLEVEL=0" $psk ;;
		*)
			take "tls12_$suite" a plain_a.pcap "CBC, encrypt-then-MAC" "$etm" '' -v 12 -c "$suite:@SECLEVEL=0" $psk
			take "tls12_${suite}_mac-then-encrypt" a plain_a.pcap "CBC, MAC-then-encrypt" "$hello" "$etm" -v 12 -E -c "$suite:@SECLEVEL=0" $psk ;;
		esac
	done
	down
}
psk=
suites12 rsa \
	ECDHE-RSA-{AES128-GCM-SHA256,AES256-GCM-SHA384,CHACHA20-POLY1305,AES128-SHA,AES256-SHA,AES128-SHA256,AES256-SHA384} \
	DHE-RSA-{AES128-GCM-SHA256,CHACHA20-POLY1305,AES128-SHA,AES128-CCM,AES128-CCM8} \
	{AES128-GCM-SHA256,AES256-GCM-SHA384,AES128-SHA,AES256-SHA,AES128-SHA256,AES256-SHA256,AES128-CCM,AES128-CCM8,AES256-CCM8} \
	ECDHE-RSA-CAMELLIA128-SHA256 ECDHE-ARIA128-GCM-SHA256
suites12 ecdsa \
	ECDHE-ECDSA-{AES128-GCM-SHA256,AES256-GCM-SHA384,CHACHA20-POLY1305,AES128-SHA,AES256-SHA384,AES128-CCM,AES256-CCM,AES128-CCM8,AES256-CCM8}
psk='-H 00112233445566778899aabbccddeeff'
suites12 psk PSK-AES128-GCM-SHA256 PSK-CHACHA20-POLY1305 ECDHE-PSK-AES128-CBC-SHA256

# --- TLS 1.3, suite by suite

suites13='TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256'
every13="ciphers_tls1.3 ${suites13// /:}"
broker rsa '' "$anyone" "$every13"
for suite in $suites13; do take "tls13_$suite" a plain_a.pcap AEAD "$hello" '' -s "$suite"; done
down

# --- the other conversations

refuse=('allow_anonymous false' "password_file $tmp/passwords")
broker rsa '' "${refuse[@]}"
take tls12_rejected b plain_b.pcap "CONNACK 5" "$hello" '' -v 12 -c ECDHE-RSA-AES128-GCM-SHA256
take tls12_rejected_CBC b plain_b.pcap "CONNACK 5, CBC" "$etm" '' -v 12 -c ECDHE-RSA-AES256-SHA
take tls13_rejected b plain_b.pcap "CONNACK 5" "$hello" ''
down
broker rsa '' "$anyone" 'retain_available false'
take tls12_disconnected d plain_d.pcap "MQTT 5, broker's DISCONNECT 0x9a" "$hello" '' -v 12 -c ECDHE-RSA-AES256-GCM-SHA384
take tls12_disconnected_CBC d plain_d.pcap "MQTT 5, broker's DISCONNECT 0x9a, CBC" "$etm" '' -v 12 -c ECDHE-RSA-AES128-SHA256
take tls13_disconnected d plain_d.pcap "MQTT 5, broker's DISCONNECT 0x9a" "$hello" ''
down
broker rsa '' "$anyone"
take tls12_takeover c plain_c.pcap "MQTT 5, takeover" "$hello" '' -v 12 -c ECDHE-RSA-CHACHA20-POLY1305
take tls12_takeover_CBC c plain_c.pcap "MQTT 5, takeover, CBC" "$hello" "$etm" -v 12 -E -c ECDHE-RSA-AES128-SHA
take tls13_takeover c plain_c.pcap "MQTT 5, takeover" "$hello" ''
for v in 12 13; do
	take tls${v}_split-records split plain_split.pcap "a CONNECT in three records" "$hello" '' -v $v
	take tls${v}_one-record together plain_together.pcap "four MQTT packets in one record" "$hello" '' -v $v
	take tls${v}_pipelined pipelined plain_pipelined.pcap "CONNECT, SUBSCRIBE, PUBLISH, PINGREQ without waiting" "$hello" '' -v $v
done
take tls13_padded a plain_a.pcap "client's records padded to 512 bytes" "$hello" '' -P 512
ip link set lo mtu 400 gso_max_segs 1
for v in 12 13; do take tls${v}_small-segments will plain_will.pcap "records over several segments (MTU 400)" "$hello" '' -v $v; done
ip link set lo mtu 1500 gso_max_segs 65535
take tls13_key-update update plain_a.pcap "KeyUpdate by both sides, before CONNECT and between packets" \
	'tls.handshake.type==24 && tcp.dstport==8883' ''
down
broker rsa 'RecordPadding = 256' "$anyone"
take tls13_padded_broker a plain_a.pcap "broker's records padded to 256 bytes" "$hello" ''
down
broker rsa 'Groups = P-384' "$anyone"
take tls13_hello-retry a plain_a.pcap HelloRetryRequest "$hrr" '' -g X25519:P-384
down

# --- resumption

first='tcp.stream==0 && tls.handshake.type==11'
again='tcp.stream==1 && tls.handshake.type==11'
broker rsa '' "$anyone"
for v in 12 13; do
	opt="-v $v -o $tmp/session"
	[ $v = 12 ] && opt+=" -i $tmp/session"
	OPENSSL_CONF=$tmp/client.cnf "$tmp/client" -v $v -o "$tmp/session" "${a[@]}" # not recorded
	take tls${v}_resumed a plain_a.pcap "resumed from a ticket, the first connection is not in the capture" "$hello" tls.handshake.type==11 -v $v -i "$tmp/session"
	rm "$tmp/session"
	tap tls${v}_full-then-resumed
	talk a -v $v -k tls${v}_full-then-resumed.keylog -o "$tmp/session"
	talk a -v $v -k tls${v}_full-then-resumed.keylog -i "$tmp/session"
	untap
	index tls${v}_full-then-resumed.pcap tls${v}_full-then-resumed.keylog plain_aa.pcap "full handshake, then resumed from its ticket" "$first || tls.handshake.type==8" "$again"
done
tap tls12_full-then-resumed_session-id
talk a -v 12 -T -k tls12_full-then-resumed_session-id.keylog -o "$tmp/session"
talk a -v 12 -T -k tls12_full-then-resumed_session-id.keylog -i "$tmp/session"
untap
index tls12_full-then-resumed_session-id.pcap tls12_full-then-resumed_session-id.keylog plain_aa.pcap "full handshake, then resumed by session ID" "$first" "$again || tls.handshake.type==4"
down

# --- 0-RTT: HAProxy takes it in front of the broker, Mosquitto does not

pskok="tls.handshake.type==2 && tls.handshake.extension.type==41"
take_early() { # NAME FEATURE WANT NEVER: with a session of HAProxy's that allows 0-RTT
	take "$1" early plain_a.pcap "$2" "$3" "$4" -g X25519:P-384 -i "$tmp/session"
}
ticket() { rm -f "$tmp/session"; client -g X25519:P-384 -o "$tmp/session" "${a[@]}"; }
accepted='tls.handshake.type==8 && tls.handshake.extension.type==42'
behind() { broker '' '' "$anyone"; proxy "$@"; }
behind allow-0rtt; ticket
take_early tls13_early-data "0-RTT accepted" "$accepted" "$hrr"; down
behind allow-0rtt; ticket; down; behind
take_early tls13_early-data_refused "0-RTT refused, resumed all the same" "$pskok" "$accepted"; down
behind allow-0rtt; ticket; down; rm "$tmp/tickets"; behind allow-0rtt
take_early tls13_early-data_refused_full-handshake "0-RTT refused, the ticket is not known" "$hello && !tls.handshake.extension.type==41" "$accepted"; down
behind allow-0rtt; ticket; down; behind allow-0rtt curves P-384
take_early tls13_early-data_refused_hello-retry "0-RTT refused by a HelloRetryRequest" "$hrr" "$accepted"; down

# --- client certificates, and handshakes that fail

broker rsa '' "$anyone" 'require_certificate true'
mtls='tls.handshake.type==11 && tcp.dstport==8883'
for v in 12 13; do
	take tls${v}_client-certificate a plain_a.pcap "client certificate" "$mtls" '' -v $v -C certs/client.crt -K certs/client.key
	take tls${v}_fails_no-client-certificate a - "broker's alert: no client certificate" \
		"tls.alert_message.desc == $([ $v = 12 ] && echo 40 || echo 116) && tcp.srcport==8883" mqtt.msgtype==2 -v $v
	take tls${v}_fails_unknown-ca a - "client's alert: unknown CA" 'tls.alert_message.desc == 48 && tcp.dstport==8883' mqtt -v $v -a "$tmp/other.crt"
done
down

# --- derived from the recordings above: secrets inside the file, packets in another order, packets lost

inject() { # RECORDING NAME
	editcap -F pcapng --inject-secrets "tls,$1.keylog" "$1.pcap" "$2.pcapng"
}
inject tls12_disconnected tls12_secrets-inside
inject tls13_takeover tls13_takeover_secrets-inside
inject tls13_TLS_AES_128_GCM_SHA256 tls13_secrets-inside
gzip -9 -n <tls13_secrets-inside.pcapng >tls13_secrets-inside.pcapng.gz
index tls12_secrets-inside.pcapng - plain_d.pcap "secrets in the pcapng file"
index tls13_takeover_secrets-inside.pcapng - plain_c.pcap "secrets in the pcapng file"
index tls13_secrets-inside.pcapng - plain_a.pcap "secrets in the pcapng file"
index tls13_secrets-inside.pcapng.gz - plain_a.pcap "secrets in the pcapng file, gzip"

frame() { LOG=$2 shark "$1.pcap" -Y "mqtt.msgtype==$3" -T fields -e frame.number | head -1; }
swap() { # RECORDING KEYLOG OUT TYPE TYPE: the first packets of these two types change places
	local x y n; x=$(frame "$1" "$2" "$4"); y=$(frame "$1" "$2" "$5")
	n=$(capinfos -Mc "$1.pcap" | awk '/Number of packets/ { print $NF }')
	python3 reorder.py "$1.pcap" "$3.pcap" $(seq "$n" | awk -v x="$x" -v y="$y" '{ print $1 == x ? y : $1 == y ? x : $1 }')
}
lose() { editcap -F pcap "$1.pcap" "$3.pcap" "$(frame "$1" "$2" "$4")"; } # RECORDING KEYLOG OUT TYPE
for v in 12 13; do
	from=tls${v}_pipelined
	swap $from $from.keylog tls${v}_reordered_client 1 8
	swap $from $from.keylog tls${v}_reordered_broker 2 9
	index tls${v}_reordered_client.pcap $from.keylog plain_pipelined.pcap "CONNECT and SUBSCRIBE arrive in the other order"
	index tls${v}_reordered_broker.pcap $from.keylog plain_pipelined.pcap "CONNACK and SUBACK arrive in the other order"
done
swap plain_pipelined '' plain_reordered_client 1 8; index plain_reordered_client.pcap - plain_pipelined.pcap "in the clear, CONNECT and SUBSCRIBE in the other order"
swap plain_pipelined '' plain_reordered_broker 2 9; index plain_reordered_broker.pcap - plain_pipelined.pcap "in the clear, CONNACK and SUBACK in the other order"
for lost in 1:connect 2:connack 8:subscribe; do
	name=lost-${lost#*:}; type=${lost%:*}
	lose plain_a '' plain_$name $type
	index plain_$name.pcap - plain_$name.pcap "in the clear, the segment is not in the capture"
	for from in tls12_ECDHE-RSA-AES128-GCM-SHA256 tls12_ECDHE-RSA-AES128-SHA tls13_TLS_AES_128_GCM_SHA256; do
		lose $from $from.keylog ${from}_$name $type
		index ${from}_$name.pcap $from.keylog plain_$name.pcap "the segment is not in the capture"
	done
done
