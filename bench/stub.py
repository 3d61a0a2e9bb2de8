"""A DynamoDB that takes 4 ms and 0.2 ms an item, for one measurement: `python -m bench.stub`.

Runs in a process of its own, prints the URLs that it listens on (plain and TLS) and ends with its
standard input. It answers with the headers of the real one, checksum included, and stores nothing.
"""

import argparse
import contextlib
import socket
import ssl
import sys
import threading
import time
from binascii import crc32
from pathlib import Path

from bench import certificate

CALL_SECONDS = 0.004
ITEM_SECONDS = 0.0002


def main() -> None:
    """Listen until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the certificate goes")
    folder = parser.parse_args().folder
    _, context = certificate.make(folder)
    plain, secure = (socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(2))
    for listener, tls in ((plain, None), (secure, context)):
        threading.Thread(target=_accept, args=(listener, tls), daemon=True).start()
    print(f"http://127.0.0.1:{plain.getsockname()[1]}")
    print(f"https://localhost:{secure.getsockname()[1]}", flush=True)
    sys.stdin.read()


def _accept(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(client, tls), daemon=True).start()


def _serve(client: socket.socket, tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError):
        connection = tls.wrap_socket(client, server_side=True) if tls else client
        data = b""
        while True:
            while (end := data.find(b"\r\n\r\n")) < 0:
                if not (more := connection.recv(65536)):
                    return
                data += more
            head = data[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            body = data[end + 4 :]
            while len(body) < length:
                body += connection.recv(65536)
            batch = b"batchwriteitem" in head
            items = body.count(b'"PutRequest"') if batch else 1
            time.sleep(CALL_SECONDS + ITEM_SECONDS * items)
            connection.sendall(_answer(b'{"UnprocessedItems":{}}' if batch else b"{}"))
            data = body[length:]


def _answer(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\n"
        b"Server: Server\r\n"
        b"Date: Sun, 22 Nov 2026 09:40:00 GMT\r\n"
        b"Content-Type: application/x-amz-json-1.0\r\n"
        b"Content-Length: %d\r\n"
        b"Connection: keep-alive\r\n"
        b"x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        b"x-amz-crc32: %d\r\n\r\n" % (len(body), crc32(body))
    ) + body


if __name__ == "__main__":
    main()
