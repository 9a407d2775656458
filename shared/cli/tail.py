"""Reading events for ``mentoring events tail`` and ``trace``."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from shared.cli.kafka import Reader, sentences
from shared.cli.output import err, fail, moment, print_line, say
from shared.cli.records import WITHHELD, Seen, see
from shared.contracts import TOPICS, Topic
from shared.messaging.codec import safe
from shared.runtime.settings import KafkaSettings

OLDEST: Final = datetime.min.replace(tzinfo=UTC)
"""Before every record."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: of these topics, from ``start`` (None: from now), and so many."""

    topics: Sequence[Topic]
    correlation: str | None
    tenant: str | None
    start: datetime | None
    limit: int | None
    follow: bool

    def wants(self, event: Seen) -> bool:
        if self.correlation is not None and event.correlation != safe(self.correlation):
            return False
        return self.tenant is None or event.tenant == self.tenant


def tail_events(
    settings: KafkaSettings, selection: Selection, *, show_data: bool, personal: bool, as_json: bool
) -> None:
    """Print the events; Ctrl-C is a good end."""
    document = _Document() if as_json else None

    def show(event: Seen) -> None:
        if document is not None:
            document.add(event.document(data=show_data, personal=personal))
            return
        print_line(line(event))
        if show_data:
            print_line("    " + _data(event, personal=personal))

    async def run() -> None:
        async for event in _selected(settings, selection):
            show(event)

    try:
        with sentences(settings):
            asyncio.run(run())
    except KeyboardInterrupt:
        pass
    finally:
        if document is not None:
            document.close()


def line(event: Seen) -> str:
    """One event in one line."""
    what = event.type or "?"
    if event.death is not None:
        what = f"dead letter ({event.death.reason}): {what}"
    if event.problem:
        what = f"{what}  [{event.problem}; {event.topic.name} {event.partition}@{event.offset}]"
    return (
        f"{moment(event.at)}  {what:<40}  {event.subject or '-':<36}  #{event.sequence or '-'}"
        f"  {event.tenant or '-'}  {event.correlation or '-'}"
    )


def _data(event: Seen, *, personal: bool) -> str:
    if event.topic.personal and not personal:
        return WITHHELD
    return json.dumps(event.data, ensure_ascii=False, default=str)


async def _selected(settings: KafkaSettings, selection: Selection) -> AsyncIterator[Seen]:
    left = selection.limit
    async with Reader(settings, selection.topics) as reader:
        _say_missing(reader, selection.topics)
        async for topic, record in _records(reader, selection):
            event = see(topic, record)
            if not selection.wants(event):
                continue
            yield event
            if left is not None and (left := left - 1) == 0:
                return


async def _records(reader: Reader, selection: Selection) -> AsyncIterator[tuple[Topic, Any]]:
    if selection.start is None:
        await reader.at_end()
        say("Waiting for events; Ctrl-C ends it.")
    else:
        await _rewind(reader, selection.start)
        async for item in reader.present():
            yield item
    if selection.follow:
        async for item in reader.following():
            yield item


async def _rewind(reader: Reader, start: datetime | None) -> None:
    if start is None or start == OLDEST:
        await reader.at_start()
    else:
        await reader.at(start)


def _say_missing(reader: Reader, topics: Sequence[Topic]) -> None:
    if len(reader.missing) == len(topics):
        fail("None of these topics is on the cluster: `mentoring topics check` names what is missing.")
    for name in reader.missing:
        say(f"{name} is not on the cluster.")


async def story(
    settings: KafkaSettings, correlation: str, since: datetime | None, *, quiet: bool
) -> list[Seen]:
    """All events of one correlation id on all topics, dead letters included."""
    wanted = safe(correlation)
    events = []
    async with Reader(settings, TOPICS) as reader:
        _say_missing(reader, TOPICS)
        await _rewind(reader, since)
        with Progress(
            TextColumn("reading the topics"), BarColumn(), TaskProgressColumn(),
            console=err, transient=True, disable=quiet or not err.is_terminal,
        ) as bar:  # fmt: skip
            async for topic, record in reader.present(_advance(bar)):
                event = see(topic, record)
                if event.correlation == wanted:
                    events.append(event)
    return events


def _advance(bar: Progress) -> Callable[[int, int], None]:
    task = bar.add_task("read", total=None)
    return lambda read, total: bar.update(task, completed=read, total=total)


class _Document:
    """A JSON list that grows while it is printed, and is whole when it is closed."""

    def __init__(self) -> None:
        self._empty = True

    def add(self, entry: dict[str, Any]) -> None:
        print("[" if self._empty else ",", json.dumps(entry, ensure_ascii=False, default=str), flush=True)
        self._empty = False

    def close(self) -> None:
        print("[]" if self._empty else "]", flush=True)
