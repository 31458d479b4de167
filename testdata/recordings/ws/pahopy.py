"""Eclipse Paho Python 1.6: pahopy.py websockets|tcp PORT 4|5 [payload length]"""
import sys
import time

import paho.mqtt.client as mqtt

transport, port, version = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
payload = "on" * (int(sys.argv[4]) // 2) if len(sys.argv) > 4 else "on"


def on_connect(client, userdata, flags, code, properties=None):
    print("client paho-python: connack", code)
    client.subscribe("room/1/light", qos=1)


def on_message(client, userdata, message):
    print("client paho-python: got", len(message.payload), "bytes on", message.topic)
    client.disconnect()


client = mqtt.Client(client_id="paho-python", protocol=version, transport=transport)
client.on_connect = on_connect
client.on_subscribe = lambda client, *rest: client.publish("room/1/light", payload, qos=1)
client.on_message = on_message
client.on_disconnect = lambda client, userdata, code, properties=None: print("client paho-python: disconnected", code)
client.connect("127.0.0.1", port)
client.loop_start()
time.sleep(1.5)
