"""What Terraform sees of a provider through the proxy."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pipeline.terraform.attached import types
from pipeline.terraform.schema_proxy import schema_proxy

SCHEMA = "/tfplugin5.Provider/GetProviderSchema"


def field(number: int, content: bytes) -> bytes:
    """A field with content of some length, as protobuf encodes it."""
    assert len(content) < 128**2
    length = [len(content) & 0x7F | 0x80, len(content) >> 7]
    return bytes([number << 3 | 2, *length]) + content


def named(number: int, name: bytes) -> bytes:
    """A map's entry of more than 127 bytes."""
    return field(number, b"\n" + bytes([len(name)]) + name + field(2, b"schema" * 30))


OURS = [named(2, b"aws_sqs_queue"), named(3, b"aws_region"), named(8, b"aws_ephemeral")]
THEIRS = [named(2, b"aws_sqs_queue_policy"), named(3, b"aws_regions"), named(10, b"aws_x")]
REST = [field(1, b"provider"), named(7, b"arn_parse"), field(6, b"\x08\x01")]


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[grpc.Channel]:
    """A channel through the proxy to a provider with a schema, an echo and a fault."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if request == b"fail":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much")
        return request

    schema = b"".join(each for three in zip(OURS, THEIRS, REST, strict=True) for each in three)
    methods = {"GetProviderSchema": lambda *_: schema, "PlanResourceChange": answer}
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()
    }
    with ThreadPoolExecutor(1) as pool:
        provider = grpc.server(pool)
        provider.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("tfplugin5.Provider", handlers)]
        )
        provider.add_insecure_port(f"unix:{tmp_path}/p")
        provider.start()
        wanted = ["aws_sqs_queue", "aws_region", "aws_ephemeral"]
        with (
            schema_proxy(f"{tmp_path}/p", f"{tmp_path}/s", wanted),
            grpc.insecure_channel(f"unix:{tmp_path}/s") as channel,
        ):
            yield channel
        provider.stop(None).wait()


def test_the_schema_holds_the_wanted_types_and_all_that_is_none(channel: grpc.Channel) -> None:
    answer = channel.unary_unary(SCHEMA)(b"")
    assert answer == b"".join(each for two in zip(OURS, REST, strict=True) for each in two)


def test_every_other_call_goes_through_as_it_is_and_so_does_its_error(
    channel: grpc.Channel,
) -> None:
    call = channel.unary_unary("/tfplugin5.Provider/PlanResourceChange")
    assert call(b"\x00a change") == b"\x00a change"
    with pytest.raises(grpc.RpcError, match="too much") as caught:
        call(b"fail")
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_types_are_the_words_of_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_s3_bucket" "aws_1" { x = data.aws_region.y }')
    files = [tmp_path / "main.tf", tmp_path / "gone.tf", tmp_path]
    assert types(files) == {"aws_s3_bucket", "aws_1", "aws_region"}
