"""How the command speaks: sentences for people, one JSON document for programs (``--json``).

Results go to standard output. Progress, questions and errors go to standard error, so that the output of
every command can be piped into another program.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

_NO_EDGE: Final = 10_000
_NO_NUMBER: Final = (None, "", "?", "-")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_line(text: str) -> None:
    """One line on standard output, as it is: never wrapped, never read as markup."""
    out.print(text, markup=False, soft_wrap=True)


def print_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, title: str | None = None
) -> None:
    """Rows as a table; nothing but the title when there are none."""
    show_table(make_table(rows, columns, title=title))


def make_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, title: str | None = None
) -> Table:
    """The table that :func:`print_table` prints. A cell that is a rich ``Text`` keeps its style."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold"
    )
    for column in columns:
        values = [row.get(column) for row in rows]
        numeric = any(_is_number(value) for value in values) and all(
            _is_number(value) or value in _NO_NUMBER for value in values
        )
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def show_table(table: Table) -> None:
    """Print a table; as wide as it needs to be when nobody looks at a screen."""
    if out.is_terminal:
        out.print(table)
        return
    page = Console(width=_NO_EDGE, highlight=False)
    page.width = max(1, Measurement.get(page, page.options, table).maximum)
    page.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else str(value))


def say(sentence: str) -> None:
    """Tell a person what is going on, on standard error."""
    err.print(sentence, soft_wrap=True, markup=False)


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Say why on standard error and end with *code*."""
    say(sentence)
    raise typer.Exit(code)


def agreed(question: str) -> bool:
    """Ask a yes-or-no question on standard error; when nobody is there to answer, end with exit code 2."""
    err.print(f"{question} [y/N] ", end="", soft_wrap=True, markup=False)
    answer = sys.stdin.readline()
    if not answer:
        fail("\nNobody answered, so nothing was done: --yes does it without asking.", 2)
    return answer.strip().lower() in ("y", "yes")


def moment(value: datetime) -> str:
    """A moment in UTC to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(seconds: float) -> str:
    """A duration for people: ``0.4 s``, ``12 min``, ``3.1 h``."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.1f} s" if seconds else "0 s"


def counted(number: int, noun: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
