"""Records as they are written, from the table's stream."""

from collections.abc import Iterator
from typing import Any

from pipeline.deployed.session import Session
from pipeline.deployed.stream import StreamReader
from pipeline.deployed.table import Record, Table, added, read


class NewRecords:
    """The records that are written from now on; not for several threads at a time."""

    def __init__(self, session: Session) -> None:
        """Raises PipelineError where the stream can't be read."""
        self._stream = StreamReader(
            session.client("dynamodbstreams"), session.target.table_stream_arn
        )

    def new(self, session: Session) -> Iterator[tuple[Record, dict[str, Any]]]:
        """What was written since the last call, and what was added. Raises PipelineError."""
        self._stream.use(session.client("dynamodbstreams"))
        changes = [change for change in self._stream.new() if change.change != "REMOVE"]
        items = [change.image for change in changes if change.image is not None]
        if changes and not self._stream.images:
            table = Table(session.client("dynamodb"), session.target.table_name)
            items = list(table.get(dict.fromkeys(each.keys["objectId"]["S"] for each in changes)))
        for item in items:
            if (record := read(item)) is not None:
                yield record, added(item)
