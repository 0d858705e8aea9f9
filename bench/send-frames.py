"""Sends the frames of a file from an interface at a fixed rate: FILE INTERFACE RATE SECONDS.

Each frame in the file follows its length (2 bytes). At the end of the file it starts again, until SECONDS are over.
With SECONDS 0 it sends each frame once."""
import socket
import struct
import sys
import time

path, interface, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
data = open(path, "rb").read()
frames = []
at = 0
while at < len(data):
    (length,) = struct.unpack_from("!H", data, at)
    frames.append(data[at + 2 : at + 2 + length])
    at += 2 + length

sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((interface, 0))
print("sending", flush=True)
began = time.monotonic()
sent = 0
while sent < len(frames) or time.monotonic() - began < seconds:
    sender.send(frames[sent % len(frames)])
    sent += 1
    wait = began + sent / rate - time.monotonic()
    if wait > 0:
        time.sleep(wait)
print(sent, flush=True)
