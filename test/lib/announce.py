"""Announces a guest by RARP from a device, five times, as a hypervisor does. Prints the time of the first."""
import socket
import sys
import time

device, mac = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", ""))
frame = b"\xff" * 6 + mac + b"\x80\x35" + b"\x00\x01\x08\x00\x06\x04\x00\x03" + (mac + bytes(4)) * 2
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((device, 0))
print(time.monotonic(), flush=True)
for pause in [0, 0.05, 0.1, 0.15, 0.2]:
    time.sleep(pause)
    out.send(frame.ljust(60, b"\x00"))
