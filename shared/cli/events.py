"""``mentoring events``: look at what is on the topics, follow a story, check and publish events."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated

import typer

from shared.cli.options import DataDir
from shared.cli.output import AsJson, counted, fail, print_json, print_line, say
from shared.cli.target import Target, find_target
from shared.contracts import TOPIC, TOPICS, Topic

events_app = typer.Typer(no_args_is_help=True, help="The events on the topics.")

_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Since = Annotated[
    str | None,
    typer.Option(metavar="SPAN", help="Only records of the last 30s, 15m, 2h, 7d …", show_default=False),
]


@events_app.command()
def tail(
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC", help="Default: every topic with events.")
    ] = None,
    correlation: Annotated[
        str | None, typer.Option(help="Only events of this story.", show_default=False)
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest record there is, not with the next.")
    ] = False,
    since: Since = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="End after so many events.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for more at the end; Ctrl-C ends it.")
    ] = True,
    show_data: Annotated[bool, typer.Option("--show-data", help="Show what the events say, too.")] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="With --show-data: personal topics as well.")
    ] = False,
    tenant: Annotated[
        str | None, typer.Option(help="Only events of this organisation.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show events as they come: time, type, subject, sequence, tenant and correlation.

    `mentoring topics list` says which topics are personal.
    """
    from shared.cli.tail import OLDEST, Selection, tail_events

    if personal and not show_data:
        fail("--personal says whose data to show, and needs --show-data.", 2)
    if from_start and since:
        fail("Choose between --from-start and --since.", 2)
    start = OLDEST if from_start else _since(since)
    if start is None and not follow:
        fail("Without --follow nothing comes from now on: add --from-start or --since.", 2)
    target = find_target(None, data_dir)
    selection = Selection(
        topics=_topics(target, topics or []),
        correlation=correlation,
        tenant=tenant,
        start=start,
        limit=limit,
        follow=follow,
    )
    tail_events(target.kafka(), selection, show_data=show_data, personal=personal, as_json=as_json)


@events_app.command()
def trace(
    correlation: Annotated[str, typer.Argument(metavar="CORRELATION_ID", show_default=False)],
    since: Since = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one story over all topics as a tree of causes and effects, with the dead letters on its way.

    It reads the topics as a whole: with much on them, say how far to look back. A compacted topic keeps only
    the last event of each person. Exit code 1 when there is no such event.
    """
    from shared.cli.kafka import sentences
    from shared.cli.tail import story
    from shared.cli.trace import grow, lines

    settings = find_target(None, data_dir).kafka()
    with sentences(settings):
        events = asyncio.run(story(settings, correlation, _since(since), quiet=as_json))
    roots = grow(events)
    if as_json:
        print_json([root.document() for root in roots])
    for line in [] if as_json else lines(roots):
        print_line(line)
    if not events:
        fail(
            f"No event with the correlation id {correlation} is on the topics{' since then' if since else ''}."
        )
    if not as_json:
        services = {event.death.service if event.death else event.service for event in events}
        say(f"{counted(len(events), 'record')} of {', '.join(sorted(services))}.")


@events_app.command()
def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="One event each; .jsonl: one a line; -: standard input."),
    ],
    as_json: AsJson = False,
) -> None:
    """Say what keeps events from being good ones. Exit code 1 when something does."""
    from shared.cli.publishing import read_events, validated

    checked = [event for file in files for event in validated(read_events(file))]
    if as_json:
        print_json([{"event": event.name, "problems": event.problems} for event in checked])
    else:
        for event in checked:
            for problem in event.problems or ["Good."]:
                print_line(f"{event.name}: {problem}")
    raise typer.Exit(1 if any(event.problems for event in checked) else 0)


@events_app.command()
def publish(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="One event; .jsonl: one a line; -: standard input.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Send it as it is, without checking it.")] = False,
    topic: Annotated[
        str | None,
        typer.Option(help="With --force: where to, when the type does not say it.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Publish events to the topic of their type, keyed by their subject; all of them or, if one is bad, none."""
    from shared.cli.kafka import sentences
    from shared.cli.publishing import publish_events, read_events, validated

    if topic is not None and not force:
        fail("The type says the topic; --topic is for --force.", 2)
    target = find_target(None, data_dir)
    chosen = _topics(target, [topic])[0].name if topic else None
    events = read_events(file)
    problems = [f"{e.name}: {problem}" for e in validated(events) for problem in e.problems]
    if problems and not force:
        fail("\n".join([*problems, "Nothing was published."]))
    settings = target.kafka()
    with sentences(settings):
        published = asyncio.run(publish_events(settings, events, chosen))
    if as_json:
        print_json(published)
        return
    for entry in published:
        print_line(
            f"Published {entry['id'] or 'a record'} to {entry['topic']},"
            f" partition {entry['partition']}, offset {entry['offset']}."
        )


def _topics(target: Target, names: list[str]) -> list[Topic]:
    """Topics of the catalogue by their names, with or without the deployment's prefix."""
    prefix = target.kafka().kafka_topic_prefix
    chosen = []
    for name in names:
        plain = name if name in TOPIC else name.removeprefix(prefix)
        if plain not in TOPIC:
            close = get_close_matches(plain, TOPIC, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(TOPIC)}."
            fail(f"There is no topic {name}: {hint}", 2)
        chosen.append(TOPIC[plain])
    return chosen or [topic for topic in TOPICS if topic.events]


def _since(span: str | None) -> datetime | None:
    if span is None:
        return None
    match = _SPAN.fullmatch(span.strip())
    if match is None:
        fail(f"{span!r} is no span of time: write 30s, 15m, 2h or 7d.", 2)
    return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
