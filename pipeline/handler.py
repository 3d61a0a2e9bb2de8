"""The function's own modules: the tooling reads an event exactly as the function does.

What a team tests its hook with is here, too:

    from pipeline.handler import call_hook, object_event

    def test_a_page_is_counted():
        assert call_hook(on_event, object_event("a.pdf", size=5)) == {"pages": 1}
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.paths import FUNCTION

# Only for the import: these names are too general to stay on the path.
sys.path.insert(0, str(FUNCTION))
try:
    import events
    import hooks
    import records
finally:
    sys.path.remove(str(FUNCTION))

__all__ = ["call_hook", "events", "hooks", "object_event", "records"]


def object_event(
    key: str, *, bucket: str = "uploads", name: str = "ObjectCreated:Put", **fields: Any
) -> events.ObjectEvent:
    """The event of an object, as a hook gets it; `fields` are more of `ObjectEvent`'s."""
    moment = int(time.time())
    written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    return events.ObjectEvent(bucket, key, name, written, moment)._replace(**fields)


def call_hook(
    hook: Callable[[events.ObjectEvent, Mapping[str, Any]], Mapping[str, Any] | None],
    event: events.ObjectEvent,
) -> dict[str, Any]:
    """What `hook` adds to the record of `event`, once it is seen that the function could store it.

    Raises what the hook does, `SkipRecord` too, and `hooks.UnfitError`.
    """
    items, (object_id,), _ = records.build([event], event.timestamp, 86_400)
    added: dict[str, Any] = {}

    def keep(event: events.ObjectEvent, record: Mapping[str, Any]) -> Mapping[str, Any] | None:
        returned = hook(event, record)
        added.update(returned if isinstance(returned, Mapping) else {})
        return returned

    hooks.call(keep, event, items[object_id])
    return added
