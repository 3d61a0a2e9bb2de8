"""A provider registry on loopback: Terraform's registry protocol as a folder of files, served.

https://developer.hashicorp.com/terraform/internals/provider-registry-protocol
"""

import contextlib
import functools
import hashlib
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pysequoia import SignatureMode, Tsk, sign

from pipeline.emulator.ports import HOST
from pipeline.terraform.provider import PROVIDER

# Listed beside the one that is there, and not to be had: what a root that pins nothing would take.
NEWER = "6.99.0"


def configuration(port: int) -> str:
    """A Terraform CLI configuration that has the public registry's host at `port`."""
    host = PROVIDER.split("/")[0]
    return f'host "{host}" {{ services = {{ "providers.v1" = "http://{HOST}:{port}/" }} }}\n'


@contextlib.contextmanager
def registry(folder: Path, executable: Path, version: str, platform: str) -> Iterator[int]:
    """Serve this provider from `folder`, which receives its package; yields the port."""
    system, architecture = platform.split("_")
    there = folder / PROVIDER.partition("/")[2]
    package = there / f"terraform-provider-aws_{version}_{platform}.zip"
    download = there / version / "download" / system / architecture
    download.parent.mkdir(parents=True)
    # Stored: packing 700 MB takes longer than all the rest.
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        archive.write(executable, executable.name)
    with package.open("rb") as packed:
        digest = hashlib.file_digest(packed, "sha256").hexdigest()
    sums = f"{digest}  {package.name}\n".encode()
    key = Tsk.generate("The registry's <registry@example.com>")
    (there / "sums").write_bytes(sums)
    signature = sign(key.signer(), sums, mode=SignatureMode.DETACHED, armor=False)
    (there / "sums.sig").write_bytes(signature)
    public = key.extract_certificate()

    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        address = f"http://{HOST}:{server.server_port}/{there.relative_to(folder)}"
        common = {"protocols": ["5.0"], "platforms": [{"os": system, "arch": architecture}]}
        listed = [{"version": each, **common} for each in (version, NEWER)]
        (there / "versions").write_text(json.dumps({"versions": listed}), encoding="utf-8")
        answer = {
            "protocols": common["protocols"],
            "os": system,
            "arch": architecture,
            "filename": package.name,
            "download_url": f"{address}/{package.name}",
            "shasums_url": f"{address}/sums",
            "shasums_signature_url": f"{address}/sums.sig",
            "shasum": digest,
            "signing_keys": {
                "gpg_public_keys": [
                    {"key_id": public.fingerprint[-16:].upper(), "ascii_armor": str(public)}
                ]
            },
        }
        download.write_text(json.dumps(answer), encoding="utf-8")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Nothing: Terraform says itself what it did not get."""
