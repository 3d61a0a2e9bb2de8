"""The code of the lab's functions, which Terraform does not compare with what it applied."""

import base64
import hashlib
import time
from pathlib import Path
from typing import Any

from pipeline.deployed import aws
from pipeline.emulator.process import client_environment, point_this_process_at
from pipeline.errors import PipelineError
from pipeline.lab import root

_UPDATE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_AGAIN = "run `pipeline lab up`"


def put_back(folder: Path, endpoint: str) -> list[str]:
    """Give each function the package again that Terraform applied, if its code is another one.

    Returns the names of those whose code it was not. Raises PipelineError.
    """
    point_this_process_at(client_environment(endpoint))
    client, names = aws.client("lambda"), []
    for name, applied in root.functions(folder).items():
        with aws.asking(f"the function {name}", _AGAIN):
            found = client.get_function_configuration(FunctionName=name)
        # One without a file has its package from S3, which Terraform knows.
        if found["CodeSha256"] == applied["source_code_hash"] or not applied["filename"]:
            continue
        package = (folder / "root" / applied["filename"]).read_bytes()
        if sha256(package) == applied["source_code_hash"]:
            give(client, name, package)
            names.append(name)
    return names


def give(client: Any, name: str, package: bytes) -> None:
    """Give a function this code, and wait until it runs. Raises PipelineError."""
    with aws.asking(f"the function {name}", _AGAIN):
        client.update_function_code(FunctionName=name, ZipFile=package)
    settle(client, name)


def settle(client: Any, name: str) -> None:
    """Wait until what was changed of a function is in effect. Raises PipelineError."""
    deadline = time.monotonic() + _UPDATE_SECONDS
    with aws.asking(f"the function {name}", _AGAIN):
        while True:
            found = client.get_function_configuration(FunctionName=name)
            if found["LastUpdateStatus"] == "Successful":
                return
            if found["LastUpdateStatus"] == "Failed" or time.monotonic() > deadline:
                why = found.get("LastUpdateStatusReason") or found["LastUpdateStatus"]
                raise PipelineError(f"The function {name} was not changed ({why}): {_AGAIN}.")
            time.sleep(_POLL_SECONDS)


def sha256(package: bytes) -> str:
    """As Lambda's `CodeSha256` and Terraform's `source_code_hash`."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()
