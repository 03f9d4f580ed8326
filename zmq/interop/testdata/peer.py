"""A peer with libzmq, told line by line what to do. See peer_test.go."""
import errno
import os
import struct
import sys
import threading
import zlib

import zmq
from zmq.utils.monitor import recv_monitor_message

ctx = zmq.Context()
ctx.max_sockets = 4096
socks = {}
monitors = {}
users = {}  # PLAIN: password by user name
keys = set()  # CURVE: public keys that are let in
asked = []  # what the ZAP handler was asked, in order
EVENTS = {
    getattr(zmq, n): n[len("EVENT_"):]
    for n in dir(zmq)
    if n.startswith("EVENT_") and not n.startswith("EVENT_ALL")
}
LISTED = 1024  # frames up to this size are told in full
PERIOD = 251
PATTERN = bytes(i % PERIOD for i in range(2 * PERIOD))


def parse(word):
    if word == "-":
        return b""
    if word[0] == "#":
        size, seed = map(int, word[1:].split(":"))
        block = PATTERN[seed % PERIOD:][:PERIOD]
        return (block * (size // PERIOD + 1))[:size]
    return bytes.fromhex(word)


def tell(frame):
    if not frame:
        return "-"
    if len(frame) > LISTED:
        return "=%d:%08x" % (len(frame), zlib.crc32(frame))
    return frame.hex()


def authenticate(handler):
    while True:
        try:
            version, sequence, domain, address, identity, mechanism, *credentials = handler.recv_multipart()
        except zmq.ZMQError:
            return
        asked.append(b" ".join([mechanism] + [c.hex().encode() or b"-" for c in credentials]).decode())
        if mechanism == b"PLAIN":
            ok = users.get(credentials[0]) == credentials[1]
        elif mechanism == b"CURVE":
            ok = credentials[0] in keys
        else:
            ok = True
        answer = [b"200", b"OK", b"known"] if ok else [b"400", b"denied", b""]
        handler.send_multipart([version, sequence] + answer + [b""])


def read_stream(path):
    """The segments of the one message in a file in the stream format."""
    with open(path, "rb") as f:
        data = f.read()
    count = struct.unpack_from("<I", data)[0] + 1
    words = struct.unpack_from("<%dI" % count, data, 4)
    at = (4 * (count + 1) + 7) // 8 * 8
    segments = []
    for n in words:
        segments.append(data[at:at + 8 * n])
        at += 8 * n
    assert at == len(data), "one message was expected"
    return segments


def write_stream(path, segments):
    table = struct.pack("<%dI" % (1 + len(segments)), len(segments) - 1, *(len(s) // 8 for s in segments))
    table += bytes(-len(table) % 8)
    with open(path, "wb") as f:
        f.write(table + b"".join(segments))


def do(word, *args):
    if word == "version":
        return [zmq.zmq_version()]
    if word == "zap":
        if args[0] == "PLAIN":
            users[parse(args[1])] = parse(args[2])
        else:
            keys.add(parse(args[1]))
        if "zap" not in socks:
            handler = socks["zap"] = ctx.socket(zmq.REP)
            handler.bind("inproc://zeromq.zap.01")
            threading.Thread(target=authenticate, args=(handler,), daemon=True).start()
        return []
    if word == "asked":
        return ["%d" % len(asked)] + asked[-1:]
    name, args = args[0], args[1:]
    if word == "new":
        s = socks[name] = ctx.socket(getattr(zmq, args[0]))
        s.linger, s.rcvtimeo, s.sndtimeo = 0, 30000, 30000
        return []
    s = socks[name]
    if word == "set":
        kind, value = args[1].split(":", 1)
        s.setsockopt(getattr(zmq, args[0]), int(value) if kind == "int" else parse(value))
    elif word == "bind":
        s.bind(args[0])
        return [s.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()]
    elif word == "connect":
        s.connect(args[0])
    elif word == "send":
        s.send_multipart([parse(w) for w in args])
    elif word == "trysend":
        s.send_multipart([parse(w) for w in args], zmq.DONTWAIT)
    elif word == "flood":
        for i in range(int(args[0])):
            s.send_multipart([b"%08d" % i] + [parse(w) for w in args[1:]])
    elif word == "drain":
        for i in range(int(args[0])):
            want, got = [b"%08d" % i] + [parse(w) for w in args[1:]], s.recv_multipart()
            if got != want:
                raise ValueError("message %d is %.100r" % (i, got))
    elif word == "recv":
        return [tell(f) for f in s.recv_multipart()]
    elif word == "poll":
        return ["1" if s.poll(int(args[0])) else "0"]
    elif word == "monitor":
        monitors[name] = s.get_monitor_socket()
    elif word == "event":
        if not monitors[name].poll(int(args[0])):
            return ["NONE", "0"]
        e = recv_monitor_message(monitors[name])
        return [EVENTS.get(e["event"], str(int(e["event"]))), str(e["value"])]
    elif word == "sendsegments":
        s.send_multipart([parse(w) for w in args[1:]] + read_stream(args[0]))
    elif word == "recvsegments":
        frames, n = s.recv_multipart(), int(args[1])
        write_stream(args[0], frames[n:])
        return [str(len(frames) - n)] + [tell(f) for f in frames[:n]]
    elif word == "close":
        if name in monitors:
            s.disable_monitor()
            monitors.pop(name)
        socks.pop(name).close()
    else:
        raise ValueError("unknown order " + word)
    return []


for line in sys.stdin:
    try:
        answer = ["ok"] + do(*line.split())
    except zmq.ZMQError as e:
        answer = ["error", errno.errorcode.get(e.errno, str(e))]
    except Exception as e:
        answer = ["error", repr(e)]
    print(" ".join(answer), flush=True)
os._exit(0)  # nothing lingers, and the ZAP handler's socket is its thread's to close
