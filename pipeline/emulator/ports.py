"""Ports on loopback: which are free, and who has the others."""

import contextlib
import socket

import psutil

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of loopback."""
    try:
        # As servers do: a port that only has closed connections left is free.
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port of loopback on which no process listens."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def user_of(port: int) -> str:
    """` by process 123 (name)` where the system lets us see it."""
    for process in psutil.process_iter():
        # macOS shows a user's own processes, Linux root's to root only.
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return f" by process {process.pid} ({process.name()})"
    return ""
