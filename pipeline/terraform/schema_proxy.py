"""Stand between Terraform and a running provider, and make the provider's schema small.

Every Terraform process asks for the whole schema, of some 1,500 resources: to write it and to read
it takes the two almost 3 s of processor time, most of what a small plan takes. With those of the
project alone it is a tenth of a second. Everything else goes through as it is.

`python -m pipeline.terraform.schema_proxy PROVIDER_SOCKET OWN_SOCKET TYPE…` says that it
is ready, and runs until it is ended.
"""

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from typing import cast

import grpc

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform.guard import guarded

_READY = b"ready\n"
# The fields of GetProviderSchema.Response with something for each type: resources, data sources,
# and the kinds that came later; functions are the 7th.
# https://github.com/hashicorp/terraform/blob/v1.11.4/docs/plugin-protocol/tfplugin5.8.proto
_BY_TYPE = {2, 3, *range(8, 12)}
_SCHEMA = re.compile(r"/tfplugin5\.Provider/(GetSchema|GetProviderSchema)")
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@contextlib.contextmanager
def schema_proxy(
    provider: str, own: str, wanted: Collection[str], watched: int = subprocess.PIPE
) -> Iterator[None]:
    """A proxy at the socket `own` before the one at `provider`, with the schemas of `wanted` only.

    It ends with the block, and with this process or once the pipe `watched` has closed. Raises
    PipelineError when it does not start.
    """
    command = [
        sys.executable,
        "-m",
        "pipeline.terraform.schema_proxy",
        provider,
        own,
        *sorted(wanted),
    ]
    with subprocess.Popen(
        guarded(command, grace_seconds=5),
        stdin=watched,
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=ROOT,
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != _READY:
                raise PipelineError(
                    f"{' '.join(command[:3])}, the proxy before the provider, did not start."
                )
            yield
        finally:
            process.terminate()


def trimmed(response: bytes, wanted: Collection[str]) -> bytes:
    """A GetProviderSchema.Response without the types that nobody wants.

    In protobuf's encoding a message is its fields after one another, each with its number and its
    length: what is left is copied as it came. https://protobuf.dev/programming-guides/encoding/
    """
    left, at = [], 0
    names = {name.encode() for name in wanted}
    while at < len(response):
        tag, content = _varint(response, at)
        length, content = _varint(response, content)
        end = content + length
        if tag >> 3 not in _BY_TYPE or _name(response, content) in names:
            left.append(response[at:end])
        at = end
    return b"".join(left)


def _name(response: bytes, at: int) -> bytes:
    """The name in an entry of a map or a list of types: its first field."""
    length, start = _varint(response, at + 1)
    return response[start : start + length]


def _varint(encoded: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = encoded[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


class _Calls(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Passes on every call to the provider, whatever it is."""

    def __init__(self, provider: grpc.aio.Channel, wanted: Collection[str]) -> None:
        self._provider, self._wanted = provider, wanted
        self._schemas: dict[str, bytes] = {}

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        # Streams of the plugin's own output, which Terraform does without.
        if details.method.startswith("/plugin."):
            return None
        send = self._provider.unary_unary(details.method)

        async def pass_on(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            if details.method in self._schemas:
                return self._schemas[details.method]
            try:
                answer = cast(bytes, await send(request))
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            if _SCHEMA.fullmatch(details.method):
                answer = self._schemas[details.method] = trimmed(answer, self._wanted)
            return answer

        return grpc.unary_unary_rpc_method_handler(pass_on)


async def _serve(provider: str, own: str, wanted: Collection[str]) -> None:
    async with grpc.aio.insecure_channel(f"unix:{provider}", options=_ANY_SIZE) as channel:
        server = grpc.aio.server(handlers=[_Calls(channel, wanted)], options=_ANY_SIZE)
        server.add_insecure_port(f"unix:{own}")
        await server.start()
        sys.stdout.buffer.write(_READY)
        sys.stdout.buffer.flush()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], sys.argv[3:]))
