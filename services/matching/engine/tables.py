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
    for mentee in range(size - 1):
        for mentor in range(size - 1):
            gap = mentor - mentee
            if form is Form.REVERSE or (form is Form.PEER and gap < 0):
                gap = -gap
            away = max(0, low - gap, gap - high)
            points = max(0, weights.experience - away * weights.experience_fall)
            if (least is not None and gap < least) or (most is not None and gap > most):
                points = INFEASIBLE
            levels[mentee + 1, mentor + 1] = points
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
