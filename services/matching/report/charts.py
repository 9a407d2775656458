"""Bar charts as plain numbers: where each bar stands in a drawing of fixed size. The template draws them as SVG.

Text in a drawing shrinks with it, so drawings are narrow enough to be read on a phone and are placed side by side
where there is room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

WIDTH: Final = 390.0
_HEIGHT: Final = 206.0
_LEFT: Final = 46.0
_RIGHT: Final = 8.0
_TOP: Final = 20.0
_BOTTOM: Final = 40.0
_ROW: Final = 30.0
_NAMES: Final = 166.0
_VALUES: Final = 58.0
_LETTERS: Final = 36
"""So many fit into a row of labels."""
_NAME_LETTERS: Final = 21


@dataclass(frozen=True, slots=True)
class Bar:
    """One number of a chart."""

    label: str
    value: float
    marked: bool = False
    """Drawn in the colour for what to look at."""
    shown: str = ""
    """The number as text; made from the value when empty."""

    @property
    def text(self) -> str:
        return self.shown or f"{self.value:,.0f}"


@dataclass(frozen=True, slots=True)
class Box:
    """A bar where it stands."""

    x: float
    y: float
    width: float
    height: float
    marked: bool
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A word where it stands."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, and the same in words and numbers for who does not see it."""

    key: str
    """Unique on the page."""
    title: str
    says: str
    """What there is to be seen, in a sentence."""
    head: tuple[str, str]
    """What labels and values are."""
    bars: tuple[Bar, ...]
    lying: bool
    """Whether bars grow to the right, with a name beside each."""
    height: float
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    """Below standing bars; names beside lying ones."""
    values: tuple[Label, ...]
    grid: tuple[Label, ...]
    """Lines across, at ``y``, of standing charts."""
    axis: str
    """What the labels below standing bars are."""

    @property
    def width(self) -> float:
        return WIDTH


def columns(
    key: str,
    title: str,
    says: str,
    head: tuple[str, str],
    bars: Sequence[Bar],
    *,
    axis: str = "",
    below: Sequence[str] | None = None,
) -> Chart:
    """Standing bars over labels in a row; every so many labels are written so that none touch.

    *below* are shorter labels, one for each bar; with one more they stand at the edges of bars.
    """
    edges = below is not None and len(below) > len(bars)
    written = [bar.label for bar in bars] if below is None else below
    top = _round_up(max((bar.value for bar in bars), default=0.0))
    low = _HEIGHT - _BOTTOM
    room = low - _TOP
    slot = (WIDTH - _LEFT - _RIGHT) / max(1, len(bars))
    gap = min(6.0, slot * 0.18)
    boxes, labels, values = [], [], []
    longest = max((len(text) for text in written), default=1)
    every = max(1, ceil(len(written) * longest / _LETTERS))
    few = len(bars) <= 12
    for number, bar in enumerate(bars):
        height = room * bar.value / top
        if bar.value:
            height = max(height, 1.0)
        x = _LEFT + number * slot + gap / 2
        boxes.append(Box(x, low - height, slot - gap, height, bar.marked, f"{bar.label}: {bar.text}"))
        middle = _LEFT + (number + 0.5) * slot
        if few and bar.value:
            values.append(Label(middle, low - height - 4, bar.text))
    for number in range(0, len(written), every):
        labels.append(Label(_LEFT + (number + (0.0 if edges else 0.5)) * slot, low + 18, written[number]))
    grid = [Label(_LEFT, low - room * part / 2, _short(top * part / 2)) for part in range(3)]
    return Chart(
        key, title, says, head, tuple(bars), False, _HEIGHT, tuple(boxes), tuple(labels), tuple(values),
        tuple(grid), axis,
    )  # fmt: skip


def rows(
    key: str,
    title: str,
    says: str,
    head: tuple[str, str],
    bars: Sequence[Bar],
    *,
    longest: float | None = None,
) -> Chart:
    """Lying bars, each with its name and number; *longest* is the value of a bar of full length."""
    top = longest or max((bar.value for bar in bars), default=0.0) or 1.0
    room = WIDTH - _NAMES - _VALUES
    boxes, labels, values = [], [], []
    for number, bar in enumerate(bars):
        y = number * _ROW + 5
        length = min(room, room * bar.value / top)
        if bar.value:
            length = max(length, 1.0)
        boxes.append(Box(_NAMES, y, length, _ROW - 10, bar.marked, f"{bar.label}: {bar.text}"))
        labels.append(Label(_NAMES - 8, y + 14.5, _cut(bar.label)))
        values.append(Label(_NAMES + length + 6, y + 14.5, bar.text))
    height = max(1, len(bars)) * _ROW
    return Chart(
        key, title, says, head, tuple(bars), True, height, tuple(boxes), tuple(labels), tuple(values), (), ""
    )


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 10 times a power of ten: halves of it are short numbers too."""
    if value <= 2:
        return 2.0
    power = 10.0 ** floor(log10(value))
    return float(next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value))


def _short(value: float) -> str:
    """12000 is 12k: there is little room beside a chart."""
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= 10 * limit or (value >= limit and value % (limit / 10) == 0):
            return f"{value / limit:g}{letter}"
    return f"{value:g}"


def _cut(text: str) -> str:
    return text if len(text) <= _NAME_LETTERS else text[: _NAME_LETTERS - 1] + "…"
