"""The traffic of a guest that moves (`mover`) and of its peer (`peer`), until standard input ends.

The peer sends one datagram a millisecond. Over half of the TCP connections the mover is asked and talks; over the other
half the mover has asked and the peer talks. Nobody else sends anything but acknowledgements. At the end each prints a
line of JSON: when each connection heard something last, and which datagrams came.
"""
import json
import selectors
import socket
import struct
import sys
import threading
import time

role, own, other, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
datagrams, asked_port, asking_port = 9000, 7000, 7001
line = b"x" * 200
running = True
# By connection: the time when it heard something last; None once it has failed.
heard = {}
talkers = []
lock = threading.Lock()
came = []
sent = []


def listen(port):
    server = socket.create_server((own, port), backlog=count)
    for _ in range(count):
        yield server.accept()[0]


def connect(port):
    for _ in range(count):
        while True:
            try:
                yield socket.create_connection((other, port), timeout=10)
                break
            except OSError:
                time.sleep(0.1)


def talk(connections):
    for one in connections:
        one.settimeout(None)
        talkers.append(one)


def hear(connections):
    for one in connections:
        one.setblocking(False)
        heard[one] = 0.0
        selector.register(one, selectors.EVENT_READ)


def keep_talking():
    while running:
        for one in list(talkers):
            try:
                one.send(line, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except OSError:
                talkers.remove(one)
        time.sleep(0.02)


def keep_hearing():
    while running:
        for key, _ in selector.select(0.1):
            try:
                data = key.fileobj.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                heard[key.fileobj] = time.monotonic()
            else:
                heard[key.fileobj] = None
                selector.unregister(key.fileobj)


def stream():
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((own, datagrams))
    due = time.monotonic()
    number = 0
    while running:
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
            continue
        due += 0.001
        sent.append(now)
        try:
            out.sendto(struct.pack("!I", number), (other, datagrams))
        except OSError:
            pass
        number += 1


def receive():
    into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    into.bind((own, datagrams))
    into.settimeout(0.2)
    while running:
        try:
            came.append(struct.unpack("!I", into.recv(64))[0])
        except OSError:
            pass


selector = selectors.DefaultSelector()
if role == "mover":
    pairs = [(talk, listen(asked_port)), (hear, connect(asking_port))]
    further = [receive]
else:
    pairs = [(hear, connect(asked_port)), (talk, listen(asking_port))]
    further = [stream]
setting_up = [threading.Thread(target=do, args=(connections,)) for do, connections in pairs]
for thread in setting_up:
    thread.start()
for thread in setting_up:
    thread.join()
working = [threading.Thread(target=do) for do in [keep_talking, keep_hearing, *further]]
for thread in working:
    thread.start()
print("ready", flush=True)
sys.stdin.read()
running = False
for thread in working:
    thread.join()
print(json.dumps({"heard": list(heard.values()), "came": came, "sent": sent}), flush=True)
# Until the other end has stopped too: what it hears of this end is no loss.
time.sleep(2)
