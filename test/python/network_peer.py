"""What a program of Linux does to the machine's sockets in the tests of the network. Each command prints one line of JSON.

    fetch HOST PORT BYTES         gets bytes from a source (test/services/traffic), checks them
    pour HOST PORT BYTES          sends bytes to a sink, ends its direction, reads what the sink counted
    trickle HOST PORT BYTES SIZE  like pour, in writes of SIZE bytes without Nagle
    slow HOST PORT BYTES          like fetch, with a receive buffer as small as Linux lets it be, and pauses
    many HOST PORT COUNT BYTES    so many connections to an echo at once; each gets back what it sent
    reset HOST PORT COUNT         connections that Linux resets while data is on its way
    wasreset HOST PORT            a connection that the other end resets
    backlog HOST PORT COUNT       connections to a port that accepts none: how many are established
    refused HOST PORT             a connection to a port without listener
    datagrams HOST PORT SIZE...   UDP to an echo
    sink PORT COUNT               takes COUNT connections one after the other, says how much came and its SHA-256
    source PORT BYTES             sends the bytes to the first that connects, says their SHA-256
    rude PORT HOW                 a server that closes at once: by RST ("reset") or FIN ("close")
"""

import hashlib
import json
import selectors
import socket
import struct
import sys
import time

PERIOD = 65521
BLOCK = 1 << 16


def content():
    state = 1
    data = bytearray(PERIOD)
    for at in range(PERIOD):
        state = (state * 1103515245 + 12345) & 0xFFFFFFFF
        data[at] = (state >> 16) & 0xFF
    return bytes(data)


CONTENT = content()
DOUBLED = CONTENT * 3


def piece(offset, length):
    start = offset % PERIOD
    return DOUBLED[start : start + min(length, BLOCK)]


def connect(host, port, timeout=60):
    return socket.create_connection((host, int(port)), timeout=timeout)


def receive_all(connection, total, pause=0.0, block=BLOCK):
    """Reads to the end. Answers how much came, how much of it is wrong, and the hash."""
    received = wrong = 0
    digest = hashlib.sha256()
    while True:
        data = connection.recv(block)
        if not data:
            return {"bytes": received, "wrong": wrong, "sha256": digest.hexdigest(), "whole": received == total}
        if piece(received, len(data)) != data:
            wrong += len(data)
        received += len(data)
        digest.update(data)
        if pause:
            time.sleep(pause)


def fetch(host, port, total):
    start = time.monotonic()
    with connect(host, port) as connection:
        connection.sendall(b"%d\n" % int(total))
        result = receive_all(connection, int(total))
    return {**result, "seconds": time.monotonic() - start}


def slow(host, port, total):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    connection.settimeout(60)
    connection.connect((host, int(port)))
    connection.sendall(b"%d\n" % int(total))
    time.sleep(0.7)
    with connection:
        return receive_all(connection, int(total), 0.002, 4096)


def pour(host, port, total, size=BLOCK):
    total, size = int(total), int(size)
    start = time.monotonic()
    with connect(host, port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = 0
        while sent < total:
            data = piece(sent, min(size, total - sent))
            connection.sendall(data)
            sent += len(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(100):
            answer += data
    counted, wrong = answer.split()
    return {"bytes": int(counted), "wrong": int(wrong), "whole": int(counted) == total, "seconds": time.monotonic() - start}


def many(host, port, count, size):
    """Opens all of them before any of them closes."""
    count, size = int(count), int(size)
    selector = selectors.DefaultSelector()
    right = established = 0
    opened = []
    for index in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((host, int(port)))
        data = (b"%06d" % index) * (size // 6 + 1)
        selector.register(connection, selectors.EVENT_WRITE, {"send": data, "expect": data, "got": b"", "up": False})
        opened.append(connection)
    deadline = time.monotonic() + 60
    waiting = count
    while waiting and time.monotonic() < deadline:
        for key, _ in selector.select(1):
            connection, state = key.fileobj, key.data
            try:
                if not state["up"]:
                    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if error:
                        raise OSError(error, "connect")
                    state["up"] = True
                    established += 1
                if state["send"]:
                    state["send"] = state["send"][connection.send(state["send"]) :]
                    if not state["send"]:
                        selector.modify(connection, selectors.EVENT_READ, state)
                    continue
                data = connection.recv(BLOCK)
                state["got"] += data
                if len(state["got"]) >= len(state["expect"]) or not data:
                    right += state["got"] == state["expect"]
                    selector.unregister(connection)
                    waiting -= 1
            except OSError:
                selector.unregister(connection)
                waiting -= 1
    for connection in opened:
        connection.close()
    return {"established": established, "right": right}


def reset(host, port, count):
    for _ in range(int(count)):
        connection = connect(host, port)
        connection.sendall(bytes(10000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    return {"reset": int(count)}


def wasreset(host, port):
    """The reset may come so soon that connecting itself fails of it; a connection that is refused says so otherwise."""
    try:
        with connect(host, port) as connection:
            data = connection.recv(1)
    except ConnectionResetError:
        return {"reset": True}
    return {"reset": False, "bytes": len(data)}


def backlog(host, port, count):
    """One after the other, so that the other end knows of each before the next one comes."""
    opened = []
    results = {"established": 0, "waiting": 0, "refused": 0}
    for _ in range(int(count)):
        connection = socket.socket()
        connection.settimeout(0.4)
        opened.append(connection)
        try:
            connection.connect((host, int(port)))
            results["established"] += 1
        except TimeoutError:
            results["waiting"] += 1
        except ConnectionRefusedError:
            results["refused"] += 1
    for connection in opened:
        connection.close()
    return results


def refused(host, port):
    try:
        connect(host, port, 10).close()
    except ConnectionRefusedError:
        return {"refused": True}
    return {"refused": False}


def datagrams(host, port, *sizes):
    right = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(5)
        connection.connect((host, int(port)))
        for size in sizes:
            data = piece(int(size), int(size)) if int(size) <= BLOCK else b""
            connection.send(data)
            right += connection.recv(BLOCK) == data
    return {"right": right}


def listener(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("", int(port)))
    server.listen(64)
    server.settimeout(60)
    return server


def sink(port, count):
    server = listener(port)
    results = []
    for _ in range(int(count)):
        connection, _ = server.accept()
        connection.settimeout(60)
        with connection:
            results.append(receive_all(connection, -1))
    return results


def source(port, total):
    server = listener(port)
    connection, _ = server.accept()
    digest = hashlib.sha256()
    sent = 0
    with connection:
        while sent < int(total):
            data = piece(sent, min(BLOCK, int(total) - sent))
            connection.sendall(data)
            digest.update(data)
            sent += len(data)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(60)
        while connection.recv(BLOCK):
            pass
    return {"bytes": sent, "sha256": digest.hexdigest()}


def rude(port, how):
    server = listener(port)
    connection, _ = server.accept()
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return {"closed": how}


COMMANDS = [fetch, pour, slow, many, reset, wasreset, backlog, refused, datagrams, sink, source, rude]
if __name__ == "__main__":
    name, *words = sys.argv[1:]
    command = {each.__name__: each for each in COMMANDS}.get("pour" if name == "trickle" else name)
    if command is None:
        sys.exit(__doc__)
    print(json.dumps(command(*words)))
