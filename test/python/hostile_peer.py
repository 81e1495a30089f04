"""A host that does to the machine what no friend does: raw frames from Linux, by a packet socket. Each command prints one line of JSON.

    synflood COUNT PORT     SYNs from many addresses and ports, none of which answers
    arpflood COUNT          requests and answers of ARP from ever new neighbours, some of which claim the machine's own address
    fragments COUNT         fragments of packets that never become whole, that overlap, and that reach beyond 65,535 bytes
    tinywindow PORT BYTES   takes a stream through a window of one byte
    ackstorm COUNT PORT     acknowledgements of what has not been sent, old ones, and data outside of the window, into a connection that stands
    probe ADDRESS           asks whether anybody has an address, as one does before taking it (RFC 5227)
    garbage COUNT SEED      frames of random bytes behind plausible headers
"""

import json
import random
import socket
import struct
import sys
import time

INTERFACE = "vros0"
MACHINE = "10.0.3.2"
MACHINE_HARDWARE = bytes.fromhex("525400123456")
HARDWARE = bytes.fromhex("020000000a01")
ADDRESS = "10.0.3.66"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
# A burst that a card with 64 kB has no room for would only test the card.
BURST = 32


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind, payload, source=HARDWARE, destination=MACHINE_HARDWARE):
    return destination + source + struct.pack("!H", kind) + payload


def ipv4(protocol, payload, source=ADDRESS, destination=MACHINE, identification=0, fragment=0, ttl=64):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, fragment, ttl, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(source_port, port, sequence, acknowledgment, flags, window=65535, data=b"", options=b"", source=ADDRESS):
    head = struct.pack("!HHIIBBHHH", source_port, port, sequence & 0xFFFFFFFF, acknowledgment & 0xFFFFFFFF, (5 + len(options) // 4) << 4, flags, window, 0, 0) + options
    pseudo = socket.inet_aton(source) + socket.inet_aton(MACHINE) + struct.pack("!BBH", 0, 6, len(head) + len(data))
    return head[:16] + struct.pack("!H", checksum(pseudo + head + data)) + head[18:] + data


def arp(operation, sender_hardware, sender, target_hardware, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, sender_hardware, socket.inet_aton(sender), target_hardware, socket.inet_aton(target))


class Segment:
    def __init__(self, packet):
        at = (packet[0] & 15) * 4
        self.source_port, self.port, self.sequence, self.acknowledgment, offset, self.flags, self.window = struct.unpack_from("!HHIIBBH", packet, at)
        self.data = packet[at + (offset >> 4) * 4 : struct.unpack_from("!H", packet, 2)[0]]


class Host:
    """An address of its own on the cable, that Linux knows nothing of."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((INTERFACE, 0))
        self.sent = 0

    def send(self, frame):
        while True:
            try:
                self.socket.send(frame)
                break
            except OSError:
                time.sleep(0.001)
        self.sent += 1
        if self.sent % BURST == 0:
            time.sleep(0.002)

    def segments(self, seconds):
        """Segments for us, until none has come for so long; others may talk all the time. Answers who asks for our hardware address."""
        patience = max(seconds, 0.002)
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                frame, where = self.socket.recvfrom(65536)
            except (TimeoutError, BlockingIOError):
                return
            if where[2] == socket.PACKET_OUTGOING:
                continue
            kind = struct.unpack_from("!H", frame, 12)[0]
            packet = frame[14:]
            if kind == 0x0806 and packet[24:28] == socket.inet_aton(ADDRESS) and packet[7] == 1:
                self.send(ethernet(0x0806, arp(2, HARDWARE, ADDRESS, MACHINE_HARDWARE, MACHINE)))
            elif kind == 0x0800 and packet[16:20] == socket.inet_aton(ADDRESS) and packet[9] == 6:
                yield Segment(packet)
                end = time.monotonic() + patience

    def connect(self, port, window=65535):
        """A connection that stands: our port, the next sequence numbers of both."""
        source_port = random.randrange(20000, 60000)
        sequence = random.randrange(1 << 32)
        for _ in range(5):
            self.send(ethernet(0x0800, ipv4(6, tcp(source_port, port, sequence, 0, SYN, window, options=b"\x02\x04\x05\xb4"))))
            for segment in self.segments(1):
                if segment.port == source_port and segment.flags & (SYN | ACK) == SYN | ACK:
                    sequence, theirs = sequence + 1, segment.sequence + 1
                    self.send(ethernet(0x0800, ipv4(6, tcp(source_port, port, sequence, theirs, ACK, window))))
                    return source_port, sequence, theirs
        raise SystemExit("no connection")


def synflood(count, port):
    host = Host()
    for index in range(int(count)):
        source = "10.0.3.%d" % (100 + index % 150)
        segment = tcp(1024 + index % 60000, int(port), index * 7919, 0, SYN, options=b"\x02\x04\x05\xb4", source=source)
        host.send(ethernet(0x0800, ipv4(6, segment, source=source), source=b"\x02\0\0\0\1" + bytes([100 + index % 150])))
    return {"sent": host.sent}


def arpflood(count):
    host = Host()
    for index in range(int(count)):
        hardware = b"\x02\x01" + struct.pack("!I", index)
        address = "10.0.3.%d" % (3 + index % 250)
        if index % 3 == 0:
            frame = arp(1, hardware, address, bytes(6), MACHINE)
        elif index % 3 == 1:
            frame = arp(2, hardware, address, MACHINE_HARDWARE, MACHINE)
        else:
            frame = arp(1, hardware, MACHINE, bytes(6), MACHINE)
        host.send(ethernet(0x0806, frame, source=hardware, destination=MACHINE_HARDWARE if index % 2 else b"\xff" * 6))
    return {"sent": host.sent}


def probe(address):
    host = Host()
    host.send(ethernet(0x0806, arp(1, HARDWARE, "0.0.0.0", bytes(6), address), destination=b"\xff" * 6))
    host.socket.settimeout(3)
    while True:
        try:
            frame = host.socket.recv(65536)
        except TimeoutError:
            return {"hardware": None}
        if frame[12:14] == b"\x08\x06" and frame[21] == 2 and frame[28:32] == socket.inet_aton(address):
            return {"hardware": frame[22:28].hex(":")}


def fragments(count):
    host = Host()
    more = 0x2000
    for index in range(int(count)):
        identification = index & 0xFFFF
        source = "10.0.3.%d" % (100 + index % 100)
        kind = index % 4
        if kind == 0:
            parts = [(0 | more, bytes(1480))]
        elif kind == 1:
            parts = [(1 | more, bytes(800)), (3 | more, bytes(800)), (0 | more, bytes(400))]
        elif kind == 2:
            parts = [(8189, bytes(1400)), (8100 | more, bytes(1400))]
        else:
            parts = [(step * 2 | more, bytes(16)) for step in range(0, 40, 2)]
        for fragment, data in parts:
            host.send(ethernet(0x0800, ipv4(17, data, source=source, identification=identification, fragment=fragment)))
    return {"sent": host.sent}


def tinywindow(port, total):
    """Each byte is acknowledged as it comes; the connection must go on, one byte or more at a time, until the end."""
    host = Host()
    total = int(total)
    source_port, sequence, expected = host.connect(int(port), 1)
    first = expected

    def answer(flags=ACK, data=b""):
        host.send(ethernet(0x0800, ipv4(6, tcp(source_port, int(port), sequence, expected, flags, 1, data))))

    order = b"%d\n" % total
    answer(ACK | PSH, order)
    sequence += len(order)
    beyond = 0
    deadline = time.monotonic() + 40
    for segment in host.segments(8):
        if segment.port != source_port or time.monotonic() > deadline:
            continue
        if len(segment.data) > 1:
            beyond += 1
        if segment.sequence == expected & 0xFFFFFFFF and segment.data:
            expected += 1
            answer()
        if expected - first >= total:
            break
    answer(RST | ACK)
    return {"bytes": expected - first, "beyond": beyond}


def ackstorm(count, port):
    host = Host()
    source_port, sequence, expected = host.connect(int(port))
    replies = 0
    for index in range(int(count)):
        kind = index % 4
        if kind == 0:
            segment = tcp(source_port, int(port), sequence, expected + 100000 + index, ACK)
        elif kind == 1:
            segment = tcp(source_port, int(port), sequence - 1, expected, ACK)
        elif kind == 2:
            segment = tcp(source_port, int(port), sequence + 10000000, expected, ACK, data=b"x")
        else:
            segment = tcp(source_port, int(port), sequence + 1000, 0, RST if index % 8 == 3 else SYN)
        host.send(ethernet(0x0800, ipv4(6, segment)))
        replies += sum(1 for each in host.segments(0) if each.port == source_port)
    replies += sum(1 for each in host.segments(1) if each.port == source_port)
    # The connection has survived all of it.
    host.send(ethernet(0x0800, ipv4(6, tcp(source_port, int(port), sequence, expected, ACK | PSH, data=b"still here"))))
    echoed = b""
    for segment in host.segments(2):
        if segment.port == source_port and segment.data and segment.sequence == (expected + len(echoed)) & 0xFFFFFFFF:
            echoed += segment.data
            if len(echoed) >= 10:
                break
    host.send(ethernet(0x0800, ipv4(6, tcp(source_port, int(port), sequence + 10, expected + len(echoed), RST | ACK))))
    return {"sent": host.sent, "replies": replies, "echoed": echoed.decode("latin1")}


def garbage(count, seed):
    host = Host()
    choose = random.Random(int(seed))
    for _ in range(int(count)):
        noise = choose.randbytes(choose.randrange(0, 200))
        kind = choose.randrange(6)
        if kind == 0:
            frame = ethernet(choose.choice([0x0800, 0x0806, 0x86DD, choose.randrange(1 << 16)]), noise)
        elif kind == 1:
            frame = ethernet(0x0806, arp(choose.randrange(4), HARDWARE, ADDRESS, bytes(6), MACHINE)[: choose.randrange(28)])
        else:
            protocol = choose.choice([1, 2, 6, 17, choose.randrange(256)])
            packet = bytearray(ipv4(protocol, noise, identification=choose.randrange(1 << 16), fragment=choose.choice([0, 0, 0x2000, choose.randrange(1 << 16)])))
            if kind == 5:
                packet[choose.randrange(len(packet))] ^= 1 << choose.randrange(8)
            frame = ethernet(0x0800, bytes(packet))
        host.send(frame)
    return {"sent": host.sent}


COMMANDS = [synflood, arpflood, probe, fragments, tinywindow, ackstorm, garbage]
if __name__ == "__main__":
    name, *words = sys.argv[1:]
    command = {each.__name__: each for each in COMMANDS}.get(name)
    if command is None:
        sys.exit(__doc__)
    print(json.dumps(command(*words)))
