"""Answer the remote calls that a plan makes, so that plans need no account and no network."""

import contextlib
import json
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from pipeline.emulator.ports import HOST
from pipeline.emulator.process import client_environment

ACCOUNT_ID = "123456789012"

_IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT_ID}:root</Arn><UserId>{ACCOUNT_ID}</UserId>
<Account>{ACCOUNT_ID}</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>plan</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
_REFUSAL = "a plan is expected to call sts:GetCallerIdentity and dynamodb:DescribeTable, not {}"
_XML_REFUSAL = f"""<ErrorResponse><Error><Type>Sender</Type><Code>OnlyPlans</Code>
<Message>{_REFUSAL}</Message></Error></ErrorResponse>"""
_NOT_FOUND = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        target = self.headers.get("X-Amz-Target")
        if target == "DynamoDB_20120810.DescribeTable":
            # Newer 6.x providers look for the indexes of an existing table.
            missing = f"Table: {json.loads(body)['TableName']} not found"
            self._refuse(_NOT_FOUND, f"Requested resource not found: {missing}")
        elif target:
            self._refuse("OnlyPlans", _REFUSAL.format(target))
        elif (action := parse_qs(body).get("Action", [self.path])[0]) == "GetCallerIdentity":
            self._answer(200, _IDENTITY)
        else:
            self._answer(400, _XML_REFUSAL.format(action))

    def do_GET(self) -> None:
        self._answer(400, _XML_REFUSAL.format(self.path.partition("?")[0]))

    def log_message(self, *_arguments: object) -> None:
        pass

    def _refuse(self, kind: str, message: str) -> None:
        text = json.dumps({"__type": kind, "message": message})
        self._answer(400, text, "application/x-amz-json-1.0")

    def _answer(self, status: int, text: str, media_type: str = "text/xml") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("x-amzn-RequestId", "plan")
        # DynamoDB sends it, and its clients compare.
        self.send_header("x-amz-crc32", str(zlib.crc32(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextlib.contextmanager
def plan_server() -> Iterator[dict[str, str]]:
    """Answer on loopback, as an account with nothing in it; yields a client's environment."""
    with ThreadingHTTPServer((HOST, 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield client_environment(f"http://{HOST}:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
