"""What a report shows: plain values, the same for every form, that agree with the result they are of."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from services.matching.engine import Configuration, Form, Pool
from services.matching.engine.figures import ScoredPair, bars_of, by_group, load_of, worst_of
from services.matching.engine.match import match
from tests.unit.matching.engine.support import crowd, mentor, run
from tests.unit.matching.engine.support import mentee as somebody


def grouped(pool: Pool) -> Pool:
    people = tuple(replace(p, group="north" if n % 3 else "south") for n, p in enumerate(pool.mentees))
    return replace(pool, mentees=people)


@pytest.mark.parametrize("form", Form)
def test_figures_agree_with_the_result(form: Form) -> None:
    pool = grouped(crowd(90, 40))
    result = match(pool, Configuration(form=form))
    figures = result.figures
    assert json.loads(json.dumps(figures.plain())) == figures.plain()
    assert figures == match(pool, Configuration(form=form), threads=1).figures
    assert (figures.form, figures.pairs) == (form.value, len(result.pairs))
    assert figures.configuration == Configuration(form=form).fingerprint()
    proof, certificate = figures.proof, result.certificate
    assert (proof.value, proof.bound, proof.gap) == (certificate.value, certificate.bound, certificate.gap)
    assert proof.within_tolerance == certificate.within_tolerance
    assert sum(figures.scores.counts) == len(result.pairs)
    assert figures.mean_score * len(result.pairs) == pytest.approx(certificate.value)
    worst = sorted(pair.score for pair in result.pairs)[: figures.worst.pairs]
    assert figures.worst.pairs == -(-len(result.pairs) // 20)
    assert [one.score for one in figures.worst.lowest] == worst
    assert (figures.worst.highest, figures.worst.mean) == (worst[-1], sum(worst) / len(worst))
    assert figures.unmatched == Counter(one.why.value for one in result.unmatched)
    assert sum(figures.load.mentors_by_mentees) == figures.load.mentors
    used = sum(count * n for n, count in enumerate(figures.load.mentors_by_mentees))
    assert used == figures.load.used <= figures.load.places
    assert 0 < figures.choice.sampled <= 500
    assert sum(figures.choice.bars.counts) == figures.choice.sampled
    assert (figures.stability is not None) == (form in (Form.ONE_TO_ONE, Form.REVERSE))
    assert {one.group for one in figures.by_group} >= {"north", "south"}


def test_what_rules_forbid_is_counted_for_those_whom_they_leave_nobody() -> None:
    result = run(
        [somebody("a", level=9), somebody("b", languages=("fr",)), somebody("c")],
        [mentor("m"), mentor("n", level=6)],
    )
    assert result.figures.forbidden == {"language": 2, "level": 2}
    assert result.figures.unmatched == {"rules": 2}
    assert result.figures.choice.none == 2


def test_bars_hold_every_value_once() -> None:
    for values in ([0], [7, 7, 7], [-3, 12, 999], list(range(0, 100_000, 7)), [31_000, 12_500, 14_000]):
        bars = bars_of(values)
        assert 1 <= len(bars.counts) <= 20
        assert len(bars.edges) == len(bars.counts) + 1
        widths = {after - before for before, after in zip(bars.edges, bars.edges[1:], strict=False)}
        (width,) = widths
        assert str(width).rstrip("0") in {"1", "2", "5"} and bars.edges[0] % width == 0
        for n, count in enumerate(bars.counts):
            assert count == sum(bars.edges[n] <= value < bars.edges[n + 1] for value in values)
    assert bars_of([]).counts == []


def test_the_worst_of_a_few_is_one() -> None:
    pairs = [ScoredPair(f"a{n}", "m", score) for n, score in enumerate((5, 3, 4))]
    worst = worst_of(pairs)
    assert (worst.pairs, worst.highest, [one.mentee_id for one in worst.lowest]) == (1, 3, ["a1"])
    assert (worst_of([]).pairs, worst_of([]).highest, worst_of([]).mean) == (0, 0, 0.0)


def test_load_counts_mentors_who_had_room() -> None:
    load = load_of({"m": 2, "n": 1, "full": 0}, {"m": 2})
    assert (load.mentors, load.places, load.used, load.mentors_by_mentees) == (2, 3, 2, [1, 0, 1])
    assert load.gini == 0.5


def test_a_hidden_mean_cannot_be_told_from_the_total() -> None:
    """Of y only two are matched: its mean is hidden, and so is another's, or the total would give it away."""
    groups = ["x"] * 10 + ["y"] * 10 + ["z"] * 20
    scores = dict.fromkeys([*range(6), 10, 11, *range(20, 40)], 100)
    shown = {one.group: one.mean_score for one in by_group(groups, scores)}
    assert shown == {"x": None, "y": None, "z": 100}
    hidden = [one for one in by_group(["a", "b"] + ["c"] * 5 + ["d"] * 9, {}) if one.people is None]
    assert {one.group for one in hidden} == {"a", "b", "c"}  # a and b alone are two people


def test_a_result_is_read_without_the_compiler() -> None:
    program = (
        "import sys; from services.matching.engine import Figures, Result, Progress; "
        "assert not {'numba', 'numpy', 'networkx'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
