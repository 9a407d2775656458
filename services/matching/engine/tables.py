"""Points and rules that depend on two levels or two time zones only."""

from collections.abc import Sequence

import numpy as np

from services.matching.engine.arrays import INFEASIBLE, Tables
from services.matching.engine.configuration import Rules, Weights
from services.matching.engine.sides import HIGHEST_LEVEL
from services.matching.engine.words import WORKING_DAY, overlap


def tables_of(rules: Rules, weights: Weights, offsets: Sequence[int | None]) -> Tables:
    size = HIGHEST_LEVEL + 2
    levels = np.zeros((size, size), np.int32)
    low, high = weights.experience_best
    for mentee in range(size - 1):
        for mentor in range(size - 1):
            gap = mentor - mentee
            away = max(0, low - gap, gap - high)
            points = max(0, weights.experience - away * weights.experience_fall)
            if (rules.minimum_level_gap is not None and gap < rules.minimum_level_gap) or (
                rules.maximum_level_gap is not None and gap > rules.maximum_level_gap
            ):
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
