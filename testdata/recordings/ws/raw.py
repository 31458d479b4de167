"""MQTT over WebSocket written byte by byte: raw.py SCENARIO PORT [PATH].

Each scenario is a way that a client may lawfully, or wrongly, cut MQTT into
frames or ask for the upgrade. What came back is printed, frame by frame.
"""
import random
import socket
import struct
import sys
import zlib

BINARY, TEXT, CONTINUATION, CLOSE, PING = 2, 1, 0, 8, 9
random.seed(6455)  # the same masks in every run


def frame(payload, opcode=BINARY, fin=True, masked=True, rsv1=False):
    head = bytes([fin << 7 | rsv1 << 6 | opcode])
    if len(payload) < 126:
        head += bytes([masked << 7 | len(payload)])
    else:
        head += bytes([masked << 7 | 126]) + struct.pack(">H", len(payload))
    if not masked:
        return head + payload
    mask = bytes(random.randrange(1, 256) for _ in range(4))
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def string(s):
    return struct.pack(">H", len(s)) + s.encode()


def connect(client_id, name="MQTT", level=4):
    body = string(name) + bytes([level, 2, 0, 60]) + (b"\0" if level == 5 else b"") + string(client_id)
    return bytes([0x10, len(body)]) + body


def deflate(payload):
    """RFC 7692 section 7.2.1: a sync flush without its last four bytes."""
    c = zlib.compressobj(wbits=-15)
    return (c.compress(payload) + c.flush(zlib.Z_SYNC_FLUSH))[:-4]


def upgrade(path, protocol="mqtt", version=13, extensions=None):
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Sec-WebSocket-Version: {version}"]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


scenario, port = sys.argv[1], int(sys.argv[2])
path = sys.argv[3] if len(sys.argv) > 3 else "/mqtt"
hello = connect("raw-" + scenario)
subscribe = b"\x82\x09\x00\x01" + string("room") + b"\x00"
publish = b"\x30\x08" + string("room") + b"on"
ask = upgrade(path)
small = deflate(hello)

# Each string of bytes is one send, and so one TCP segment; after the upgrade
# the client waits for the answer, after every other a tenth of a second.
steps = {
    "one-frame": [ask, frame(hello)],
    "first-byte-alone": [ask, frame(hello[:1]), frame(hello[1:])],
    "one-byte-frames": [ask, b"".join(frame(hello[i:i + 1]) for i in range(len(hello)))],
    "three-fragments-with-ping": [ask, frame(hello[:1], fin=False), frame(hello[1:9], CONTINUATION, fin=False),
                                  frame(b"hi", PING), frame(hello[9:], CONTINUATION)],
    "two-packets-in-one-frame": [ask, frame(hello + subscribe + publish)],
    "packets-astride-frames": [ask, frame(hello + subscribe[:3]), frame(subscribe[3:] + publish[:1]), frame(publish[1:])],
    "empty-frame-first": [ask, frame(b""), frame(hello)],
    "deflated-fragments": [upgrade(path, extensions="permessage-deflate; client_no_context_takeover; server_no_context_takeover"),
                           frame(small[:5], fin=False, rsv1=True), frame(b"hi", PING), frame(small[5:], CONTINUATION)],
    "rsv1-not-negotiated": [ask, frame(small, rsv1=True)],
    "text-frame": [ask, frame(hello, TEXT)],
    "unmasked": [ask, frame(hello, masked=False)],
    "connect-behind-request": [ask + frame(hello)],
    "second-connect": [ask, frame(hello), frame(hello)],
    "level-9": [ask, frame(connect("raw-level-9", level=9))],
    "version-5": [ask, frame(connect("raw-version-5", level=5))],
    "closed-before-connect": [ask],
    "no-subprotocol": [upgrade(path, None), frame(hello)],
    "subprotocol-chat": [upgrade(path, "chat"), frame(hello)],
    "subprotocol-mqttv3.1": [upgrade(path, "mqttv3.1"), frame(connect("raw-mqttv31", "MQIsdp", 3))],
    "two-subprotocols": [upgrade(path, "mqttv3.1, mqtt"), frame(hello)],
    "wrong-path": [upgrade("/nothing-here"), frame(hello)],
    "websocket-version-99": [upgrade(path, version=99), frame(hello)],
    "http-get": [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: health-check\r\n\r\n".encode()],
    "plain-mqtt": [hello],
}
whole = frame(hello)
steps["frame-astride-segments"] = [ask, whole[:1], whole[1:4], whole[4:9], whole[9:]]
# A client that speaks MQTT leaves with DISCONNECT, then closes the WebSocket.
goodbye = [frame(b"\xe0\x00"), frame(struct.pack(">H", 1000), CLOSE)]
if scenario == "closed-before-connect":
    goodbye = [frame(struct.pack(">H", 1001), CLOSE)]


def say(*words):
    print(f"client {scenario}:", *words)


def show(data):
    """Print what came: an HTTP head, then frames (a server's are not masked)."""
    if data.startswith(b"HTTP/"):
        head, _, data = data.partition(b"\r\n\r\n")
        say(*[line for line in head.decode("latin-1").split("\r\n") if line.startswith(("HTTP/", "Sec-WebSocket-P", "Sec-WebSocket-E", "Sec-WebSocket-V"))])
        if b" 101 " not in head[:16]:
            return
    while len(data) >= 2:
        n, skip = data[1] & 127, 2
        if n == 126:
            n, skip = struct.unpack(">H", data[2:4])[0], 4
        payload = data[skip:skip + n]
        if data[0] & 15 == CLOSE and n >= 2:
            say("close frame", struct.unpack(">H", payload[:2])[0], payload[2:])
        else:
            say(f"frame opcode {data[0] & 15}" + (" deflated" if data[0] & 64 else ""), payload.hex())
        data = data[skip + n:]


def listen(s, seconds):
    """Read until silence; false when the server has ended the connection."""
    got, alive = b"", True
    s.settimeout(seconds)
    try:
        while alive:
            data = s.recv(65536)
            got, alive = got + data, bool(data)
    except socket.timeout:
        pass
    except ConnectionError as e:
        alive = False
        say(e.strerror)
    show(got)
    if not alive:
        say("server ended the connection")
    return alive


s = socket.create_connection(("127.0.0.1", port))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
todo = steps[scenario]
alive = True
for i, data in enumerate(todo):
    if alive:
        s.sendall(data)
        last = i == len(todo) - 1
        alive = listen(s, 1.0 if last else 0.3 if data is todo[0] else 0.1)
if alive and scenario not in ("http-get", "plain-mqtt"):
    for data in goodbye:
        if alive:
            try:
                s.sendall(data)
            except ConnectionError:
                break
            alive = listen(s, 0.3)
say("closes the connection")
s.close()
