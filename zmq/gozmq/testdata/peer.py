"""A peer for the tests: sends and receives a message's segments as frames.

    peer.py TYPE bind|connect ENDPOINT ACTION [ENVELOPE FRAME ...]

It does what users of pycapnp do with to_segments and from_segments, on messages
that are framed as on a stream: it reads them from its standard input and writes
them to its standard output.

    send  send the message
    recv  receive a message
    ask   send the message, receive an answer
    echo  receive a message, send the same frames back
    beat  only send heartbeats; write how the connection ended
"""

import struct
import sys

import zmq
from zmq.utils.monitor import recv_monitor_message


def split(framed):
    """The segments of a framed message."""
    count = struct.unpack_from("<I", framed)[0] + 1
    sizes = struct.unpack_from("<%dI" % count, framed, 4)
    at = (4 + 4 * count + 7) & ~7
    segments = []
    for words in sizes:
        segments.append(framed[at : at + 8 * words])
        at += 8 * words
    assert at == len(framed), "%d bytes after the message" % (len(framed) - at)
    return segments


def join(segments):
    """The framed message of some segments."""
    table = struct.pack("<I", len(segments) - 1)
    for s in segments:
        assert len(s) % 8 == 0, "a frame of %d bytes" % len(s)
        table += struct.pack("<I", len(s) // 8)
    return table + b"\0" * (-len(table) % 8) + b"".join(segments)


def main():
    kind, side, endpoint, action = sys.argv[1:5]
    envelope = [f.encode() for f in sys.argv[5:]]
    context = zmq.Context()
    sock = context.socket(getattr(zmq, kind))
    sock.set(zmq.LINGER, 20000)
    sock.set(zmq.SNDTIMEO, 20000)
    sock.set(zmq.RCVTIMEO, 20000)
    if kind in ("DEALER", "ROUTER"):
        sock.set(zmq.ROUTING_ID, b"python")
    if kind == "SUB":
        sock.set(zmq.SUBSCRIBE, b"".join(envelope[:1]))
    if action == "beat":
        sock.set(zmq.HEARTBEAT_IVL, 50)
        sock.set(zmq.HEARTBEAT_TIMEOUT, 200)
        ended = sock.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        ended.set(zmq.RCVTIMEO, 20000)
    if side == "bind":
        sock.bind(endpoint)
    else:
        sock.connect(endpoint)
    print(sock.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode(), file=sys.stderr, flush=True)

    if action == "beat":
        event = recv_monitor_message(ended)["event"]
        sys.stdout.write(zmq.Event(event).name)
        context.destroy(0)
        return

    if action in ("send", "ask"):
        if kind == "XPUB":
            sock.recv()  # nobody gets what is sent before the subscription
        sock.send_multipart(envelope + split(sys.stdin.buffer.read()))
    if action != "send":
        frames = sock.recv_multipart()
        at = len(envelope)
        if kind == "ROUTER":
            at = 1
        elif frames[:at] != envelope:
            sys.exit("envelope %r, not %r" % (frames[:at], envelope))
        sys.stdout.buffer.write(join(frames[at:]))
        if action == "echo":
            sock.send_multipart(frames)
    sock.close()
    context.term()


main()
