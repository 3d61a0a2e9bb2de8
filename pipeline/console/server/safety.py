"""Which requests are answered: those of the page itself, with the link's token."""

import hmac
from collections.abc import Mapping

# Nothing of another site is loaded or framed, nothing is sent to one, nothing is cached.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def refusal(
    method: str, path: str, headers: Mapping[str, str], *, port: int, token: str
) -> tuple[int, str] | None:
    """Status and reason of a refusal; None if the request is answered.

    `headers` by lower-case name. Another name that resolves to this machine (DNS rebinding) shows
    in Host, another site's page in Origin and in Sec-Fetch-Site.
    """
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if port == 80:
        # Browsers leave it out.
        hosts |= {"127.0.0.1", "localhost"}
    host = headers.get("host", "")
    if host not in hosts:
        return 421, "This page answers to 127.0.0.1 only: open the link that the console printed."
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return 403, "Another site may not talk to this page."
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin") and (
        method not in ("GET", "HEAD") or headers.get("sec-fetch-mode") != "navigate"
    ):
        return 403, "Another site may not talk to this page."
    given = path.split("/")[1] if path.startswith("/") else ""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        return 403, "The link is not complete: open it as the console printed it, token included."
    return None
