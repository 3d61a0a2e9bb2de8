"""Every page gets the events, however slow another page is."""

import asyncio
import json
import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.server import hub
from pipeline.console.server.hub import Hub, Listener, encode, hear, message


async def receive(queue: Listener) -> list[str]:
    return [text async for text in hear(queue)]


def test_every_page_gets_events_in_order_from_any_thread() -> None:
    async def listen() -> list[list[str]]:
        pages = Hub()
        queues = [pages.join(), pages.join()]

        def work() -> None:
            for number in range(100):
                pages.publish("count", number)
            pages.close()

        thread = threading.Thread(target=work)
        thread.start()
        received = list(await asyncio.gather(*map(receive, queues)))
        thread.join()
        return received

    wanted = [message("count", number) for number in range(100)]
    assert asyncio.run(listen()) == [wanted, wanted]


def test_a_page_that_reads_nothing_is_disconnected_and_costs_no_more() -> None:
    async def listen() -> tuple[int, int, list[str], int]:
        pages = Hub()
        slow, quick = pages.join(), pages.join()
        taken = 0
        for _ in range(3):
            for number in range(hub._MAX_UNSENT):
                pages.publish("count", number)
            await asyncio.sleep(0)
            while not quick.empty():
                quick.get_nowait()
                taken += 1
        kept = slow.qsize()
        return kept, pages.listeners, await receive(slow), taken

    kept, listeners, received, taken = asyncio.run(listen())
    assert (kept, listeners, received) == (1, 1, [])
    assert taken == 3 * hub._MAX_UNSENT


def test_a_page_that_has_left_gets_no_events() -> None:
    async def listen() -> tuple[int, bool]:
        pages = Hub()
        queue = pages.join()
        pages.leave(queue)
        pages.leave(queue)
        pages.publish("count", 1)
        await asyncio.sleep(0)
        return pages.listeners, queue.empty()

    assert asyncio.run(listen()) == (0, True)


def test_events_without_a_page_or_a_loop_are_dropped() -> None:
    pages = Hub()
    pages.publish("count", 1)
    pages.close()

    async def listen() -> list[str]:
        return await receive(pages.join())

    # It was closed: whoever comes now is sent away.
    assert asyncio.run(listen()) == []
    pages.publish("count", 1)
    pages.close()


def test_a_quiet_page_is_written_to_so_that_one_that_is_gone_is_noticed(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(hub, "_QUIET_SECONDS", 0.001)

    async def listen() -> str:
        return await anext(hear(asyncio.Queue()))

    assert asyncio.run(listen()) == "event: quiet\ndata: null\n\n"


@given(st.text() | st.dictionaries(st.text(), st.text() | st.none() | st.floats(allow_nan=False)))
def test_a_message_is_one_event_whatever_it_holds(data: Any) -> None:
    found = message("kind", data)
    assert found.isascii()
    # Every line break that the standard knows.
    head, body, *rest = found.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert (head, rest) == ("event: kind", ["", ""])
    assert json.loads(body.removeprefix("data: ")) == data


def test_a_binary_attribute_is_encoded_as_dynamodb_sends_it() -> None:
    assert encode({"a": {"B": b"\x00\xff"}}) == '{"a":{"B":"AP8="}}'
