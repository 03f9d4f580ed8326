"""One pyzmq socket, as the tests of package zmtp need it.

peer.py MECHANISM ROLE TYPE ENDPOINT [ARGUMENT=VALUE ...]

ROLE is client or server of the mechanism. It connects to the endpoint, or binds
to it if that ends in *, and then prints the port. A SUB subscribes to "topic".
Others send one message of three frames. The frames of the first message that it
gets are printed in hexadecimal, one a line.
"""
import sys
import zmq
from zmq.auth.thread import ThreadAuthenticator

mechanism, role, kind, endpoint = sys.argv[1:5]
arg = dict(a.split("=", 1) for a in sys.argv[5:])
ctx = zmq.Context()
sock = ctx.socket(getattr(zmq, kind))
sock.linger = 2000
sock.rcvtimeo = 20000
auth = None
if mechanism == "PLAIN":
    if role == "server":
        sock.plain_server = True
        auth = ThreadAuthenticator(ctx)
        auth.start()
        auth.configure_plain(domain="test", passwords={"admin": "secret"})
        sock.zap_domain = b"test"
    else:
        sock.plain_username = arg["user"].encode()
        sock.plain_password = arg["password"].encode()
if mechanism == "CURVE":
    sock.curve_secretkey = arg["secret"].encode()
    sock.curve_publickey = arg["public"].encode()
    if role == "server":
        sock.curve_server = True
        if "deny" in arg:
            auth = ThreadAuthenticator(ctx)
            auth.start()
            auth.configure_curve_callback(domain="*", credentials_provider=type(
                "Deny", (), {"callback": lambda self, domain, key: False})())
    else:
        sock.curve_serverkey = arg["serverkey"].encode()
if "heartbeat" in arg:
    sock.heartbeat_ivl = int(arg["heartbeat"])
    sock.heartbeat_ttl = 3000
if kind == "DEALER":
    sock.identity = b"py"
if kind == "SUB":
    sock.subscribe(b"topic")
if endpoint.endswith("*"):
    print(sock.bind_to_random_port(endpoint[:-2]), flush=True)
else:
    sock.connect(endpoint)
if kind != "SUB":
    sock.send_multipart([b"from python", b"", b"x" * 300])
try:
    for frame in sock.recv_multipart():
        print(frame.hex(), flush=True)
except zmq.Again:
    print("nothing came", flush=True)
if auth:
    auth.stop()
sock.close()
ctx.term()
