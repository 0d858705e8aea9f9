"""Sends and receives in one network namespace on orders of the test: one JSON object a line in, one a line out.

Every order runs in its own thread and answers {"id": …, "result": …} or {"id": …, "error": …}. Ordinary traffic
uses the kernel's sockets. Packet sockets send the frames that the kernel would not send.
"""
import json
import os
import socket
import struct
import sys
import threading
import time

import dialogue

answers = threading.Lock()
running = {}


def answer(message):
    with answers:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def reason(error):
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return str(error)


def wildcard(kind, port):
    """A socket on all addresses of both families."""
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind(("::", port))
    return sock


def echo_stream(sock):
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)


def quiet(function, *arguments):
    def body():
        try:
            function(*arguments)
        except OSError:
            pass

    thread = threading.Thread(target=body, daemon=True)
    thread.start()


def serve_tcp(port):
    listener = wildcard(socket.SOCK_STREAM, port)
    listener.listen(512)

    def accept():
        while True:
            quiet(echo_stream, listener.accept()[0])

    quiet(accept)
    return "ok"


def serve_udp(port):
    """Sends every datagram back, cut into fragments again when it was big."""
    sock = wildcard(socket.SOCK_DGRAM, port)

    def echo():
        while True:
            data, peer = sock.recvfrom(65535)
            sock.sendto(data, peer)

    quiet(echo)
    return "ok"


def tcp(address, port, timeout, source=None, size=4):
    """One connection with an echo through it."""
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    with sock:
        sock.settimeout(timeout)
        try:
            if source is not None:
                sock.bind((source, 0))
            sock.connect((address, port))
            sock.sendall(bytes(size))
            got = 0
            while got < size:
                data = sock.recv(65536)
                if not data:
                    return "closed"
                got += len(data)
            return "ok"
        except OSError as error:
            return reason(error)


def udp(address, port, timeout, size=4, source=None, attempts=3):
    """A datagram there and back."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    payload = os.urandom(size)
    with sock:
        # Without this Linux learns a path MTU and never fragments.
        if family(address) == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, 10, 0)
        sock.settimeout(timeout / attempts)
        try:
            if source is not None:
                sock.bind((source, 0))
            sock.connect((address, port))
            for _ in range(attempts):
                sock.send(payload)
                try:
                    if sock.recv(65535) == payload:
                        return "ok"
                except socket.timeout:
                    continue
            return "timeout"
        except OSError as error:
            return reason(error)


def ip_protocol_send(address, protocol, payload):
    with socket.socket(family(address), socket.SOCK_RAW, protocol) as sock:
        sock.sendto(bytes.fromhex(payload), (address, 0))
    return "ok"


held = {}


def hold(name, address, port, timeout):
    """Opens a connection that stays open for `through`."""
    sock = socket.create_connection((address, port), timeout)
    held[name] = sock
    return "ok"


def through(name, timeout):
    """One echo through a held connection; late answers to earlier ones are discarded."""
    sock = held[name]
    sock.settimeout(timeout)
    token = os.urandom(8)
    try:
        sock.sendall(token)
        data = b""
        while not data.endswith(token):
            more = sock.recv(65536)
            if not more:
                return "closed"
            data += more
        return "ok"
    except OSError as error:
        return reason(error)


def send_frames(frames):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("eth0", 0))
        for frame in frames:
            sock.send(bytes.fromhex(frame))
    return "ok"


class Sniffer:
    """Frames that arrive at eth0, with the tags that they had on the wire."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self.sock.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        self.sock.bind(("eth0", 3))
        self.lock = threading.Lock()
        self.frames = []
        quiet(self.read)

    def read(self):
        while True:
            data, control, _, peer = self.sock.recvmsg(65535, 256)
            if peer[2] == 4:  # PACKET_OUTGOING
                continue
            for level, kind, value in control:
                if level != 263 or kind != 8:
                    continue
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
                if status & 0x10:
                    data = data[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci) + data[12:]
            with self.lock:
                self.frames.append((time.time(), data.hex()))

    def take(self):
        with self.lock:
            frames, self.frames = self.frames, []
        return frames


sniffers = {}


def sniff(name="default"):
    sniffers[name] = Sniffer()
    return "ok"


def sniffed(name="default"):
    return [{"at": at, "frame": frame} for at, frame in sniffers[name].take()]


class Counting:
    """Records which numbers of a stream arrived."""

    def __init__(self, port):
        self.sock = wildcard(socket.SOCK_DGRAM, port)
        self.seen = []
        quiet(self.read)

    def read(self):
        while True:
            data = self.sock.recv(64)
            self.seen.append((struct.unpack("!Q", data[:8])[0], time.time()))


def count(port):
    running[("count", port)] = Counting(port)
    return "ok"


def counted(port, sent):
    """Missing numbers of `sent`, and the longest time in seconds without any number."""
    seen = list(running[("count", port)].seen)
    numbers = {number for number, _ in seen}
    times = sorted(at for _, at in seen)
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    missing = [number for number in range(sent) if number not in numbers]
    return {"seen": len(numbers), "missing": missing[:20], "lost": len(missing), "gap": max(gaps, default=0)}


class Periodic:
    def __init__(self, period):
        self.period = period
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        self.open()
        due = time.monotonic()
        while not self.ended.is_set():
            self.turn()
            due += self.period
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            else:
                due = time.monotonic()

    def stop(self):
        self.ended.set()
        self.thread.join()


class Stream(Periodic):
    """Numbered datagrams at an even pace."""

    def __init__(self, address, port, period):
        self.peer = (address, port)
        self.sent = 0
        self.refused = 0
        super().__init__(period)

    def open(self):
        self.sock = socket.socket(family(self.peer[0]), socket.SOCK_DGRAM)

    def turn(self):
        try:
            self.sock.sendto(struct.pack("!Q", self.sent), self.peer)
            self.sent += 1
        except OSError:
            self.refused += 1


def stream(name, address, port, period):
    running[name] = Stream(address, port, period)
    return "ok"


def stream_state(name):
    return {"sent": running[name].sent, "refused": running[name].refused}


def stream_end(name):
    running[name].stop()
    return stream_state(name)


class Connections(Periodic):
    """New connections at an even pace, each with one exchange: an echo, or a GET over HTTP."""

    def __init__(self, address, port, period, timeout, http):
        self.arguments = (address, port, timeout)
        self.http = http
        self.results = []
        self.lock = threading.Lock()
        self.open_ones = []
        super().__init__(period)

    def open(self):
        pass

    def turn(self):
        thread = threading.Thread(target=self.one, daemon=True)
        self.open_ones = [other for other in self.open_ones if other.is_alive()] + [thread]
        thread.start()

    def one(self):
        began = time.time()
        address, port, timeout = self.arguments
        body = None
        if self.http:
            result, body = http(address, port, timeout)
        else:
            result = tcp(address, port, timeout)
        with self.lock:
            self.results.append({"began": began, "ended": time.time(), "result": result, "body": body})

    def stop(self):
        super().stop()
        for thread in self.open_ones:
            thread.join()


def http(address, port, timeout):
    try:
        with socket.create_connection((address, port), timeout) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\nHost: vip\r\n\r\n")
            data = b""
            while more := sock.recv(65536):
                data += more
    except OSError as error:
        return reason(error), None
    head, _, body = data.partition(b"\r\n\r\n")
    return ("ok" if b" 200 " in head.split(b"\r\n")[0] else "bad answer"), body.decode().strip()


def http_get(address, port, timeout):
    result, body = http(address, port, timeout)
    return {"result": result, "body": body}


def connections(name, address, port, period, timeout, http=False):
    running[name] = Connections(address, port, period, timeout, http)
    return "ok"


def connections_state(name):
    with running[name].lock:
        return list(running[name].results)


def connections_end(name):
    running[name].stop()
    return running[name].results


orders = {
    function.__name__: function
    for function in (
        serve_tcp, serve_udp, tcp, udp, ip_protocol_send, hold, through, send_frames, sniff, sniffed, count, counted,
        stream, stream_state, stream_end, connections, connections_state, connections_end, http_get,
        dialogue.dialogue_await, dialogue.dialogue_open, dialogue.dialogue_say, dialogue.dialogue_state,
    )
}


def obey(order):
    number, what, arguments = order["id"], order["what"], order["with"]
    try:
        answer({"id": number, "result": orders[what](**arguments)})
    except Exception as error:  # The test decides what a failure means.
        answer({"id": number, "error": f"{type(error).__name__}: {error}"})


for line in sys.stdin:
    threading.Thread(target=obey, args=(json.loads(line),), daemon=True).start()
