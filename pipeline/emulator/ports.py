"""Ports on loopback: which are free, and who has the others."""

import contextlib
import socket
from pathlib import Path

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of loopback."""
    with socket.socket() as probe:
        # As servers do: a port that only has closed connections left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def user_of(port: int) -> str:
    """` by process 123 (name)` where the system lets us see it."""
    with contextlib.suppress(OSError, ValueError):
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = "0A"
        inodes = {
            f"socket:[{row[9]}]"
            for row in rows
            if row[3] == listening and int(row[1].split(":")[1], 16) == port
        }
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in inodes:
                    process = descriptor.parents[1]
                    name = (process / "comm").read_text().strip()
                    return f" by process {process.name} ({name})"
    return ""
