"""Two runs side by side: figures, settings, and who would get another mentor."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.cli.output import counted, print_line, print_table, say
from shared.cli.run_views import percent

Document = Mapping[str, Any]

_NAMELESS: Final = ("version", "seed")
_APART: Final = "their points do not measure the same"
_FIGURES: Final[tuple[tuple[str, Callable[[Document], Any], bool], ...]] = (
    ("mentees who waited", lambda run: run["mentees"], False),
    ("matched", lambda run: run["certificate"]["matched"], False),
    ("value", lambda run: run["certificate"]["value"], True),
    ("gap", lambda run: percent(run["certificate"]["gap"]), False),
    ("lowest score", lambda run: next((p["score"] for p in run["figures"]["worst"]["lowest"]), None), True),
    ("mean of the worst 5 %", lambda run: round(run["figures"]["worst"]["mean"]), True),
    ("mean score", lambda run: round(run["figures"]["mean_score"]), True),
    ("places used", lambda run: run["figures"]["load"]["used"], False),
    ("Gini of mentors' load", lambda run: f"{run['figures']['load']['gini']:.3f}", False),
)
"""Label, how to read it, and whether it is in points."""


def print_compared(found: Document) -> None:
    """Everything that differs, and the figures whether they do or not."""
    run, other = found["run"], found["other"]
    names = _short(run["run_id"], other["run_id"])
    weights = run["configuration"]["weights"], other["configuration"]["weights"]
    comparable = bool(found["same_people"]) and weights[0] == weights[1]
    print_table(list(_figures(run, other, names, comparable=comparable)), ("", *names, "difference"))
    if settings := list(_settings(run["configuration"], other["configuration"], names)):
        print_line("")
        print_table(settings, ("setting", *names))
    print_line("")
    print_line(
        f"{counted(found['kept'], 'mentee')} with the same mentor, {found['changed']:,} with another,"
        f" {found['added']:,} only in {names[1]}, {found['removed']:,} only in {names[0]}."
    )
    if not found["same_people"]:
        print_line(f"The two did not see the same people on the same day: {_APART}.")
    elif not comparable:
        print_line(f"Their weights are not the same: {_APART}.")
    if found["changes"]:
        print_line("")
        print_table([_change(change, names) for change in found["changes"]], ("mentee", *names))
    if found["next"]:
        say(f"The first {counted(len(found['changes']), 'change')}; --limit 0 shows all.")


def _short(run: str, other: str) -> tuple[str, str]:
    """Ids as short as they can be and still differ."""
    length = 8
    while run[:length] == other[:length] and length < len(run):
        length += 4
    return run[:length], other[:length] if other != run else f"{other[:length]} "


def _figures(
    run: Document, other: Document, names: tuple[str, str], *, comparable: bool
) -> Iterator[dict[str, Any]]:
    for label, read, points in _FIGURES:
        values = [read(one) if one["figures"] and one["certificate"] else None for one in (run, other)]
        difference = _difference(*values) if comparable or not points else ""
        yield {"": label, names[0]: _text(values[0]), names[1]: _text(values[1]), "difference": difference}


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}"


def _difference(before: Any, after: Any) -> str:
    if before is None or after is None or before == after or isinstance(before, str):
        return ""
    share = f" ({(after - before) / before:+.2%})" if before else ""
    return f"{after - before:+,}{share}"


def _settings(run: Document, other: Document, names: tuple[str, str]) -> Iterator[dict[str, Any]]:
    before, after = _flat(run), _flat(other)
    for name in sorted(before.keys() | after.keys()):
        if name not in _NAMELESS and before.get(name) != after.get(name):
            yield {"setting": name, names[0]: _shown(before.get(name)), names[1]: _shown(after.get(name))}


def _flat(configuration: Document, above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in configuration.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return flat


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _change(change: Document, names: tuple[str, str]) -> dict[str, Any]:
    return {
        "mentee": change["mentee_id"],
        names[0]: _mentor(change["mentor_id"], change["score"]),
        names[1]: _mentor(change["other_mentor_id"], change["other_score"]),
    }


def _mentor(mentor: str | None, score: int | None) -> str:
    return "nobody" if mentor is None else f"{mentor} ({score:,})"
