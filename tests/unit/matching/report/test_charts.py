"""Where bars stand: to scale, inside the drawing, labels apart."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.report.charts import WIDTH, Bar, columns, rows

values = st.lists(st.integers(0, 10**9), max_size=40)


@given(values)
def test_standing_bars_are_to_scale_and_inside(numbers: list[int]) -> None:
    chart = columns("a", "A", "", ("x", "n"), [Bar(str(n), n) for n in numbers])
    assert len(chart.boxes) == len(numbers)
    for box, number in zip(chart.boxes, numbers, strict=True):
        assert box.x >= 0 and box.x + box.width <= WIDTH
        assert box.y >= 0 and box.y + box.height <= chart.height
        assert (box.height > 0) == (number > 0)
    tall = [(box.height, number) for box, number in zip(chart.boxes, numbers, strict=True) if box.height > 1]
    for (one, small), (other, large) in pairwise(sorted(tall)):
        assert one * large == pytest.approx(other * small, rel=1e-6)


@given(values)
def test_lying_bars_leave_room_for_their_numbers(numbers: list[int]) -> None:
    chart = rows("a", "A", "", ("x", "n"), [Bar(str(n), n) for n in numbers])
    for box in chart.boxes:
        assert box.x + box.width < WIDTH - 40 and box.y + box.height <= chart.height


@given(st.integers(1, 60), st.integers(1, 9))
def test_labels_do_not_touch(count: int, letters: int) -> None:
    chart = columns("a", "A", "", ("x", "n"), [Bar("9" * letters, 1)] * count)
    for one, other in pairwise(chart.labels):
        assert other.x - one.x >= letters * 7.5
