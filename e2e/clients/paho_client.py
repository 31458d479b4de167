"""One MQTT client with Paho 1.x. Writes a line of JSON for everything that
happens to it, with the time, and leaves when it is told on standard input."""

import argparse
import json
import ssl
import sys
import threading
import time

import paho.mqtt.client as mqtt

flags = argparse.ArgumentParser()
flags.add_argument("--host", required=True)
flags.add_argument("--port", type=int, default=1883)
flags.add_argument("--bind", default="")
flags.add_argument("--id", default="")
flags.add_argument("--version", type=int, choices=(3, 4, 5), default=4)
flags.add_argument("--no-clean", action="store_true")
flags.add_argument("--user")
flags.add_argument("--password")
flags.add_argument("--ca", help="use TLS and trust this file")
flags.add_argument("--tls12", action="store_true", help="not TLS 1.3, which seals alerts")
flags.add_argument("--reconnect", type=float, default=0, help="come back after this many seconds, again and again")
flags.add_argument("--publish", type=int, default=0, help="publish this many messages with QoS 1")
args = flags.parse_args()

writing = threading.Lock()


def say(event, **more):
    with writing:
        print(json.dumps({"event": event, "at": time.time(), **more}), flush=True)


def on_connect(client, userdata, flags, reason, properties=None):
    code = reason.value if args.version == 5 else int(reason)
    say("connack", code=code)
    if code == 0:
        for i in range(args.publish):
            client.publish("e2e/readings", "%040d" % i, qos=1)


def on_disconnect(client, userdata, reason, properties=None):
    say("disconnected")
    if not args.reconnect:
        # loop_forever would come back by itself.
        client.disconnect()


options = {} if args.version == 5 else {"clean_session": not args.no_clean}
client = mqtt.Client(client_id=args.id, protocol=args.version, **options)
if args.user is not None:
    client.username_pw_set(args.user, args.password)
if args.ca:
    version = ssl.PROTOCOL_TLSv1_2 if args.tls12 else ssl.PROTOCOL_TLS_CLIENT
    client.tls_set(ca_certs=args.ca, tls_version=version)
    client.tls_insecure_set(True)  # the chain is what is checked
client.on_connect = on_connect
client.on_disconnect = on_disconnect
if args.reconnect:
    client.reconnect_delay_set(min_delay=args.reconnect, max_delay=args.reconnect)


def leave_when_told():
    sys.stdin.read()
    say("leaving")
    client.disconnect()


try:
    client.connect(args.host, args.port, keepalive=60, bind_address=args.bind)
except OSError as error:
    say("failed", error=str(error))
    sys.exit(1)
threading.Thread(target=leave_when_told, daemon=True).start()
client.loop_forever(retry_first_connection=False)
say("done")
