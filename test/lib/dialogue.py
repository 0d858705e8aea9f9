"""A TCP connection that stays open. Both ends send numbers and record the numbers that they receive.

The test orders each transmission, so it can check each direction by itself. No end answers on its own.
"""
import socket
import threading


class End:
    def __init__(self):
        self.sock = None
        self.said = 0
        self.heard = 0
        self.connections = 0
        self.state = "waiting"

    def take(self, sock):
        self.sock = sock
        self.connections += 1
        self.state = "open"
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        try:
            for line in self.sock.makefile():
                if int(line) != self.heard + 1:
                    self.state = "out of order"
                    return
                self.heard += 1
            self.state = "closed"
        except OSError as error:
            self.state = str(error)


ends = {}


def dialogue_await(name, port):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", port))
    listener.listen()
    end = ends[name] = End()

    def accept():
        while True:
            end.take(listener.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    return "ok"


def dialogue_open(name, address, port, timeout):
    sock = socket.create_connection((address, port), timeout)
    end = ends[name] = End()
    end.take(sock)
    return "ok"


def dialogue_say(name):
    end = ends[name]
    end.said += 1
    end.sock.sendall(f"{end.said}\n".encode())
    return end.said


def dialogue_state(name):
    end = ends[name]
    return {"heard": end.heard, "connections": end.connections, "state": end.state}
