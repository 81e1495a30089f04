"""A VROS service in Python: the whole contract between a service and the kernel, in one file.

It serves the port `python` with the private interface 0x8001:

    1  reverse(text)         -> the text backwards
    2  sum(list of numbers)  -> their sum; EINVAL for anything else
    3  ask(text)             -> what the service at the port `server` answers to method 1 of the same interface
    4  incarnation()         -> [incarnation, whether this request was delivered before]

Everything comes from descriptor 3 and goes to descriptor 4 (docs/protocol.md). Needs nothing but msgpack.
"""

import errno
import os
import struct

import msgpack

FROM_KERNEL = 3
TO_KERNEL = 4
HEADER = struct.Struct("<IHHII")  # length of the body, type, flags, id, handle
ENVELOPE = struct.Struct("<IIQHHIII")  # sender, badge, sequence, interface, method, timeout, port, flags

PROTOCOL_VERSION = 1
TASK_START = 0x01
IPC_CREATE_NAMED_PORT = 0x21
IPC_FIND_PORT = 0x22
IPC_RECV = 0x25
IPC_CALL = 0x27
IPC_REPLY = 0x28
LOG = 0x60

INTERFACE = 0x8001
FOREVER = 0xFFFFFFFF
RETRY = 1  # flag of an envelope: this request was delivered before
NOTICE = 2  # flag of an envelope: a notice of the kernel

last_id = 0


def read_exactly(count):
    """Reads `count` bytes of the pipe. Its end means that the kernel is gone."""
    data = b""
    while len(data) < count:
        chunk = os.read(FROM_KERNEL, count - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data


def post(call, body=b"", handle=0, flags=0, id=0):
    """Writes a frame. With id 0 no result comes back."""
    frame = HEADER.pack(len(body), call, flags, id, handle) + body
    while frame:
        frame = frame[os.write(TO_KERNEL, frame) :]


def system_call(call, body=b"", handle=0):
    """Makes a system call: answers the number in the handle of the result, and its body. Raises OSError."""
    global last_id
    last_id += 1
    post(call, body, handle, id=last_id)
    # One call is under way at a time, so the next frame is its result.
    length, _type, error, _id, handle = HEADER.unpack(read_exactly(HEADER.size))
    body = read_exactly(length)
    if error:
        raise OSError(error, os.strerror(error))
    return handle, body


def message(method, data, timeout=FOREVER):
    """The body of a message: an array of envelope and data."""
    return msgpack.packb([ENVELOPE.pack(0, 0, 0, INTERFACE, method, timeout, 0, 0), data])


def ask(port, method, data):
    """Calls a service and answers the data of its answer."""
    _handle, body = system_call(IPC_CALL, message(method, data), port)
    _envelope, answer = msgpack.unpackb(body)
    return answer


def log(text):
    post(LOG, msgpack.packb([30, text]))


def serve(method, data, flags, start):
    """Handles one request: answers a value, or raises OSError to answer with an error."""
    if method == 1 and isinstance(data, str):
        return data[::-1]
    if method == 2 and isinstance(data, list) and all(isinstance(number, (int, float)) for number in data):
        return sum(data)
    if method == 3:
        port, _body = system_call(IPC_FIND_PORT, msgpack.packb(["server", 1000]))
        return ask(port, 1, data)
    if method == 4:
        return [start["incarnation"], flags & RETRY != 0]
    raise OSError(errno.EINVAL, "no such method, or not its arguments")


def main():
    _handle, body = system_call(TASK_START, handle=PROTOCOL_VERSION)
    start = dict(zip(["pid", "name", "incarnation", "entry", "arguments"], msgpack.unpackb(body)))
    log(f"hello from Python, process {start['pid']} of this system")
    port, _body = system_call(IPC_CREATE_NAMED_PORT, msgpack.packb(["python"]))
    while True:
        reply, body = system_call(IPC_RECV, msgpack.packb([[port], FOREVER]))
        envelope, data = msgpack.unpackb(body)
        fields = ENVELOPE.unpack(envelope[: ENVELOPE.size])
        _sender, _badge, _sequence, _interface, method, _deliveries, _port, flags = fields
        if flags & NOTICE:
            continue
        try:
            status, answer = 0, serve(method, data, flags, start)
        except OSError as error:
            status, answer = error.errno, error.strerror
        if reply:
            post(IPC_REPLY, message(0, answer), reply, status)


main()
