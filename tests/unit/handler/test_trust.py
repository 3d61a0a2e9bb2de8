"""Whom the handler trusts: Amazon's roots, then the system's, or AWS_CA_BUNDLE's alone."""

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import answer
import dynamodb as writer
import http11
import lambda_function
import service
import trust
from bench.certificate import Authority
from tests.support import poll
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB, faulty_dynamodb
from tests.unit.handler.conftest import Context

ROOTS = Path(trust.__file__).with_name("amazon_roots.pem")
CHINA = "dynamodb.cn-north-1.amazonaws.com.cn"
ISO = "dynamodb.us-iso-east-1.c2s.ic.gov"
SUCCESS = {"statusCode": 200, "body": '"Item stored"'}
ONE = s3.notification(s3.record("only"))
MANY = s3.sqs(*(s3.notification(s3.record(f"key-{number}")) for number in range(1000)))

AMAZON, ANOTHER = Authority("stand-in for Amazon's"), Authority("some other")


class Stores:
    """What the process trusts, and how often it loaded the system's store."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loads = 0
        self.loading = 0.0
        self._patch = monkeypatch
        self._bundle = folder / "bundle.pem"
        self._system = folder / "system.pem"
        roots = folder / "amazon_roots.pem"
        roots.write_text(ROOTS.read_text() + AMAZON.pem)
        monkeypatch.setattr(trust, "_ROOTS", str(roots))
        # OpenSSL reads both whenever it loads the system's store.
        monkeypatch.setenv("SSL_CERT_FILE", str(self._system))
        monkeypatch.setenv("SSL_CERT_DIR", str(folder / "nothing"))
        self.system("")
        load = ssl.SSLContext.load_default_certs

        def counted(*given: Any) -> None:
            self.loads += 1
            # As many seconds as it takes on a slow machine.
            threading.Event().wait(self.loading)
            load(*given)

        monkeypatch.setattr(ssl.SSLContext, "load_default_certs", counted)

    def system(self, pem: str) -> None:
        """Let this be the system's store."""
        self._system.write_text(pem)

    def bundle(self, pem: str) -> None:
        """Let this be AWS_CA_BUNDLE."""
        self._bundle.write_text(pem)
        self._patch.setenv("AWS_CA_BUNDLE", str(self._bundle))


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    return Stores(tmp_path, monkeypatch)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts an endpoint that has a certificate of an authority, under some name."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *given: real("127.0.0.1", *given))
    with contextlib.ExitStack() as running:

        def start(
            authority: Authority, host: str = "localhost", days: int = 1, together: int = 1
        ) -> FaultyDynamoDB:
            context = authority.server(host, days=days)
            # The first handshakes go on when so many are under way.
            waiting, begun = threading.Barrier(together), itertools.count()

            def wait(*_: Any) -> None:
                if next(begun) < together:
                    waiting.wait(10)

            context.sni_callback = wait
            endpoint = running.enter_context(faulty_dynamodb(context))
            port = endpoint.url.rpartition(":")[2]
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{host}:{port}")
            return endpoint

        yield start


def refused(milliseconds: int = 30_000) -> str:
    """What the invoke says that failed, and that it took no time."""
    context = Context(milliseconds)
    with pytest.raises(answer.NotStoredError) as raised:
        lambda_function.lambda_handler(ONE, context)
    assert context.get_remaining_time_in_millis() > milliseconds - 10_000
    return str(raised.value)


@pytest.mark.parametrize("host", ["localhost", "dynamodb.eu-central-1.amazonaws.com"])
def test_a_chain_to_an_amazon_root_needs_no_other_root(
    host: str, stores: Stores, serve: Any
) -> None:
    endpoint = serve(AMAZON, host)
    assert lambda_function.lambda_handler(ONE, Context()) == SUCCESS
    assert (stores.loads, endpoint.connections) == (0, 1)


@pytest.mark.parametrize("host", ["localhost", CHINA, ISO])
def test_a_chain_to_another_root_of_the_system_is_a_second_attempt_once_a_process(
    host: str, stores: Stores, serve: Any
) -> None:
    stores.system(ANOTHER.pem)
    endpoint = serve(ANOTHER, host)
    for event in (ONE, MANY, ONE):
        lambda_function.lambda_handler(event, Context())
    assert len(endpoint.items) == 1001
    assert stores.loads == 1
    assert endpoint.connections <= 1 + writer.CONNECTIONS


@pytest.mark.parametrize("loading", [0.0, 0.1], ids=["quick", "slow"])
def test_connections_made_side_by_side_load_the_system_s_store_once(
    loading: float, stores: Stores, serve: Any
) -> None:
    stores.system(ANOTHER.pem)
    stores.loading = loading
    endpoint = serve(ANOTHER, together=writer.CONNECTIONS)
    assert lambda_function.lambda_handler(MANY, Context()) == {"batchItemFailures": []}
    assert len(endpoint.items) == 1000
    assert stores.loads == 1
    assert writer.CONNECTIONS < endpoint.connections <= 2 * writer.CONNECTIONS


def test_both_kinds_of_roots_are_trusted_after_the_second_attempt(
    stores: Stores, serve: Any
) -> None:
    stores.system(ANOTHER.pem)
    serve(ANOTHER)
    lambda_function.lambda_handler(ONE, Context())
    held = lambda_function.table()._endpoint.trust
    assert held
    assert {"Amazon Root CA 1", "stand-in for Amazon's", "some other"} <= set(ends(held.context))


@pytest.mark.parametrize("store", [AMAZON.pem, ""], ids=["others", "an empty store"])
def test_a_chain_to_nobody_is_a_clear_error_after_two_handshakes(
    store: str, stores: Stores, serve: Any
) -> None:
    stores.system(store)
    endpoint = serve(ANOTHER)
    said = refused()
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert "name its authority's file in AWS_CA_BUNDLE" in said
    assert (stores.loads, endpoint.connections, endpoint.requests) == (1, 2, [])
    refused()
    assert (stores.loads, endpoint.connections, endpoint.requests) == (1, 3, [])


@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [("localhost", -1, "expired"), ("localhost.test", 1, "Hostname mismatch")],
)
def test_a_certificate_that_is_not_good_is_refused_whoever_signed_it(
    host: str, days: int, reason: str, stores: Stores, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = serve(AMAZON, host, days)
    port = endpoint.url.rpartition(":")[2]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{port}")
    assert reason in refused()
    assert not endpoint.requests


def test_aws_ca_bundle_wins_over_amazon_s_roots_and_the_system_s(
    stores: Stores, serve: Any
) -> None:
    stores.system(AMAZON.pem)
    stores.bundle(ANOTHER.pem)
    serve(ANOTHER)
    assert lambda_function.lambda_handler(ONE, Context()) == SUCCESS
    lambda_function.table.cache_clear()
    endpoint = serve(AMAZON)
    assert "CERTIFICATE_VERIFY_FAILED" in refused()
    assert (stores.loads, endpoint.connections) == (0, 1)


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "no PEM"])
def test_a_bundle_that_can_not_be_read_is_named(
    content: str | None, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "mine.pem"
    if content:
        bundle.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with pytest.raises(ValueError, match=r"AWS_CA_BUNDLE is '.*mine\.pem', no readable file"):
        trust.Trust()


def test_the_second_attempt_has_the_first_one_s_time_to_connect(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.system(ANOTHER.pem)
    first = ANOTHER.server("localhost")

    def connected(pace: int) -> None:
        monkeypatch.setattr(service, "CONNECT_SECONDS", 1.0 * pace)
        hold = threading.Event()

        def accept() -> None:
            client, _ = listener.accept()
            hold.wait(0.6 * pace)
            with contextlib.suppress(OSError):
                first.wrap_socket(client, server_side=True)
            # A second handshake that never ends; closed, if the first took all the time.
            with contextlib.suppress(OSError):
                second, _ = listener.accept()
                hold.wait(60)
                second.close()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{port}")
            accepting = threading.Thread(target=accept, daemon=True)
            accepting.start()
            lambda_function.table.cache_clear()
            endpoint = lambda_function.table()._endpoint
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                http11.Connection(endpoint, 1.0 * pace, started + 60)
            took = time.monotonic() - started
            hold.set()
        assert took < 1.5 * pace

    poll.at_some_pace(connected)


def test_amazon_s_roots_are_five_and_good_for_a_year() -> None:
    roots = ends(ssl.create_default_context(cafile=str(ROOTS)))
    assert set(roots) == {
        *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
        "Starfield Services Root Certificate Authority - G2",
    }
    a_year = time.time() + 365 * 86_400
    assert {name for name, end in roots.items() if end < a_year} == set()


def ends(context: ssl.SSLContext) -> dict[str, float]:
    """The roots of a context by their common names, and until when each is good."""
    roots: list[Any] = context.get_ca_certs()
    return {
        dict(part[0] for part in root["subject"])["commonName"]: ssl.cert_time_to_seconds(
            root["notAfter"]
        )
        for root in roots
    }
