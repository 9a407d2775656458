"""What can go wrong on the HR side, each error with a sentence that a person can act on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.local.hr.events import HrEvent


class HrError(Exception):
    """Base of what the HR side raises for a reason that a person can do something about."""


@dataclass(eq=False)
class InputError(HrError):
    """A file cannot be used as it is: says what is wrong, in which file, on which line and column.

    ``line`` counts from 1, the header being line 1. ``column`` is a column's name in an extract, a
    dotted key (or, where the file is not TOML at all, a character position) in a mapping.
    """

    sentence: str
    file: str
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f", line {self.line}"
        if self.column is not None:
            place += f", column {self.column}"
        return f"{place}: {self.sentence}"


class MappingError(InputError):
    """The column mapping is wrong: nothing can be read with it."""


class ExtractError(InputError):
    """The extract is wrong. Raised when nothing can be read; kept as the reason of a bad row."""


class PublishError(HrError):
    """Something was not published. ``published`` holds the ids that Kafka did confirm in this call."""

    def __init__(self, sentence: str, published: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.published = published


class BrokerUnreachable(PublishError):
    """No broker answered, or it refused us: nothing was sent."""


class TopicMissing(PublishError):
    """The intake topic does not exist (or may not be seen): nothing was sent."""


class EventTooLarge(PublishError):
    """One event is larger than the contract's topic allows: nothing of its batch was sent.

    ``limit`` is None where a broker with a lower limit of its own refused it. Sizes are in bytes, before
    compression.
    """

    def __init__(self, key: str, size: int, limit: int | None = None) -> None:
        most = "more than the broker takes" if limit is None else f"and the topic takes {limit:,} at most"
        super().__init__(f"The event for {key} has {size:,} bytes, {most}.")
        self.key, self.size, self.limit = key, size, limit


class PublishFailed(PublishError):
    """Kafka did not confirm these events: some may have arrived all the same.

    ``await publisher.publish(error.events)`` sends them again under the same ids with the same bytes,
    which a receiver with an inbox applies once.
    """

    def __init__(self, sentence: str, events: tuple["HrEvent", ...], published: tuple[str, ...]) -> None:
        super().__init__(sentence, published)
        self.events = events
