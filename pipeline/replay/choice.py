"""Which messages of the failure queue to replay."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pipeline.deployed.failure_queue import FailedEvent, Failure
from pipeline.errors import PipelineError

# As many characters of a message id as are shown.
ID_LENGTH = 8


@dataclass
class Choice:
    """All messages, or those with these ids and those about objects with these keys.

    Ids may be cut to their first 8 characters; keys are patterns of fnmatch, or literal. `matched`
    are the ids and keys that a message was found for.
    """

    all: bool = False
    messages: Sequence[str] = ()
    keys: Sequence[str] = ()
    matched: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Raises PipelineError where it contradicts itself."""
        if self.all and (self.messages or self.keys):
            raise PipelineError("--all leaves nothing to choose: drop it, or --message and --key.")
        for message_id in self.messages:
            if len(message_id) < ID_LENGTH:
                raise PipelineError(
                    f"--message {message_id!r} is too short: give the id, or its first {ID_LENGTH} "
                    "characters."
                )

    def __bool__(self) -> bool:
        """Whether anything was chosen."""
        return self.all or bool(self.messages or self.keys)

    def takes(self, message: Failure) -> bool:
        """Whether it is chosen; without any choice, every message is."""
        objects = message.objects if isinstance(message, FailedEvent) else ()
        found = {prefix for prefix in self.messages if message.message_id.startswith(prefix)} | {
            glob
            for glob in self.keys
            for _, key, _ in objects
            if key == glob or fnmatchcase(key, glob)
        }
        self.matched |= found
        return bool(found) or self.all or not self

    @property
    def unmatched(self) -> list[str]:
        """The ids and keys that no message was found for yet."""
        return [given for given in (*self.messages, *self.keys) if given not in self.matched]

    @property
    def complete(self) -> bool:
        """Whether no other message can be chosen: each id has its message, and only ids count."""
        return bool(self.messages) and not (self.keys or self.unmatched)
