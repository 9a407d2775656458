"""Points and rules that depend on two levels or two time zones only."""

from collections.abc import Sequence

import numpy as np

from services.matching.engine.arrays import INFEASIBLE, Tables
from services.matching.engine.configuration import Form, Rules, Weights
from services.matching.engine.sides import HIGHEST_LEVEL
from services.matching.engine.words import WORKING_DAY, overlap


def tables_of(
    rules: Rules, weights: Weights, offsets: Sequence[int | None], form: Form = Form.ONE_TO_ONE
) -> Tables:
    """Levels count from the mentee up to the mentor; in the form ``reverse`` down; between peers as a distance, at
    best none."""
    size = HIGHEST_LEVEL + 2
    levels = np.zeros((size, size), np.int32)
    low, high = (0, 0) if form is Form.PEER else weights.experience_best
    least, most = rules.minimum_level_gap, rules.maximum_level_gap
    if form is Form.PEER:
        least, most = None, rules.peer_level_gap
    gap = np.arange(size - 1)[None, :] - np.arange(size - 1)[:, None]
    if form is Form.REVERSE:
        gap = -gap
    elif form is Form.PEER:
        gap = np.abs(gap)
    away = np.maximum(0, np.maximum(low - gap, gap - high))
    points = np.maximum(0, weights.experience - away * weights.experience_fall)
    if least is not None:
        points[gap < least] = INFEASIBLE
    if most is not None:
        points[gap > most] = INFEASIBLE
    levels[1:, 1:] = points
    zones = np.zeros((len(offsets), len(offsets)), np.int32)
    for i, one in enumerate(offsets):
        for j, other in enumerate(offsets):
            minutes = overlap(one, other)
            known = one is not None and other is not None
            zones[i, j] = weights.overlap * minutes // WORKING_DAY
            if known and minutes < rules.minimum_overlap_minutes:
                zones[i, j] = INFEASIBLE
    return Tables(
        levels=levels,
        zones=zones,
        same_office=weights.same_office,
        working_style=weights.working_style,
        same_department=int(rules.same_department_allowed),
        same_team=int(rules.same_team_allowed),
        line=int(rules.reporting_line),
        line_levels=rules.reporting_line_levels or 0,
        language=int(rules.common_language),
    )
