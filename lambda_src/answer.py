"""Answer whoever invoked: SQS with the messages to bring again, Lambda with success or an error."""

from events import Delivery, Failure
from typed import Any

# The text ends up in the failure queue, whose messages have a largest size.
_LONGEST = 4000


class NotStoredError(Exception):
    """Raised so that Lambda counts an error and retries; its text names each failed record."""


def match(delivery: Delivery, ids: list[str], reasons: dict[str, str]) -> list[Failure]:
    """Every record that did not make it: refused ones, and those whose `objectId` has a reason."""
    return delivery.refusals + [
        Failure(reasons[id_], event.bucket, event.key, event.sequencer, message, id_)
        for (message, event), id_ in zip(delivery.events, ids, strict=True)
        if id_ in reasons
    ]


def to(delivery: Delivery, failures: list[Failure], skipped: list[str]) -> dict[str, Any]:
    """The handler's return value.

    SQS: `batchItemFailures` with exactly the failed messages. Anybody else: the success answer,
    with the `objectId`s that a hook `skipped`, if any.
    Raises NotStoredError when a direct record failed, or a message that has no id to be named by.
    """
    if delivery.buffered and all(failure.messageId for failure in failures):
        failed = dict.fromkeys(failure.messageId for failure in failures)
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
    if failures:
        raise NotStoredError(_text(failures))
    success = {"statusCode": 200, "body": '"Item stored"'}
    return {**success, "skipped": skipped} if skipped else success


def _text(failures: list[Failure]) -> str:
    texts = (
        f"[s3://{each.bucket}/{each.key} ({each.sequencer}): {each.reason}]"
        if each.key
        else f"[unreadable: {each.reason}]"
        for each in failures
    )
    text = f"{len(failures)} of the records not stored: {' '.join(texts)}"
    # Lambda's runtime sends it as UTF-8, which has no lone surrogates.
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) < _LONGEST else f"{text[:_LONGEST]}... (the log has more)"
