"""Sends frames from an interface at a fixed rate: INTERFACE RATE FILE...

A file holds frames, each behind its length (2 bytes). Standard input has one command a line. A number sends the frames
of that file again and again (0 is the first file), from where it stopped last. `once N` sends each frame of a file once
and then prints `done`. `stop` sends nothing."""
import os
import select
import socket
import struct
import sys
import time

interface, rate, paths = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
# A delay of the machine may cause a burst of this length at most, in seconds.
max_burst = 0.02


def frames_of(path):
    data, frames, at = open(path, "rb").read(), [], 0
    while at < len(data):
        (length,) = struct.unpack_from("!H", data, at)
        frames.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return frames


files = [frames_of(path) for path in paths]
positions = [0] * len(files)
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((interface, 0))
current, remaining, sent, due, pending = None, None, 0, 0.0, b""
print("ready", flush=True)
while True:
    timeout = None if current is None else max(0.0, due - time.monotonic())
    if select.select([0], [], [], timeout)[0]:
        data = os.read(0, 4096)
        if not data:
            break
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            words = line.split()
            current = None if words[0] == b"stop" else int(words[-1])
            remaining = len(files[current]) if words[0] == b"once" else None
            sent, due = 0, time.monotonic()
        continue
    if current is None:
        continue
    frames = files[current]
    sender.send(frames[positions[current] % len(frames)])
    positions[current] += 1
    sent += 1
    due = max(due + 1 / rate, time.monotonic() - max_burst)
    if remaining == sent:
        print("done", flush=True)
        current = None
