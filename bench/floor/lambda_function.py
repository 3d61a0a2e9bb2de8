"""The limit for any handler: prepared requests over raw sockets, answers unread.

It reads no event and signs nothing. It is here to show how much of the rest is left to be won.
"""

import os
import socket
from typing import Any

_scheme, _, _authority = os.environ["AWS_ENDPOINT_URL"].partition("://")
_host, _, _port = _authority.partition(":")
_idle: list[socket.socket] = []


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One request for one record, a request for each 25 of more."""
    count = len(event["Records"])
    if count == 1:
        _exchange(_request("PutItem", b'{"TableName":"events"}' + b" " * 500))
    else:
        body = b'{"RequestItems":{"events":[' + b'"PutRequest"' * 25 + b" " * 12_000
        _in_threads([_request("BatchWriteItem", body)] * (count // 25))
    return {}


def _request(operation: str, body: bytes) -> bytes:
    head = f"POST / HTTP/1.1\r\nx-amz-target: {operation}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _exchange(request: bytes) -> None:
    connection = _idle.pop() if _idle else _connect()
    connection.sendall(request)
    connection.recv(65536)
    _idle.append(connection)


def _in_threads(requests: list[bytes]) -> None:
    import threading

    todo = iter(requests)

    def work() -> None:
        for request in todo:
            _exchange(request)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _connect() -> socket.socket:
    plain = socket.create_connection((_host, int(_port)))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if _scheme == "http":
        return plain
    import ssl

    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    return context.wrap_socket(plain, server_hostname=_host)
