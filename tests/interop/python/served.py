"""What every server here takes and gives: terms in the environment, and its port as the first line."""

import os
import socket

FACILITATOR = os.environ["FACILITATOR_URL"]
PAY_TO = os.environ["PAY_TO"]
NETWORK = "eip155:84532"
REPORT = {"report": "Rainfall, Tuesday"}


def listening():
    """A socket on a free port of this machine; its port is printed."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    print(sock.getsockname()[1], flush=True)
    return sock


def run_asgi(app):
    """Serves an ASGI application until the process ends."""
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_keep_alive=60)).run(sockets=[listening()])
