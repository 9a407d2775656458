"""From a run's row to the page that a coordinator looks at."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from services.matching.domain.runs import Run
from services.matching.engine.figures import Figures
from services.matching.report import Comparison, LeftOver, Report

MOST_LEFT: Final = 500
"""So many people without a pair are named on the page; it has the number of all."""


def report_of(
    run: Run, left: Sequence[Mapping[str, Any]], other: tuple[Run, Mapping[str, int]] | None
) -> Report:
    """*left* as :func:`store.run_unmatched` gives it; *other* with the counts of :func:`store.compare_counts`."""
    assert run.found is not None
    return Report(
        programme=run.programme_id,
        run=run.run_id,
        state=run.state.value,
        requested_at=run.requested_at,
        configuration=run.configuration_version,
        input_hash=run.input_hash or "",
        seed=str(run.configuration["seed"]),
        digest=run.found["digest"],
        figures=_figures(run),
        left_over=tuple(LeftOver(row["mentee_id"], row["why"], row["forbidden"]) for row in left),
        compared=None if other is None else _comparison(*other),
    )


def _comparison(run: Run, counts: Mapping[str, int]) -> Comparison:
    return Comparison(
        run=run.run_id,
        configuration=run.configuration_version,
        figures=_figures(run),
        same_pairs=counts["kept"],
        other_mentor=counts["changed"],
        only_here=counts["removed"],
        only_there=counts["added"],
    )


def _figures(run: Run) -> Figures:
    return msgspec.convert(run.figures, Figures)
