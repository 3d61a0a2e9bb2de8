"""Answer the one remote call that a plan makes, so that plans need no account and no network."""

import contextlib
import threading
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
_REFUSAL = """<ErrorResponse><Error><Type>Sender</Type><Code>OnlyPlans</Code>
<Message>a plan is expected to call sts:GetCallerIdentity alone, not {}</Message>
</Error></ErrorResponse>"""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        action = parse_qs(body).get("Action", [self.headers.get("X-Amz-Target", self.path)])[0]
        known = action == "GetCallerIdentity"
        self._answer(200, _IDENTITY) if known else self._answer(400, _REFUSAL.format(action))

    def do_GET(self) -> None:
        self._answer(400, _REFUSAL.format(self.path.partition("?")[0]))

    def log_message(self, *_arguments: object) -> None:
        pass

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@contextlib.contextmanager
def plan_server() -> Iterator[dict[str, str]]:
    """Serve `sts:GetCallerIdentity` on loopback; yields the environment that points AWS there."""
    with ThreadingHTTPServer((HOST, 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield client_environment(f"http://{HOST}:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
