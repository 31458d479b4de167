#!/usr/bin/env python3
"""reorder.py IN OUT N...: writes the packets N... (numbered from 1) of a classic pcap file in that order.

The n-th packet written carries the time stamp of the n-th smallest of the chosen ones, so that time never runs back.
"""
import struct
import sys

data = open(sys.argv[1], "rb").read()
packets, at = [], 24
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    packets.append((data[at : at + 8], data[at + 8 : at + 16 + size]))
    at += 16 + size
order = [int(n) for n in sys.argv[3:]]
with open(sys.argv[2], "wb") as out:
    out.write(data[:24])
    for place, n in zip(sorted(order), order):
        out.write(packets[place - 1][0] + packets[n - 1][1])
