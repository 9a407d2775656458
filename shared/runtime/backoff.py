"""How long to wait after failures."""

import random


def backoff(failures: int, *, first: float, longest: float) -> float:
    """Seconds to wait after so many failures in a row: half of a doubling, capped time and up to all of it, so that
    many who failed together do not come back together. An outage may last for any number of failures."""
    return random.uniform(0.5, 1) * min(longest, first * 2.0 ** min(failures, 60))
