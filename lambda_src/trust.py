"""Whom TLS trusts: Amazon's roots first, the system's whole store once they did not do.

Loading that store takes longer than all the rest of a cold start.
"""

from __future__ import annotations

import os
import ssl
import threading

# Written by `python -m tools package`.
_ROOTS = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120


class Trust:
    """One TLS context for all connections. `AWS_CA_BUNDLE` wins over both kinds of roots."""

    def __init__(self) -> None:
        """Raises ValueError when `AWS_CA_BUNDLE` can't be read."""
        bundle = os.environ.get("AWS_CA_BUNDLE")
        try:
            self.context = ssl.create_default_context(cafile=bundle or _ROOTS)
        except OSError as error:
            raise ValueError(
                f"AWS_CA_BUNDLE is {bundle!r}, no readable file of certificates: {error}"
            ) from error
        self.whole = bool(bundle)
        self._lock = threading.Lock()

    def widen(self) -> None:
        """Add the system's store, once: others wait until it is there."""
        with self._lock:
            if not self.whole:
                self.context.load_default_certs()
                self.whole = True
