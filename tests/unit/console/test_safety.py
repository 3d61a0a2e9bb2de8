"""Which requests are refused, and the headers that restrict browsers."""

import pytest

from pipeline.console.server.safety import HEADERS, refusal

PORT, TOKEN = 8123, "T0k-en_"
HOME = f"http://127.0.0.1:{PORT}"


def status(
    method: str = "GET", path: str = f"/{TOKEN}/", port: int = PORT, **headers: str | None
) -> int | None:
    """What a browser's request gets, None where it goes on; keyword None leaves a header out."""
    sent = {"host": f"127.0.0.1:{PORT}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    given = {name: value for name, value in sent.items() if value is not None}
    found = refusal(method, path, given, port=port, token=TOKEN)
    assert found is None or found[1].endswith(".")
    return None if found is None else found[0]


def test_the_page_itself_is_let_in() -> None:
    assert status() is None
    assert status(host=f"localhost:{PORT}") is None
    assert status(sec_fetch_site="none", sec_fetch_mode="navigate") is None
    for path in "events", "objects", "replay":
        assert status("PUT", f"/{TOKEN}/{path}", origin=HOME, sec_fetch_site="same-origin") is None
    there = f"http://localhost:{PORT}"
    assert status("PUT", host=f"localhost:{PORT}", origin=there) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        "127.0.0.1:80",
        f"127.0.0.1:{PORT}0",
        f"127.0.0.1:{PORT}.evil.example",
        f"evil.example:{PORT}",
        f"127.0.0.1.evil.example:{PORT}",
        f"localhost.evil.example:{PORT}",
        f"[::1]:{PORT}",
        f"[::ffff:127.0.0.1]:{PORT}",
        f"0.0.0.0:{PORT}",
        f"2130706433:{PORT}",
        f"x@127.0.0.1:{PORT}",
    ],
)
def test_another_name_that_resolves_to_this_machine_gets_nothing(host: str | None) -> None:
    assert status(host=host) == 421
    assert status(host=host, origin=f"http://{host}", sec_fetch_site="same-origin") == 421


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "http://127.0.0.1",
        f"https://127.0.0.1:{PORT}",
        f"http://127.0.0.1:{PORT}.evil.example",
        # Other pages of this machine.
        "http://127.0.0.1:3000",
        f"http://localhost:{PORT}",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "OPTIONS"])
def test_a_request_of_another_origin_is_refused_with_the_token_too(
    method: str, origin: str
) -> None:
    assert status(method, origin=origin) == 403
    assert status(method, origin=origin, sec_fetch_site="same-origin") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "SAME-ORIGIN", "odd"])
def test_requests_of_another_site_are_refused_even_without_an_origin(site: str) -> None:
    for mode in "no-cors", "cors", "websocket", None:
        assert status(sec_fetch_site=site, sec_fetch_mode=mode) == 403
    # A form that another site sends.
    assert status("POST", sec_fetch_site=site, sec_fetch_mode="navigate") == 403
    # A link that somebody was sent.
    assert status(sec_fetch_site=site, sec_fetch_mode="navigate") is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "//",
        "/events",
        f"/{TOKEN}x/",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN.lower()}/",
        f"//{TOKEN}/",
        f"/x/{TOKEN}/",
        f"/x/../{TOKEN}/",
        f"{TOKEN}/",
        "/größe/",
        "/\udcff/",
    ],
)
def test_a_link_without_the_token_gets_nothing(path: str) -> None:
    assert status(path=path) == 403


def test_the_token_suffices_with_or_without_a_path() -> None:
    for path in f"/{TOKEN}", f"/{TOKEN}/", f"/{TOKEN}/a/b":
        assert status(path=path) is None


def test_a_console_on_the_port_that_browsers_leave_out_answers_too() -> None:
    for host in "127.0.0.1", "localhost", "127.0.0.1:80":
        assert status(port=80, host=host, origin=f"http://{host}") is None
    assert status(port=80, host=f"127.0.0.1:{PORT}") == 421


def test_nothing_from_elsewhere_is_loaded_and_nothing_runs_that_is_not_a_file_of_the_page() -> None:
    rules = dict(
        rule.strip().split(" ", 1) for rule in HEADERS["Content-Security-Policy"].split(";")
    )
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
